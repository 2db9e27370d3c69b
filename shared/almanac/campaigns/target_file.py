"""A CSV file of campaign targets, in batches of rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from almanac.csv_input.header import ImportColumns, plain
from almanac.csv_input.reader import CsvFile, Problem
from almanac.errors import InputError
from almanac.json_text import json_text

CONTACT, EMAIL, TRIGGER = "contact_id", "email", "trigger_date"
BATCH_ROWS = 50_000

COLUMNS = ImportColumns((CONTACT, EMAIL, TRIGGER), one_of=(CONTACT, EMAIL))


def _carried(metadata: Sequence[str]) -> tuple[str, ...]:
    """Return the names of further columns. Raise InputError for those of the import itself."""
    for name in metadata:
        if not name.strip() or plain(name) in map(plain, COLUMNS.names):
            what = f"{name!r} is a column of the import itself" if name.strip() else "no name"
            raise InputError(f"--metadata: {what}; expected another column of the file")
    return tuple(dict.fromkeys(metadata))


@dataclass
class Batch:
    """Some rows in the order of the file, and apart from them those that cannot be read."""

    lines: list[int]
    cells: list[list[str]]
    bad: list[tuple[int, list[str], Problem]]

    def __len__(self) -> int:
        return len(self.lines) + len(self.bad)


class TargetFile(CsvFile):
    """A CSV file with either contact ids or addresses, and perhaps trigger dates."""

    def __init__(
        self, stream: BinaryIO, name: str, pairs: Sequence[str] = (), metadata: Sequence[str] = ()
    ) -> None:
        """See `CsvFile`. metadata: further columns, which the targets carry.

        Raise InputError, too, for a file with both ids and addresses, or without one of these.
        """
        wanted = ImportColumns((*COLUMNS.names, *_carried(metadata)), one_of=COLUMNS.one_of)
        super().__init__(stream, name, wanted, pairs)
        places = self.header.places
        for our in metadata:
            if our not in places:
                found = ", ".join(self.header.columns)[:80]
                raise InputError(f"{name}: --metadata: no column {our!r}; found {found!r}")
        self._metadata = {our: places[our] for our in metadata}
        named = [our for our in (CONTACT, EMAIL) if our in places]
        if len(named) > 1:
            named = [our for our in named if our in self.header.mapped]
        if len(named) != 1:
            raise InputError(
                f"{name}: has both {CONTACT} and {EMAIL}; expected one of them, "
                f"or --map THEIR_NAME={CONTACT} to choose"
            )
        self.by_email = named == [EMAIL]
        self._contact = places[named[0]]
        self._trigger = places.get(TRIGGER)

    def batches(self) -> Iterator[Batch]:
        """Yield all rows that are not blank, at most BATCH_ROWS of each kind at once."""
        batch = Batch([], [], [])
        for line, cells, problem in self.rows():
            if problem is None:
                batch.lines.append(line)
                batch.cells.append(cells)
            else:
                batch.bad.append((line, cells, problem))
            if len(batch.lines) >= BATCH_ROWS or len(batch.bad) >= BATCH_ROWS:
                yield batch
                batch = Batch([], [], [])
        yield batch

    def contacts(self, batch: Batch) -> list[str]:
        """Return the ids or addresses of a batch as they are in the file."""
        return [cells[self._contact] for cells in batch.cells]

    def metadata(self, batch: Batch) -> list[str | None] | None:
        """Return what each target of a batch carries, as a JSON object; None if no column does.

        Empty cells are left out, and the values are texts as in the file: 00501 stays that.
        """
        if not self._metadata:
            return None
        rows = (
            {our: cell for our, at in self._metadata.items() if (cell := cells[at].strip())}
            for cells in batch.cells
        )
        return [json_text(row) if row else None for row in rows]

    def triggers(self, batch: Batch) -> list[str]:
        """Return the trigger dates of a batch as they are in the file; '' for none."""
        at = self._trigger
        return ["" if at is None else cells[at] for cells in batch.cells]
