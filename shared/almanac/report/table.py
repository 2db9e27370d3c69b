"""A table of the report: what the page shows, and what its CSV file holds."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass, replace

Cell = str | int | float | None  # float: a percentage or seconds, with one decimal
Row = tuple[Cell, ...]

OTHER = "other types"

# What a spreadsheet would take for a formula begins with one of these.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


@dataclass(frozen=True)
class Column:
    """A column: of texts, of numbers, or of percentages that are drawn as well."""

    label: str
    number: bool = False
    share: bool = False


@dataclass(frozen=True)
class Table:
    """Rows under columns; by_type is the first of the columns that there is one of for each email
    type, None without such."""

    name: str  # of the CSV file, without its suffix
    title: str
    columns: tuple[Column, ...]
    rows: list[Row]
    by_type: int | None = None

    def narrowed(self, most: int) -> Table:
        """With no more than `most` columns by type: the last of them adds up the rest."""
        if self.by_type is None or len(self.columns) - self.by_type <= most:
            return self
        kept = self.by_type + most - 1
        rest = len(self.columns) - kept
        return replace(
            self,
            columns=(*self.columns[:kept], Column(f"{rest} {OTHER}", number=True)),
            rows=[(*row[:kept], _sum(row[kept:])) for row in self.rows],
        )


def table_by_type(
    name: str, title: str, columns: tuple[Column, ...], types: list[str], rows: Iterable[Row]
) -> Table:
    """A table with a column for each of the types behind the columns."""
    by_type = tuple(Column(each or "(no type)", number=True) for each in types)
    return Table(name, title, (*columns, *by_type), list(rows), by_type=len(columns))


def to_csv(table: Table) -> bytes:
    """The table as RFC 4180 has it, in UTF-8, with a header.

    A text that a spreadsheet would take for a formula gets an apostrophe in front.
    """
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(_harmless(column.label) for column in table.columns)
    writer.writerows([_harmless(cell) for cell in row] for row in table.rows)
    return out.getvalue().encode(errors="replace")


def _harmless(cell: Cell) -> Cell:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell


def _sum(cells: Row) -> int | None:
    """The sum of counts; None is none."""
    return sum(cell for cell in cells if isinstance(cell, int)) or None
