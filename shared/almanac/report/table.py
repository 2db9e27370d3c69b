"""A table of the report, for the page and for its CSV file."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass, replace

Cell = str | int | float | None  # float: a percentage or seconds, with one decimal
Row = tuple[Cell, ...]

OTHER = "other types"

# A spreadsheet takes a text that begins with one of these for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


@dataclass(frozen=True)
class ReportColumn:
    """A column of texts, of numbers, or of percentages that the page also draws as bars."""

    label: str
    number: bool = False
    share: bool = False


@dataclass(frozen=True)
class ReportTable:
    """Columns and rows. by_type: the position of the first column that belongs to an email type."""

    name: str  # of the CSV file, without its suffix
    title: str
    columns: tuple[ReportColumn, ...]
    rows: list[Row]
    by_type: int | None = None

    def narrowed(self, most: int) -> ReportTable:
        """Return the table with at most `most` columns by type, the last the sum of the others."""
        if self.by_type is None or len(self.columns) - self.by_type <= most:
            return self
        kept = self.by_type + most - 1
        rest = len(self.columns) - kept
        return replace(
            self,
            columns=(*self.columns[:kept], ReportColumn(f"{rest} {OTHER}", number=True)),
            rows=[(*row[:kept], _sum(row[kept:])) for row in self.rows],
        )


def table_by_type(
    name: str, title: str, columns: tuple[ReportColumn, ...], types: list[str], rows: Iterable[Row]
) -> ReportTable:
    """Return a table with the columns, and after them one for each of the types."""
    by_type = tuple(ReportColumn(each or "(no type)", number=True) for each in types)
    return ReportTable(name, title, (*columns, *by_type), list(rows), by_type=len(columns))


def to_csv(table: ReportTable) -> bytes:
    """Return the table as CSV (RFC 4180, UTF-8, with a header).

    A text that a spreadsheet would take for a formula is prefixed with an apostrophe.
    """
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(harmless(column.label) for column in table.columns)
    writer.writerows([harmless(cell) for cell in row] for row in table.rows)
    return out.getvalue().encode(errors="replace")


def harmless(cell: Cell) -> Cell:
    """Return a cell of CSV with an apostrophe where a spreadsheet would take it for a formula."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell


def _sum(cells: Row) -> int | None:
    """Return the sum of the counts, None if it is 0."""
    return sum(cell for cell in cells if isinstance(cell, int)) or None
