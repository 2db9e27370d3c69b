"""Rows of a CSV file that a person made with whatever program, and what becomes of the bad ones.

The encoding (UTF-8, UTF-16, else Windows-1252) and the separator (comma, semicolon, tab or bar) are
found out. A row is known by the line on which it begins, the header's being 1.
"""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from almanac.errors import AlmanacError, InputError
from almanac.outputs import check_out

STDIN = Path("-")
SEPARATORS = ",;\t|"
REJECT_COLUMNS = ("line", "rejected_because")

_MARKS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
_WORKBOOKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")


class CsvRow(NamedTuple):
    """A row as it is in the file; without a problem it has as many cells as the header, or less."""

    line: int
    cells: list[str]
    problem: str = ""


@dataclass(frozen=True)
class CsvFile:
    """A CSV file, read whole; its columns trimmed and in lower case."""

    name: str
    columns: tuple[str, ...]
    _lines: Sequence[str]  # of the whole file
    _above: int  # lines before the first row
    _separator: str

    def rows(self) -> Iterator[CsvRow]:
        """All rows that are not empty, in order; may be asked for again.

        A line from which on nothing is CSV, such as one with a quote that is never closed, is a
        row of its own: those behind it are read.
        """
        read = partial(csv.reader, delimiter=self._separator, strict=True)
        start = self._above
        reader = read(self._behind(start))
        while True:
            line = start + reader.line_num + 1
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                cells = self._lines[line - 1].rstrip("\r\n").split(self._separator)
                yield CsvRow(line, cells, f"not CSV ({error}): is there a quote too many?")
                start, reader = line, read(self._behind(line))
                continue
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) > len(self.columns) and any(cells[len(self.columns) :]):
                many = f"{len(cells)} cells where the header has {len(self.columns)}"
                yield CsvRow(line, cells, f"{many}: is there a separator in one of them?")
            else:
                yield CsvRow(line, cells)

    def _behind(self, line: int) -> Iterator[str]:
        """The lines behind this one."""
        return map(self._lines.__getitem__, range(line, len(self._lines)))

    def picker(self, *names: str) -> Callable[[CsvRow], tuple[str, ...]]:
        """What gives a row's cells under these names, trimmed; '' where there is none."""
        places = [self.columns.index(n) if n in self.columns else len(self.columns) for n in names]

        def pick(row: CsvRow) -> tuple[str, ...]:
            cells, count = row.cells, min(len(row.cells), len(self.columns))
            return tuple([cells[p].strip() if p < count else "" for p in places])

        return pick


@dataclass
class Rejects:
    """Rows that could not be used, each with why."""

    columns: Sequence[str]  # of the file that they are of
    rows: list[tuple[int, str, Sequence[str]]] = field(default_factory=list)

    def add(self, line: int, why: str, cells: Sequence[str]) -> None:
        """One more."""
        self.rows.append((line, why, cells))

    def __len__(self) -> int:
        return len(self.rows)

    def write(self, path: Path) -> None:
        """Write them as CSV, to be mended and given again; nothing is written without any.

        Raises AlmanacError if that fails.
        """
        if not self.rows:
            return
        try:
            with path.open("w", encoding="utf-8", newline="") as file:
                writer = csv.writer(file, lineterminator="\n")
                writer.writerow([*REJECT_COLUMNS, *self.columns])
                writer.writerows([line, why, *cells] for line, why, cells in self.rows)
        except OSError as error:
            raise AlmanacError(
                f"{path}: cannot be written ({error.strerror}); --rejects names another file"
            ) from error


def rejects_path(file: Path, chosen: Path | None) -> Path:
    """Where the rejects of a file go: to the one chosen, else beside it.

    Raises InputError for one that cannot be, that is a database, or the file itself.
    """
    if chosen is not None:
        check_out(chosen, "--rejects")
        if file != STDIN and chosen.resolve() == file.resolve():
            raise InputError(f"--rejects: {chosen}: is the file to read; expected another name")
        return chosen
    return Path("rejects.csv") if file == STDIN else file.with_name(f"{file.name}.rejects.csv")


def read_csv(path: Path, known: Sequence[str]) -> CsvFile:
    """The CSV file at the path (`-`: standard input), which must have a header.

    known: the columns that mean something, of which the file must have one. Raises InputError.
    """
    return csv_of_text(read_text(path), _name(path), known)


def csv_of_text(text: str, name: str, known: Sequence[str]) -> CsvFile:
    """See `read_csv`."""
    lines = list(io.StringIO(text, newline=""))
    header = next((n for n, line in enumerate(lines) if line.strip()), None)
    if header is None:
        raise InputError(f"{name}: empty; expected CSV with a header such as {','.join(known)}")
    separator = max(SEPARATORS, key=lines[header].count)
    reader = csv.reader(islice(lines, header, None), delimiter=separator)
    try:
        columns = [column.strip().lower() for column in next(reader)]
    except csv.Error as error:
        raise InputError(f"{name}: line {header + 1}: not a header of CSV: {error}") from error
    if not set(columns) & set(known):
        found = ", ".join(columns)[:80]
        raise InputError(
            f"{name}: line {header + 1}: expected a header with {', '.join(known)}; found {found}"
        )
    twice = sorted({c for c in columns if c and columns.count(c) > 1})
    if twice:
        raise InputError(f"{name}: the column {twice[0]} is there more than once")
    return CsvFile(name, tuple(columns), lines, header + reader.line_num, separator)


def read_text(path: Path) -> str:
    """The text of a file, or of standard input, whatever its encoding; InputError."""
    name = _name(path)
    try:
        data = sys.stdin.buffer.read() if path == STDIN else path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"{name}: no such file") from None
    except IsADirectoryError:
        raise InputError(f"{name}: a folder; expected a file") from None
    except OSError as error:
        raise InputError(f"{name}: cannot be read ({error.strerror})") from None
    if data.startswith(_WORKBOOKS):
        raise InputError(f"{name}: a workbook or an archive; save the sheet as CSV")
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data.decode(encoding, "replace")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")


def _name(path: Path) -> str:
    return "standard input" if path == STDIN else str(path)
