"""`almanac contacts import`: insert and update contacts from a CSV file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Literal

import apsw
from pydantic import BaseModel

from almanac.campaigns.change_request import ChangeRequest
from almanac.campaigns.trial import edit_if
from almanac.csv_input.header import ImportColumns
from almanac.csv_input.reader import CsvFile
from almanac.csv_input.rejects import Rejects
from almanac.csv_input.source import InputFile
from almanac.database.contact_writing import ContactFields, contact_fields, needed_columns
from almanac.database.opening import map_errors
from almanac.database.undo.entries import WritingCommand
from almanac.errors import InputError
from almanac.intake import contacts
from almanac.intake.applied import Absorption
from almanac.intake.contact_entries import read_changes
from almanac.intake.events import RefusedEntry, valid_entries
from almanac.intake.new_contacts import IncompleteRows
from almanac.intake.submission import submit
from almanac.organizations.agency_database import AgencyDatabase, StoreDatabase
from almanac.progress import Progress

KEYS = ("id", "email")
BATCH_ROWS = 100_000  # that are compared with the table at once
EXAMPLES = 5  # rejects in the summary

Row = dict[str, str]  # the cells that are not empty, by our names


class ContactsImported(BaseModel):
    """What became of the rows of a file."""

    database: str
    file: str
    outcome: Literal["written", "dry run", "waiting"]
    read: int = 0
    added: int | None = None  # None: decided by the run that takes it from the inbox
    changed: int | None = None
    unchanged: int | None = None
    waiting: int = 0
    rejected: int = 0
    rejects_file: str | None = None
    examples: list[tuple[int, str]] = []
    ignored_columns: list[str] = []


@dataclass
class ContactFile:
    """The rows of a CSV file of contacts, batch by batch; what cannot be read is a reject."""

    source: CsvFile
    fields: ContactFields
    rejects: Rejects
    read: int = 0
    _cells: dict[int, list[str]] = field(default_factory=dict)  # of a batch, by line

    @classmethod
    def open(
        cls, stream: BinaryIO, name: str, pairs: Sequence[str], fields: ContactFields
    ) -> ContactFile:
        """Read the header; raises as `CsvFile`."""
        others = [
            name
            for name, column in fields.by_name.items()
            if column.writable and name not in (*KEYS, "action")  # which has a meaning in an entry
        ]
        columns = ImportColumns((*KEYS, *others), one_of=KEYS)
        source = CsvFile(stream, name, columns, pairs)
        return cls(source, fields, Rejects(source.header.columns))

    def batches(self) -> Iterator[tuple[list[int], list[Row]]]:
        """Yield lines, and their cells that are not empty."""
        lines: list[int] = []
        rows: list[Row] = []
        places = self.source.header.places
        for line, cells, problem in self.source.rows():
            self.read += 1
            if problem is not None:
                self.rejects.add(line, problem.why, cells)
                continue
            lines.append(line)
            rows.append({our: cell for our, at in places.items() if (cell := cells[at].strip())})
            self._cells[line] = cells
            if len(lines) == BATCH_ROWS:
                yield lines, rows
                lines, rows = [], []
                self._cells.clear()
        if lines:
            yield lines, rows

    def cells(self, line: int) -> list[str]:
        """Return the cells of a line of the batch."""
        return self._cells[line]

    def refuse(self, lines: Sequence[int], refused: Sequence[RefusedEntry]) -> None:
        """Add rejects of the batch; they are named by their place in it."""
        for each in refused:
            line = lines[each.index or 0]
            self.rejects.add(line, each.why, self._cells[line])


@dataclass(frozen=True)
class ContactImport:
    """How to import."""

    pairs: Sequence[str] = ()  # the values of --map
    dry_run: bool = False


def import_contacts(
    agency: AgencyDatabase,
    file: InputFile,
    options: ContactImport,
    request: ChangeRequest,
    progress: Progress,
) -> tuple[ContactsImported, Rejects]:
    """Insert and update contacts from a CSV file, in one transaction; see `contacts.apply`.

    An empty cell leaves the value as it is. Raises InputError for a file that is not a CSV of
    contacts, and what `AgencyDatabase.edit` raises.
    """
    config = agency.config()
    with agency.open() as source, map_errors(source.path):
        fields = contact_fields(source.connection, config.contacts)
        with file.path.open("rb") as stream:  # a wrong header before a store's copy is fetched
            ContactFile.open(stream, file.name, options.pairs, fields)

    def edit(connection: apsw.Connection) -> tuple[ContactsImported, Rejects]:
        fields = contact_fields(connection, config.contacts)
        with file.path.open("rb") as stream:
            found = ContactFile.open(stream, file.name, options.pairs, fields)
            absorption = Absorption(config, request.now, WritingCommand.CONTACTS_IMPORT, [])
            size = max(1, file.path.stat().st_size)
            added, changed, valid = _apply(connection, found, absorption, size, progress)
        return ContactsImported(
            database=agency.name,
            file=file.name,
            outcome="dry run" if options.dry_run else "written",
            added=added,
            changed=changed,
            unchanged=valid - added - changed,
            **_summary(found),
        ), found.rejects

    kept = not options.dry_run
    command = WritingCommand.CONTACTS_IMPORT
    return edit_if(agency, lambda _: kept, edit, command, request, progress)


def send_contacts(
    agency: StoreDatabase, file: InputFile, pairs: Sequence[str], request: ChangeRequest
) -> tuple[ContactsImported, Rejects]:
    """Put the rows of a CSV file into the inbox of an organization, as entries about contacts.

    Whether a contact exists is seen when the next run applies them; but a row that cannot be a new
    one is a reject if there is none. Raises as `import_contacts`, and InputError if that is so of
    all rows.
    """
    kept: dict[int, Row] = {}  # by line
    cells: dict[int, list[str]] = {}
    settings = agency.config().contacts
    with agency.open() as source, map_errors(source.path):
        fields = contact_fields(source.connection, settings)
        incomplete = IncompleteRows(needed_columns(source.connection, fields), fields)
    with file.path.open("rb") as stream:
        found = ContactFile.open(stream, file.name, pairs, fields)
        for lines, rows in found.batches():
            entries, refused = valid_entries("contacts", rows)
            changes, more = read_changes(entries, fields, request.as_of)
            found.refuse(lines, [*refused, *more])
            for change in changes:
                line = lines[change.entry]
                kept[line] = rows[change.entry]
                if incomplete.note(line, change):
                    cells[line] = found.cells(line)
    whys = incomplete.of_new_contacts(agency, settings)
    if len(whys) == found.read > 0:
        line, why = next(iter(whys.items()))
        raise InputError(f"{file.name}: line {line}: {why}; no other row can be taken either")
    for line, why in whys.items():
        del kept[line]
        found.rejects.add(line, why, cells[line])
    word = WritingCommand.CONTACTS_IMPORT.word
    submit(agency.store, agency.org, "contacts", kept.values(), word=word, now=request.now)
    return ContactsImported(
        database=agency.name,
        file=file.name,
        outcome="waiting",
        waiting=len(kept),
        **_summary(found),
    ), found.rejects


def _summary(found: ContactFile) -> dict[str, Any]:
    """Return what a result says of the file."""
    found.rejects.rows.sort(key=lambda reject: reject[0])
    return {
        "read": found.read,
        "rejected": len(found.rejects),
        "examples": [(line, why) for line, why, _ in found.rejects.rows[:EXAMPLES]],
        "ignored_columns": found.source.header.ignored,
    }


def _apply(
    connection: apsw.Connection,
    found: ContactFile,
    absorption: Absorption,
    size: int,
    progress: Progress,
) -> tuple[int, int, int]:
    """Apply the rows; return how many were added, how many changed, and how many are valid.

    size: bytes of the file.
    """
    added = changed = valid = 0
    for lines, rows in found.batches():
        entries, refused = valid_entries("contacts", rows)
        applied = contacts.apply(connection, entries, absorption)
        found.refuse(lines, [*refused, *applied.refused])
        added += applied.contacts_added
        changed += applied.changed - applied.contacts_added
        valid += len(entries) - len(applied.refused)
        progress("contacts", min(found.source.position(), size), size)
    return added, changed, valid
