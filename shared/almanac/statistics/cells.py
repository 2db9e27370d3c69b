"""Counts of groups of an agency's rows, none of them of few contacts.

What a shape holds comes from here, so that no value of a person can be in it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import apsw

from almanac.database.catalog import as_text, scalar
from almanac.database.sql import Columns, columns_of

SMALLEST = 10  # rows; what fewer have in common is not counted
LONGEST = 40  # characters of a value that is a category
_NO_CATEGORY = re.compile(r"@|[0-9]{4}|[\x00-\x1f]")  # an address, a number, a date


class Cells:
    """Counts rows in groups, and leaves out groups of fewer than SMALLEST."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self._encoding = str(scalar(connection, "PRAGMA encoding"))

    def columns(self, table: str) -> Columns:
        """Return the columns of a table, or of none."""
        return columns_of(self._connection, table)

    def groups(self, label: str, rows: str) -> dict[str, int]:
        """Return the rows by label, the most frequent first.

        label: SQL of a text of a few that the caller names, or of a number. rows: SQL after FROM.
        """
        sql = (
            f"SELECT CAST({label} AS BLOB) AS label, count(*) AS rows FROM {rows} "
            f"GROUP BY 1 HAVING rows >= {SMALLEST} ORDER BY rows DESC, label"
        )
        found = self._connection.execute(sql)
        return {as_text(label, self._encoding): int(count) for label, count in found}

    def categories(self, text: str, rows: str) -> dict[str, int]:
        """Return the rows by a text of the agency's own, if it looks like the name of a category.

        text: SQL. A text with an @, four digits in a row or over LONGEST characters is none.
        """
        return {
            label: count
            for label, count in self.groups(text, rows).items()
            if len(label) <= LONGEST and not _NO_CATEGORY.search(label)
        }

    def count(self, rows: str) -> int:
        """Return the number of rows; 0 for fewer than SMALLEST."""
        found = self.all_rows(rows)
        return found if found >= SMALLEST else 0

    def all_rows(self, rows: str) -> int:
        """Return the number of rows, however few: for rows that are of no person."""
        return int(scalar(self._connection, f"SELECT count(*) FROM {rows}"))

    def numbers(self, label: str, rows: str, size: int) -> list[float]:
        """Return the rows whose label is 1, 2 ... size; 0 for fewer than SMALLEST."""
        found = self.groups(label, rows)
        return [float(found.get(str(number), 0)) for number in range(1, size + 1)]


def among(texts: Sequence[str]) -> str:
    """Return SQL of a list of texts of ours."""
    return "(" + ", ".join("'" + text.replace("'", "''") + "'" for text in texts) + ")"
