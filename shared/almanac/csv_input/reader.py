"""Rows of a CSV file, one after the other.

A row that cannot be read has a problem, and costs no other row. A row is known by the line on
which it begins; the first line of the file is 1.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import BinaryIO, NamedTuple, TypeVar

from almanac.csv_input.header import Header, ImportColumns, read_header, read_mapping
from almanac.csv_input.text import Lines, is_decoded
from almanac.errors import InputError

T = TypeVar("T")

SEPARATORS = ",;\t|"
MAX_ROWS = 5_000_000  # of imports that hold all rows in memory

NOT_CSV = "not CSV"
WRONG_CELLS = "not as many cells as the header"
NUL = "NUL character"

_SEPARATOR_LINE = re.compile(r'"?sep=(.)"?[,;\t|]*', re.IGNORECASE)  # as Excel writes it


class Problem(NamedTuple):
    """Why a row cannot be read."""

    kind: str  # to count by
    why: str


# line, cells as they are, problem; without a problem it has all cells that the import reads
CsvRow = tuple[int, list[str], Problem | None]


class CsvFile:
    """A CSV file that is read once, row by row: encoding, separator and columns are found."""

    def __init__(
        self, stream: BinaryIO | Lines, name: str, wanted: ImportColumns, pairs: Sequence[str] = ()
    ) -> None:
        """Read the header.

        stream: seekable. name: what messages call the file. pairs: the values of `--map`. Raise
        InputError for a file that has no header with the columns wanted.
        """
        mapping = read_mapping(pairs, wanted)
        self.name = name
        self._wanted = wanted
        self._lines = lines = stream if isinstance(stream, Lines) else Lines(stream)
        try:
            self._separator = self._find_separator()
            cells = next(csv.reader(lines, delimiter=self._separator, strict=True))
        except csv.Error as error:
            raise InputError(f"{name}: line {lines.number}: not a header ({error})") from None
        where = f"{name}: line {lines.number}"
        if "\0" in "".join(cells):
            raise InputError(f"{where}: not text; expected a CSV header with {wanted}")
        lines.accept()
        self.header: Header = read_header(cells, wanted, mapping, where)
        places = self.header.places
        self._places = [places.get(our) for our in wanted.names]
        self._least = max(places.values()) + 1  # cells of a row

    def rows(self) -> Iterator[CsvRow]:
        """Yield all rows that are not blank, in order."""
        lines, width = self._lines, len(self.header.columns)
        intact = lines.encoding.intact
        reader = csv.reader(lines, delimiter=self._separator, strict=True)
        while True:
            try:
                for cells in reader:
                    line = lines.number
                    lines.accept()
                    if not "".join(cells).strip():
                        continue
                    if intact and len(cells) == width:
                        yield line, cells, None
                    else:
                        yield line, cells, self._problem(cells)
                return
            except csv.Error as error:
                line = lines.number
                cells = lines.skip_line().rstrip("\r\n").split(self._separator)
                why = f"not CSV ({error}): is there a quote too many?"
                yield line, cells, Problem(NOT_CSV, why)

    def pick(self, cells: Sequence[str]) -> list[str]:
        """Return a row's cells in the order of the columns wanted, trimmed; '' for none."""
        count = len(cells)
        return [
            "" if place is None or place >= count else cells[place].strip()
            for place in self._places
        ]

    def position(self) -> int:
        """Return how many bytes have been read."""
        return self._lines.position()

    def _problem(self, cells: list[str]) -> Problem | None:
        width = len(self.header.columns)
        many = f"{len(cells)} cells where the header has {width}"
        if len(cells) > width and "".join(cells[width:]).strip():
            return Problem(WRONG_CELLS, f"{many}: is there a separator in one of them?")
        if len(cells) < self._least:
            return Problem(WRONG_CELLS, many)
        if not self._lines.encoding.intact:
            for place in self.header.places.values():
                if "\0" in cells[place]:
                    return Problem(NUL, f"a NUL character in {shown(cells[place])}")
                if not is_decoded(cells[place]):
                    label = self._lines.encoding.label
                    why = f"text that is not {label}; save the file in UTF-8"
                    return Problem(f"not {label}", why)
        return None

    def _find_separator(self) -> str:
        """Return the separator, with the header as the next line. Raise InputError without one."""
        lines = self._lines
        first = lines.peek()
        if declared := _SEPARATOR_LINE.fullmatch(first.rstrip("\r\n")):
            separator = declared[1]
            if separator not in SEPARATORS:
                raise InputError(
                    f"{self.name}: line {lines.number}: sep={separator}: expected a comma, "
                    "a semicolon, a tab or a bar"
                )
            next(lines)
            lines.accept()
            first = lines.peek()
        if not first:
            raise InputError(f"{self.name}: empty; expected a header with {self._wanted}")
        if declared:
            return separator
        unquoted = re.sub(r'"[^"]*"', "", first)
        return max(SEPARATORS, key=unquoted.count)


def at_most(rows: Iterable[T], most: int, name: str) -> Iterator[T]:
    """Yield the rows. Raise InputError if there are more than `most`."""
    for number, row in enumerate(rows):
        if number >= most:
            raise InputError(f"{name}: more than {most:,} rows; split the file")
        yield row


def shown(text: str) -> str:
    """Return a text from a file as messages show it."""
    short = repr(text) if len(text) <= 60 else f"{text[:60]!r}..."
    return f"{short} (is a quote missing?)" if "\n" in text else short
