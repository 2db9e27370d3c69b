"""SQL that reads a column of any table as one type, or as an empty value if it is missing.

Every expression here has the same type in every row, whatever the user's column holds, and is never
NULL where it is read by columns (`database.columnar`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import apsw

from almanac.database.catalog import TableInfo, describe, quoted

# what Python's str.strip removes
_BLANKS = (
    "char(32,9,10,11,12,13,28,29,30,31,133,160,5760,8192,8193,8194,8195,8196,8197,8198,8199,8200,"
    "8201,8202,8232,8233,8239,8287,12288)"
)
TRUE_WORDS = "('1', '1.0', 'true', 'yes', 't', 'y')"  # in lower case
SEPARATED = "\x1f"
SEPARATOR = f"char({ord(SEPARATED)})"


@dataclass(frozen=True)
class Columns:
    """The columns of a table, which may not exist, by the names that Almanac has for them."""

    table: TableInfo | None
    named: Mapping[str, str] = field(default_factory=dict)  # by our name: the column in its place
    alias: str = ""  # of the table in a query, where it needs one

    def column(self, name: str) -> str:
        """Return the table's own name of a column, in lower case."""
        return self.named.get(name, name)

    def has(self, *names: str) -> bool:
        """Return whether the table exists and has all of the columns."""
        return self.table is not None and all(self.column(n) in self.table.columns for n in names)

    def raw(self, name: str) -> str:
        """Return SQL of a column as it is."""
        column = quoted(self.column(name))
        return f"{self.alias}.{column}" if self.alias else column

    def value(self, name: str) -> str:
        """Return SQL of a column as it is; NULL without it."""
        return self.raw(name) if self.has(name) else "NULL"

    def is_rowid(self, name: str) -> bool:
        """Return whether a column is the table's rowid."""
        return self.table is not None and self.table.rowid_alias == self.column(name)

    def declared(self, name: str) -> str:
        """Return the declared type of a column; '' without the column."""
        return self.table.columns.get(self.column(name), "") if self.table is not None else ""

    def text(self, name: str) -> str:
        """Return SQL of a text; '' for NULL."""
        return f"COALESCE(CAST({self.raw(name)} AS TEXT), '')" if self.has(name) else "''"

    def first_text(self, *names: str) -> str:
        """Return SQL of the first of several text columns that is not blank."""
        there = [name for name in names if self.has(name)]
        choices = [f"WHEN {trimmed(self.text(n))} <> '' THEN {self.text(n)}" for n in there[:-1]]
        last = self.text(there[-1]) if there else "''"
        return f"CASE {' '.join(choices)} ELSE {last} END" if choices else last

    def integer(self, name: str) -> str:
        """Return SQL of a 64-bit integer; 0 for NULL and for what is no number."""
        if self.is_rowid(name):
            return self.raw(name)
        return f"COALESCE(CAST({self.raw(name)} AS INTEGER), 0)" if self.has(name) else "0"

    def id_or_zero(self, name: str) -> str:
        """Return SQL of an id, 0 for what is none."""
        return f"COALESCE({self.whole(name)}, 0)"

    def date_part(self, name: str) -> str:
        """Return SQL of a year, month or day; 0 for what is no integer of at most four digits."""
        if not self.has(name):
            return "0"
        column = self.raw(name)
        test = f"typeof({column}) = 'integer' AND {column} BETWEEN 0 AND 9999"
        if _is_integer(self.declared(name)):
            return f"CASE WHEN {test} THEN {column} ELSE 0 END"
        digits = f"length({column}) BETWEEN 1 AND 4 AND {column} NOT GLOB '*[^0-9]*'"
        text = f"WHEN typeof({column}) = 'text' AND {digits} THEN CAST({column} AS INTEGER)"
        return f"CASE WHEN {test} THEN {column} {text} ELSE 0 END"

    def flag(self, name: str) -> str:
        """Return SQL: 1 for the number 1 and for 1/true/yes/t/y in any case, else 0."""
        if not self.has(name):
            return "0"
        column = self.raw(name)
        text = f"lower({trimmed(self.text(name))})"
        return (
            f"CASE WHEN typeof({column}) IN ('integer', 'real') THEN {column} = 1 "
            f"ELSE {text} IN {TRUE_WORDS} END"
        )

    def whole(self, name: str) -> str:
        """Return SQL of an id: a whole number, or a text that is one; NULL for anything else."""
        if self.table is None or not self.has(name):
            return "NULL"
        column = self.raw(name)
        if self.is_rowid(name):
            return column
        if _is_integer(self.declared(name)):  # SQLite has made integers of such texts
            return f"CASE WHEN typeof({column}) = 'integer' THEN {column} END"
        text = trimmed(f"CAST({column} AS TEXT)")
        short = f"substr({text}, 1, length({text}) - 2)"
        text = f"CASE WHEN {text} GLOB '*.0' THEN {short} ELSE {text} END"
        digits = f"ltrim({text}, '+-')"
        number = f"length({digits}) BETWEEN 1 AND 18 AND {digits} NOT GLOB '*[^0-9]*'"
        return (
            f"CASE typeof({column}) WHEN 'integer' THEN {column} "
            f"WHEN 'real' THEN CASE WHEN {column} = CAST({column} AS INTEGER) "
            f"THEN CAST({column} AS INTEGER) END "
            f"WHEN 'text' THEN CASE WHEN {number} AND length({text}) - length({digits}) <= 1 "
            f"THEN CAST({text} AS INTEGER) END END"
        )

    def known_whole(self, name: str) -> str:
        """Return SQL of the same id in rows of which it is known not to be NULL."""
        return self.raw(name) if _is_integer(self.declared(name)) else self.whole(name)

    @property
    def source(self) -> str:
        """Return SQL of the table, which must exist, whatever is attached."""
        assert self.table is not None
        return f"main.{quoted(self.table.name)}"

    @property
    def keeps_id(self) -> str:
        """Return SQL: whether a row's `id` is a whole number above 0 that no earlier row has."""
        all_rows = replace(self, alias="")
        whole = all_rows.whole("id")
        first = f"SELECT min(rowid) FROM {self.source} WHERE {whole} > 0 GROUP BY {whole}"
        return f"COALESCE({self.whole('id')} > 0 AND {self._rowid} IN ({first}), 0)"

    def row_id(self) -> str:
        """Return SQL of the id of a row of ours: that which it gets if its table lacks a key of ids
        (`database.rebuild`); 0 for NULL."""
        if self.table is None or self.is_rowid("id") or not self.table.has_rowid:
            return self.integer("id")
        if not self.has("id"):
            return self._rowid
        whole = replace(self, alias="").whole("id")
        highest = f"SELECT COALESCE(max({whole}), 0) FROM {self.source} WHERE {whole} > 0"
        new = f"CAST({self._rowid} + ({highest}) AS INTEGER)"
        return f"CASE WHEN {self.keeps_id} THEN {self.whole('id')} ELSE {new} END"

    @property
    def _rowid(self) -> str:
        return f"{self.alias}.rowid" if self.alias else "rowid"

    def all_whole(self, name: str) -> str:
        """Return SQL of a subquery of all usable ids of the table, as `known`; one that a join can
        look up, by the column's own index or by one that SQLite makes."""
        if self.table is None or not self.has(name):
            return "(SELECT NULL AS known WHERE 0)"
        if _is_integer(self.declared(name)):
            column, table = self.raw(name), self.table.name
            return f"(SELECT {column} AS known FROM {table} WHERE typeof({column}) = 'integer')"
        return f"(SELECT DISTINCT {self.whole(name)} AS known FROM {self.table.name})"

    def json_object(self, name: str, path: str = "$") -> str:
        """Return SQL of a JSON object in a text, minified; '' for none and for an empty one."""
        if not self.has(name):
            return "''"
        text = self.text(name)
        value = f"NULLIF(json_extract({text}, '{path}'), '{{}}')"
        is_object = f"json_type({text}, '{path}') = 'object'"
        found = f"COALESCE(CASE WHEN {is_object} THEN {value} END, '')"
        # most rows of others have none, and its text is asked for four times
        none = f"{self.raw(name)} IS NULL OR NOT json_valid({text})"
        return f"CASE WHEN {none} THEN '' ELSE {found} END"

    def key(self, name: str) -> str:
        """Return SQL of a column of ids to compare with integers, so that an index is still used.

        A column of other than numeric affinity may hold 5 as '5', which is not between 1 and 9, so
        it is cast.
        """
        if self.table is None:
            return "0"
        column = self.raw(name)
        return column if _is_numeric(self.declared(name)) else f"CAST({column} AS INTEGER)"


def columns_of(connection: apsw.Connection, table: str) -> Columns:
    """Return the columns of a table, or of none."""
    return Columns(describe(connection, table))


def trimmed(text: str) -> str:
    """Return SQL of a text without white space around it."""
    return f"trim({text}, {_BLANKS})"


def civil_date(text: str) -> str:
    """Return SQL of the date a text begins with, as in `civil.parse_dates`; NULL for no date."""
    date, digits = f"substr({text}, 1, 10)", "-".join("[0-9]" * n for n in (4, 2, 2))
    return (
        # GLOB stops at a NUL
        f"CASE WHEN ({text} GLOB '{digits}' AND instr({text}, char(0)) = 0 "
        f"OR {text} GLOB '{digits}[ T]*') "
        f"AND date({date}) = {date} AND {date} >= '0001' THEN {date} END"
    )


def _is_integer(declared: str) -> bool:
    """Return whether a declared type has integer affinity: SQLite stores texts that are whole
    numbers as such."""
    return "INT" in declared.upper()


def _is_numeric(declared: str) -> bool:
    """Return whether a declared type has numeric affinity, by SQLite's rules in their order."""
    kind = declared.upper()
    others = ("CHAR", "CLOB", "TEXT", "BLOB")
    return "INT" in kind or (kind != "" and not any(word in kind for word in others))
