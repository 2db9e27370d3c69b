"""A CSV file of targets, batch by batch, whatever program wrote it and however long it is.

A row is known by the line on which it begins, the header's being 1.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import BinaryIO

from almanac.csv_input import REJECT_COLUMNS, SEPARATORS
from almanac.errors import InputError

CONTACT, EMAIL, TRIGGER = "contact_id", "email", "trigger_date"
BATCH_ROWS = 50_000

_KNOWN = (CONTACT, EMAIL, TRIGGER, *REJECT_COLUMNS)  # rejects that were mended may come back
_EXPECTED = f"{CONTACT} or {EMAIL}, and {TRIGGER} if there is one"
_OTHER_FORMATS = {
    b"\xff\xfe": "UTF-16; save it as CSV in UTF-8",
    b"\xfe\xff": "UTF-16; save it as CSV in UTF-8",
    b"PK\x03\x04": "a workbook or an archive; save the sheet as CSV in UTF-8",
    b"\xd0\xcf\x11\xe0": "a workbook; save the sheet as CSV in UTF-8",
    b"\x1f\x8b": "compressed; unpack it first",
}


@dataclass
class Batch:
    """Some rows, column by column; `bad` are those of which nothing can be made."""

    lines: list[int] = field(default_factory=list)
    contacts: list[str] = field(default_factory=list)  # ids or addresses, as they are
    triggers: list[str] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)  # whole
    bad: list[tuple[int, str, str, list[str]]] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.lines) + len(self.bad)


class TargetFile:
    """A CSV file that is read once; InputError for what has no header of ours."""

    def __init__(self, stream: BinaryIO, name: str) -> None:
        self.name = name
        self._stream = stream
        start = stream.read(4)
        stream.seek(0)
        for mark, words in _OTHER_FORMATS.items():
            if start.startswith(mark):
                raise InputError(f"{name}: {words}")
        # kept, since the stream would be closed with it
        self._text = io.TextIOWrapper(stream, "utf-8-sig", "surrogateescape", newline="")
        first = self._text.readline()
        if not first.strip():
            raise InputError(f"{name}: line 1: expected a header with {_EXPECTED}; found nothing")
        separator = max(SEPARATORS, key=first.count)
        self._reader = csv.reader(chain([first], self._text), delimiter=separator)
        self.columns = self._header()
        self.by_email = EMAIL in self.columns

    def batches(self) -> Iterator[Batch]:
        """All rows that are not empty, in order."""
        reader, width = self._reader, len(self.columns)
        contact = self.columns.index(EMAIL if self.by_email else CONTACT)
        trigger = self.columns.index(TRIGGER) if TRIGGER in self.columns else None
        batch = Batch()
        line = reader.line_num + 1
        try:
            for row in reader:
                if len(row) == width:
                    batch.lines.append(line)
                    batch.contacts.append(row[contact])
                    batch.triggers.append("" if trigger is None else row[trigger])
                    batch.rows.append(row)
                elif row:
                    why = f"{len(row)} cells where the header has {width}"
                    batch.bad.append((line, "not as many cells as the header", why, row))
                line = reader.line_num + 1
                if len(batch) >= BATCH_ROWS:
                    yield batch
                    batch = Batch()
        except csv.Error as error:
            raise InputError(
                f"{self.name}: line {line}: not CSV from here on, perhaps for a quote that is not "
                f"closed ({error})"
            ) from None
        yield batch

    def position(self) -> int:
        """Bytes that have been read."""
        return self._stream.tell()

    def _header(self) -> list[str]:
        try:
            columns = [name.strip().lower() for name in next(self._reader)]
        except csv.Error as error:
            raise InputError(f"{self.name}: line 1: not a header ({error})") from None
        named = {CONTACT, EMAIL} & set(columns)
        unknown = [name for name in columns if name not in _KNOWN]
        if not named:
            found = ", ".join(columns)[:80]
            raise InputError(
                f"{self.name}: line 1: expected a header with {_EXPECTED}; found {found!r}"
            )
        if len(named) > 1:
            raise InputError(f"{self.name}: has both {CONTACT} and {EMAIL}; expected one of them")
        if unknown:
            raise InputError(
                f"{self.name}: unknown column {', '.join(map(repr, unknown))[:80]}; "
                f"expected {_EXPECTED}"
            )
        twice = [name for name in columns if columns.count(name) > 1]
        if twice:
            raise InputError(f"{self.name}: the column {twice[0]} is there more than once")
        return columns
