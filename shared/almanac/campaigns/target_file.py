"""A CSV file of campaign targets, in batches of rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import BinaryIO

from almanac.csv_input.header import ImportColumns
from almanac.csv_input.reader import CsvFile, CsvRow
from almanac.errors import InputError

CONTACT, EMAIL, TRIGGER = "contact_id", "email", "trigger_date"
BATCH_ROWS = 50_000

_COLUMNS = ImportColumns((CONTACT, EMAIL, TRIGGER), one_of=(CONTACT, EMAIL))


class TargetFile(CsvFile):
    """A CSV file with either contact ids or addresses, and perhaps trigger dates."""

    def __init__(self, stream: BinaryIO, name: str, pairs: Sequence[str] = ()) -> None:
        """See `CsvFile`. Raise InputError, too, for a file with both ids and addresses."""
        super().__init__(stream, name, _COLUMNS, pairs)
        places = self.header.places
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

    def batches(self) -> Iterator[list[CsvRow]]:
        """Yield all rows that are not blank, in order, at most BATCH_ROWS at once."""
        rows = self.rows()
        while batch := list(islice(rows, BATCH_ROWS)):
            yield batch

    def contacts(self, rows: Sequence[CsvRow]) -> list[str]:
        """Return the ids or addresses of rows without a problem, as they are in the file."""
        return [row.cells[self._contact] for row in rows]

    def triggers(self, rows: Sequence[CsvRow]) -> list[str]:
        """Return the trigger dates of rows without a problem, as they are; '' for none."""
        at = self._trigger
        return [""] * len(rows) if at is None else [row.cells[at] for row in rows]
