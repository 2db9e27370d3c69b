"""Tables as an Excel workbook: a sheet each, written row by row."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from math import isfinite
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, assert_never

from almanac.outputs import partial_of
from almanac.report.table import Cell

MOST_ROWS = 1_048_575  # of a sheet, below its header: Excel's limit
EXACT = 10**15  # a spreadsheet keeps 15 digits of a number; a larger one is written as text
WIDEST = 60  # characters of a column
DAY = "yyyy-mm-dd"
CREATED = dt.datetime(2000, 1, 1)  # the same tables give the same bytes

_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_FIRST_DAY = dt.date(1900, 3, 1)  # before it Excel counts a day that there was not
_NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
# a text is never taken for anything else, such as a formula
_OPTIONS = {
    "constant_memory": True,
    "strings_to_formulas": False,
    "strings_to_numbers": False,
    "strings_to_urls": False,
}


@dataclass(frozen=True)
class Sheet:
    """A sheet: its name (at most 28 characters, without []:*?/\\), its columns and its rows."""

    name: str
    columns: Sequence[str]
    rows: Iterable[Sequence[Cell]]


def write_workbook(out: Path, option: str, sheets: Iterable[Sheet]) -> int:
    """Write the sheets to a file, whole or not at all, and return the number of their rows.

    One row is in memory at a time. More rows than a sheet can hold go on in another one. option:
    the option that named the file. Raises as `outputs.partial_of`, and OSError.
    """
    with partial_of(out, option) as partial:
        count = _write(partial, sheets)
        partial.replace(out)
    return count


def _write(path: Path, sheets: Iterable[Sheet]) -> int:
    import xlsxwriter  # half a second: only where a workbook is asked for
    from xlsxwriter.exceptions import FileCreateError

    count = 0
    try:
        with (
            TemporaryDirectory() as folder,
            xlsxwriter.Workbook(str(path), {**_OPTIONS, "tmpdir": folder}) as book,
        ):
            book.set_properties({"created": CREATED})
            bold, day = book.add_format({"bold": True}), book.add_format({"num_format": DAY})
            for sheet in sheets:
                for part, rows in enumerate(_parts(sheet.rows)):
                    name = f"{sheet.name} {part + 1}" if part else sheet.name
                    made = book.add_worksheet(name)
                    count += _write_sheet(made, sheet.columns, rows, (bold, day))
    except FileCreateError as error:
        raise error.args[0] from None
    return count


def _parts(rows: Iterable[Sequence[Cell]]) -> Iterator[Iterable[Sequence[Cell]]]:
    """Yield the rows in parts that a sheet can hold; each is used up before the next."""
    rest = iter(rows)
    yield islice(rest, MOST_ROWS)
    for row in rest:
        yield chain([row], islice(rest, MOST_ROWS - 1))


def _write_sheet(
    sheet: Any, columns: Sequence[str], rows: Iterable[Sequence[Cell]], formats: tuple[Any, Any]
) -> int:
    """Write a header and rows, and return the number of rows."""
    head, day = formats
    widths = [len(label) for label in columns]
    for column, label in enumerate(columns):
        sheet.write_string(0, column, _text(label), head)
    count = 0
    for count, row in enumerate(rows, start=1):
        for column, cell in enumerate(row):
            if cell is not None and cell != "":
                _write_cell(sheet, count, column, cell, day)
                widths[column] = max(widths[column], len(str(cell)))
    for column, width in enumerate(widths):
        sheet.set_column(column, column, min(width, WIDEST) + 2)
    sheet.freeze_panes(1, 0)
    if columns:
        sheet.autofilter(0, 0, count, len(columns) - 1)
    return count


def _write_cell(sheet: Any, row: int, column: int, cell: str | int | float, day: Any) -> None:
    match cell:
        case int() | float():
            if isfinite(cell) and abs(cell) < EXACT:
                sheet.write_number(row, column, cell)
            else:
                sheet.write_string(row, column, str(cell))
        case str():
            if (date := _date(cell)) is not None:
                sheet.write_datetime(row, column, date, day)
            else:
                sheet.write_string(row, column, _text(cell))
        case _:
            assert_never(cell)


def _date(text: str) -> dt.date | None:
    """Return the date that a text is; None if it is another text."""
    if not _DAY.fullmatch(text):
        return None
    try:
        date = dt.date.fromisoformat(text)
    except ValueError:
        return None
    return date if date >= _FIRST_DAY else None


def _text(text: str) -> str:
    """Return a text without the characters that XML does not have."""
    return _NOT_IN_XML.sub("\N{REPLACEMENT CHARACTER}", text)
