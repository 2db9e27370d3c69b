"""Rebuild tables whose declaration is in the way: without UNIQUE constraints that forbid two
campaigns in a year, and with a key of ids.

What is in CREATE TABLE cannot be altered: the table is created again, in the caller's transaction.
Rows, ids, triggers, other indexes and statistics stay as they are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import apsw

from almanac.database.catalog import TableInfo, describe, quoted, records, scalar
from almanac.database.indexes import index_columns, indexes_of
from almanac.database.schema import EMAIL_SCHEDULES, FORBIDDEN_UNIQUE
from almanac.database.sql import Columns
from almanac.database.table_sql import with_id, without_unique
from almanac.errors import DatabaseError
from almanac.plurals import plural

REBUILT = "almanac_new_"  # what the name of a table begins with while it is built again
_STATISTICS = ("sqlite_stat1", "sqlite_stat4")


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
    new = _new_name(table)
    with _tolerant(connection):
        connection.execute(without_unique(_sql_of(connection, table), new))
        if _inline(connection, new):
            names = "; ".join(", ".join(sorted(columns)) for columns in found)
            raise DatabaseError(
                f"table {table.name} is declared UNIQUE ({names}), which forbids two campaigns of "
                "a type in a year and cannot be taken out; rebuild it without that"
            )
        _replace(connection, table, new)
    return [
        f"rebuilt the table {table.name} without UNIQUE ({', '.join(sorted(columns))})"
        for columns in found
    ]


def lacks_key(table: TableInfo) -> bool:
    """Return whether a table of ours has no key of ids, as one that the sqlite3 shell imported."""
    return table.kind == "table" and table.rowid_alias != "id"


def give_key(connection: apsw.Connection, table: TableInfo) -> list[str]:
    """Rebuild a table that `lacks_key` with its ids as the key; return what was done, in words.

    A row keeps its id if that is a whole number above 0 and no earlier row has it; others get new
    ids above all of these (`Columns.row_id`). Raises DatabaseError if the table has another key.
    """
    sql = "SELECT lower(name) FROM pragma_table_xinfo(?) WHERE pk"
    keys = {name for (name,) in connection.execute(sql, (table.name,))}
    if not table.has_rowid or keys - {"id"}:
        named = f"its key is ({', '.join(sorted(keys))})" if keys - {"id"} else "it has no rowid"
        raise DatabaseError(
            f"table {table.name}: its column id is not an INTEGER PRIMARY KEY, so that new rows "
            f"would get no id, and it cannot be rebuilt with one, since {named}"
        )
    columns, new = Columns(table), _new_name(table)
    renewed = int(
        scalar(connection, f"SELECT count(*) FROM {columns.source} WHERE NOT ({columns.keeps_id})")
    )
    with _tolerant(connection):
        connection.execute(with_id(_sql_of(connection, table), new))
        _replace(connection, table, new, {"id": columns.row_id()})
    done = f"rebuilt the table {table.name} with id as INTEGER PRIMARY KEY"
    if renewed and columns.has("id"):
        rows = plural(renewed, "row")
        done += f"; {rows} got a new id, for one that is missing, repeated or not a whole number"
    return [done]


def _new_name(table: TableInfo) -> str:
    return f"{REBUILT}{table.name}"


def _sql_of(connection: apsw.Connection, table: TableInfo) -> str:
    sql = "SELECT sql FROM main.sqlite_schema WHERE type = 'table' AND name = ?"
    return str(scalar(connection, sql, table.name))


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


def _replace(
    connection: apsw.Connection,
    table: TableInfo,
    new: str,
    values: Mapping[str, str] | None = None,
) -> None:
    """Move all rows to the new table, and give it the name, triggers and indexes of the old one.

    values: SQL of columns that are not copied as they are, by name in lower case.
    """
    name = quoted(table.name)
    attached = _attached(connection, table.name)
    stored = records(connection, "SELECT name FROM pragma_table_xinfo(?) WHERE hidden = 0", new)
    names = [str(each["name"]) for each in stored]
    columns = ", ".join(map(quoted, names))
    found = ", ".join((values or {}).get(each.lower(), quoted(each)) for each in names)
    connection.execute(
        f"INSERT INTO main.{quoted(new)} ({columns}) SELECT {found} FROM main.{name} NOT INDEXED"
    )
    connection.execute(f"DROP TABLE main.{name}")
    connection.execute(f"ALTER TABLE main.{quoted(new)} RENAME TO {name}")
    _attach(connection, table.name, attached)


def declare(connection: apsw.Connection, name: str, sql: str) -> None:
    """Give a table an earlier declaration again, with its rows, ids, indexes, triggers, statistics.

    Columns that the declaration lacks go. Raises apsw.ConstraintError if the rows break it.
    """
    attached, moved = _attached(connection, name), quoted(f"{REBUILT}{name}")
    with _tolerant(connection):
        connection.execute(f"ALTER TABLE main.{quoted(name)} RENAME TO {moved}")
        connection.execute(sql)
        table = describe(connection, name)
        assert table is not None
        stored = records(
            connection, "SELECT name FROM pragma_table_xinfo(?) WHERE hidden = 0", name
        )
        columns = ", ".join(quoted(str(each["name"])) for each in stored)
        if table.has_rowid and table.rowid_alias is None:
            columns = f"rowid, {columns}"
        connection.execute(
            f"INSERT INTO main.{quoted(name)} ({columns}) "
            f"SELECT {columns} FROM main.{moved} NOT INDEXED"
        )
        connection.execute(f"DROP TABLE main.{moved}")
        _attach(connection, name, attached)


@dataclass(frozen=True)
class _Attached:
    """What belongs to a table beside its rows."""

    sql: list[str]  # of its indexes and triggers
    rows: dict[str, list[tuple[apsw.SQLiteValue, ...]]]  # what SQLite keeps, by its table


def _attached(connection: apsw.Connection, table: str) -> _Attached:
    found = records(
        connection,
        "SELECT type, sql FROM main.sqlite_schema WHERE tbl_name = ? COLLATE NOCASE "
        "AND type IN ('index', 'trigger') AND sql IS NOT NULL ORDER BY type, rowid",
        table,
    )
    rows = {"sqlite_sequence": _rows_of(connection, "sqlite_sequence", "name", table)}
    rows |= {each: _rows_of(connection, each, "tbl", table) for each in _STATISTICS}
    return _Attached([str(each["sql"]) for each in found], rows)


def _attach(connection: apsw.Connection, table: str, attached: _Attached) -> None:
    for sql in attached.sql:
        connection.execute(sql)
    if attached.rows["sqlite_sequence"]:
        connection.execute("DELETE FROM main.sqlite_sequence WHERE name = ?", (table,))
    for place, rows in attached.rows.items():
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
