"""Rebuild email_schedules without UNIQUE constraints that forbid two campaigns in a year.

A constraint in CREATE TABLE cannot be dropped: the table is created again without it, in the
caller's transaction. Rows, ids, triggers, other indexes and statistics stay as they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import apsw

from almanac.database.catalog import TableInfo, describe, quoted, records, scalar
from almanac.database.indexes import index_columns, indexes_of
from almanac.database.schema import EMAIL_SCHEDULES, FORBIDDEN_UNIQUE
from almanac.errors import DatabaseError

_NEW = "almanac_email_schedules"
_TOKEN = re.compile(
    r"--[^\n]*|/\*.*?(?:\*/|\Z)|'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|`(?:[^`]|``)*`|\[[^\]]*\]"
    r"|[\w$]+|\s+|.",
    re.DOTALL,
)
_STATISTICS = ("sqlite_stat1", "sqlite_stat4")


class Token(NamedTuple):
    """A word, a quoted name, a text or a sign of an SQL statement."""

    text: str
    start: int
    stop: int


def inline_unique(connection: apsw.Connection) -> list[str]:
    """Return the columns of each constraint for which a run rebuilds email_schedules, in words."""
    table = describe(connection, EMAIL_SCHEDULES.name)
    if table is None or table.kind != "table":
        return []
    return sorted(", ".join(sorted(columns)) for columns in _inline(connection, table.name))


def rebuild(connection: apsw.Connection) -> list[str]:
    """Rebuild the table if it has such a constraint; return what was done, in words.

    Raises DatabaseError if the constraint cannot be taken out of the table's SQL.
    """
    table = describe(connection, EMAIL_SCHEDULES.name)
    if table is None or not (found := _inline(connection, table.name)):
        return []
    sql = scalar(
        connection,
        "SELECT sql FROM main.sqlite_schema WHERE type = 'table' AND name = ?",
        table.name,
    )
    with _tolerant(connection):
        connection.execute(without_unique(str(sql), _NEW))
        if _inline(connection, _NEW):
            names = "; ".join(", ".join(sorted(columns)) for columns in found)
            raise DatabaseError(
                f"table {table.name} is declared UNIQUE ({names}), which forbids two campaigns of "
                "a type in a year and cannot be taken out; rebuild it without that"
            )
        _replace(connection, table)
    return [
        f"rebuilt the table {table.name} without UNIQUE ({', '.join(sorted(columns))})"
        for columns in found
    ]


def without_unique(sql: str, name: str) -> str:
    """Return CREATE TABLE under another name and without the forbidden constraints."""
    tokens = _tokens(sql)
    cuts = [(tokens[2].start, tokens[2].stop, quoted(name))]  # CREATE TABLE name
    depth = 0
    for at, token in enumerate(tokens):
        depth += {"(": 1, ")": -1}.get(token.text, 0)
        if depth == 1 and token.text.upper() == "UNIQUE" and _text(tokens, at + 1) == "(":
            stop = _closing(tokens, at + 1)
            if _columns(tokens[at + 2 : stop]) in FORBIDDEN_UNIQUE:
                cuts.append((*_constraint(tokens, at, stop), ""))
    for start, stop, text in reversed(cuts):
        sql = sql[:start] + text + sql[stop:]
    return sql


def _tokens(sql: str) -> list[Token]:
    found = (Token(m[0], m.start(), m.end()) for m in _TOKEN.finditer(sql))
    return [t for t in found if not t.text.isspace() and not t.text.startswith(("--", "/*"))]


def _text(tokens: list[Token], at: int) -> str:
    return tokens[at].text.upper() if 0 <= at < len(tokens) else ""


def _closing(tokens: list[Token], opening: int) -> int:
    """Return the position of the parenthesis that closes the one at `opening`."""
    depth = 0
    for at in range(opening, len(tokens)):
        depth += {"(": 1, ")": -1}.get(tokens[at].text, 0)
        if depth == 0:
            return at
    return len(tokens) - 1


def _columns(tokens: list[Token]) -> frozenset[str]:
    """Return the names of a constraint's columns, without collation and direction."""
    names, expected = [], True
    for token in tokens:
        if expected:
            names.append(_unquoted(token.text).lower())
        expected = token.text == ","
    return frozenset(names)


def _unquoted(name: str) -> str:
    if name[:1] in ('"', "`", "'"):
        return name[1:-1].replace(name[0] * 2, name[0])
    return name[1:-1] if name[:1] == "[" else name


def _constraint(tokens: list[Token], at: int, stop: int) -> tuple[int, int]:
    """Return where the constraint begins and ends, with its name, conflict clause and comma."""
    first, last = at, stop
    if _text(tokens, at - 2) == "CONSTRAINT":
        first = at - 2
    if _text(tokens, stop + 1) == "ON" and _text(tokens, stop + 2) == "CONFLICT":
        last = stop + 3
    # commas between constraints of a table are optional
    if _text(tokens, first - 1) == "," and _text(tokens, last + 1) in (",", ")"):
        first -= 1
    return tokens[first].start, tokens[last].stop


def _inline(connection: apsw.Connection, table: str) -> list[frozenset[str]]:
    """Return the column sets of the table's forbidden constraints."""
    sets = (
        frozenset(str(c) for c in index_columns(connection, i["name"]))
        for i in indexes_of(connection, table)
        if i["unique"] and i["origin"] == "u"
    )
    return [columns for columns in sets if columns in FORBIDDEN_UNIQUE]


@contextmanager
def _tolerant(connection: apsw.Connection) -> Iterator[None]:
    """Leave views, triggers, references of other tables and odd old rows as they are."""
    pragmas = ("legacy_alter_table", "ignore_check_constraints")
    before = {name: scalar(connection, f"PRAGMA {name}") for name in pragmas}
    for name in pragmas:
        connection.execute(f"PRAGMA {name} = ON")
    try:
        yield
    finally:
        for name, value in before.items():
            connection.execute(f"PRAGMA {name} = {value}")


def _replace(connection: apsw.Connection, table: TableInfo) -> None:
    """Move all rows to the new table, and give it the name, triggers and indexes of the old one."""
    name = quoted(table.name)
    attached = records(
        connection,
        "SELECT type, sql FROM main.sqlite_schema WHERE tbl_name = ? COLLATE NOCASE "
        "AND type IN ('index', 'trigger') AND sql IS NOT NULL ORDER BY type, rowid",
        table.name,
    )
    sequence = _rows_of(connection, "sqlite_sequence", "name", table.name)
    statistics = {each: _rows_of(connection, each, "tbl", table.name) for each in _STATISTICS}
    stored = records(connection, "SELECT name FROM pragma_table_xinfo(?) WHERE hidden = 0", _NEW)
    columns = ", ".join(quoted(str(each["name"])) for each in stored)
    connection.execute(
        f"INSERT INTO main.{_NEW} ({columns}) SELECT {columns} FROM main.{name} NOT INDEXED"
    )
    connection.execute(f"DROP TABLE main.{name}")
    connection.execute(f"ALTER TABLE main.{_NEW} RENAME TO {name}")
    for each in attached:
        connection.execute(each["sql"])
    if sequence:
        connection.execute("DELETE FROM main.sqlite_sequence WHERE name = ?", (table.name,))
    for place, rows in {"sqlite_sequence": sequence, **statistics}.items():
        for row in rows:
            places = ", ".join("?" * len(row))
            connection.execute(f"INSERT INTO main.{place} VALUES ({places})", row)


def _rows_of(
    connection: apsw.Connection, place: str, column: str, table: str
) -> list[tuple[apsw.SQLiteValue, ...]]:
    """Return what SQLite keeps about the table in one of its own tables."""
    if describe(connection, place) is None:
        return []
    sql = f"SELECT * FROM main.{place} WHERE {column} = ? COLLATE NOCASE"
    rows = connection.execute(sql, (table,)).fetchall()
    if place == "sqlite_sequence":
        return rows
    return [row for row in rows if not str(row[1]).startswith("sqlite_autoindex_")]
