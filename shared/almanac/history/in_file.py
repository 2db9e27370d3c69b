"""A contact's history in a file: what the last Almanac commands did, from what undo keeps."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import apsw

from almanac.database.change_sets.rows import StoredTable, stored_tables
from almanac.database.undo.entries import UndoEntry, entries
from almanac.database.undo.inserts import inserted_ranges
from almanac.database.undo.packing import unpacked
from almanac.errors import RequestError
from almanac.history.model import ContactHistory, HistoryStep
from almanac.history.rows import TABLE, Rows, differences, rows_before, rows_of
from almanac.organizations.agency_database import FileDatabase


def history_in_file(path: Path, contact: int) -> ContactHistory:
    """Return what the commands that undo knows of did to a contact's messages.

    What other programs wrote is in no step. Raises RequestError if there is nothing of the contact,
    DatabaseError, DatabaseBusy.
    """
    with FileDatabase(path).open() as source:
        connection = source.connection
        rows = rows_of(connection, contact)
        messages, steps = len(rows), list[HistoryStep]()
        table = stored_tables(connection).get(TABLE)
        for entry in entries(connection):
            later, gap = rows, entry.refused
            if not gap:
                rows, gap = _before(entry, table, later, contact)
            steps.append(_step(entry, gap, rows, later))
            if gap:
                break  # what was before it cannot be told
    if not messages and not any(each.changes for each in steps):
        raise RequestError(f"{path}: has no message of contact {contact}, and had none")
    return ContactHistory(
        database=str(path),
        contact_id=contact,
        messages=messages,
        first_messages=len(rows),
        first_version=None,
        steps=steps,
    )


def _before(
    entry: UndoEntry, table: StoredTable | None, later: Rows, contact: int
) -> tuple[Rows, str]:
    """Return what the contact's rows were before a command; or they as they are, and why."""
    if table is None or [name.lower() for name in table.key] != ["id"]:
        return later, f"{TABLE} has no key id"
    rows = dict(later)
    for first, last in inserted_ranges(entry.inserts):
        rows = {key: row for key, row in rows.items() if not first <= key <= last}
    try:
        return rows_before(unpacked(entry.changes), table, rows, contact), ""
    except (UnicodeDecodeError, apsw.CorruptError):
        return later, "a text in what it kept is not valid"


def _step(entry: UndoEntry, gap: str, earlier: Rows, later: Rows) -> HistoryStep:
    return HistoryStep(
        by=f"{entry.command} {entry.detail}".strip(),
        at=dt.datetime.fromisoformat(entry.done_at).replace(tzinfo=dt.UTC),
        gap=gap,
        changes=differences(earlier, later),
    )
