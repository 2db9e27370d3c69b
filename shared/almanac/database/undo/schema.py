"""What a command changed in a file's schema: recorded, and taken back."""

from __future__ import annotations

import json
import re
from collections.abc import Container, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import NamedTuple

import apsw

from almanac.database.catalog import describe, quoted, records, scalar
from almanac.database.rebuild import declare
from almanac.database.undo.entries import UNDO
from almanac.errors import AlmanacError


class SchemaObject(NamedTuple):
    """A table, index, view or trigger."""

    kind: str
    table: str
    page: int  # on which a table or index begins; another one after it was built again
    sql: str


class RowIds(NamedTuple):
    """The rowids of a table without a key, which VACUUM may give to other rows."""

    rows: int
    total: int
    last: int


@dataclass(frozen=True)
class SchemaChange:
    """What a transaction added and dropped, and what its rows need to be found again."""

    tables: dict[str, str] = field(default_factory=dict)  # SQL of those with changed rows
    rowids: dict[str, tuple[int, int, int]] = field(default_factory=dict)  # of those without a key
    new_tables: list[str] = field(default_factory=list)
    new_columns: list[tuple[str, str]] = field(default_factory=list)
    declared: dict[str, str] = field(default_factory=dict)  # SQL of changed tables before
    new_indexes: list[str] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)  # SQL

    @property
    def changes(self) -> bool:
        """Return whether it changed the schema itself."""
        return bool(self.new_tables or self.declared or self.new_indexes or self.dropped)

    def text(self) -> str:
        """Return it as JSON."""
        return json.dumps(asdict(self))


class NotUndoable(AlmanacError):
    """A change that no change set can express."""


def objects_of(connection: apsw.Connection) -> dict[str, SchemaObject]:
    """Return what the schema has by name, without what SQLite makes and the table of undo."""
    rows = records(connection, "SELECT name, type, tbl_name, rootpage, sql FROM main.sqlite_schema")
    return {
        str(row["name"]): SchemaObject(row["type"], row["tbl_name"], row["rootpage"], row["sql"])
        for row in rows
        if row["sql"] and not str(row["name"]).startswith("sqlite_") and row["name"] != UNDO.name
    }


def columns_by_table(connection: apsw.Connection) -> dict[str, list[str]]:
    """Return the columns of each table."""
    found: dict[str, list[str]] = {}
    sql = (
        "SELECT list.name, column.name FROM pragma_table_list AS list "
        "JOIN pragma_table_xinfo(list.name) AS column "
        "WHERE list.schema = 'main' AND list.type = 'table' ORDER BY column.cid"
    )
    for table, column in connection.execute(sql):
        found.setdefault(str(table), []).append(str(column))
    return found


def schema_change(
    connection: apsw.Connection,
    before: Mapping[str, SchemaObject],
    columns: Mapping[str, list[str]],
    keyed: Container[str],
    changed: Iterable[str],
) -> SchemaChange:
    """Return what differs from `before`.

    keyed: the tables that had ids as their key before. changed: those with changed rows. Raises
    NotUndoable where a table was built again with new ids.
    """
    after, found = objects_of(connection), SchemaChange()
    now = columns_by_table(connection)
    for name, each in after.items():
        old = before.get(name)
        if old is None and each.kind == "table":
            found.new_tables.append(name)
        elif old is None and each.kind == "index":
            found.new_indexes.append(name)
        elif old is not None and each.kind == "table" and old.page != each.page:
            if name not in keyed:
                raise NotUndoable(f"it gave the rows of the table {name} other ids")
            found.declared[name] = old.sql
        elif old is not None and each.kind == "table" and old.sql != each.sql:
            found.declared[name] = old.sql
        if name in found.declared:
            added = [column for column in now[name] if column not in columns[name]]
            found.new_columns.extend((name, column) for column in added)
    gone = (each for name, each in before.items() if name not in after and each.kind == "index")
    found.dropped.extend(each.sql for each in gone)
    touched = {*changed, *found.declared, *found.new_tables}
    for name in sorted(touched & after.keys()):
        found.tables[name] = after[name].sql
        if _without_key(connection, name):
            found.rowids[name] = rowids_of(connection, name)
    return found


def _without_key(connection: apsw.Connection, table: str) -> bool:
    return not scalar(connection, "SELECT count(*) FROM pragma_table_xinfo(?) WHERE pk", table)


def rowids_of(connection: apsw.Connection, table: str, last: int | None = None) -> RowIds:
    """Return number, sum and highest of the rowids, up to `last`."""
    sql = f"SELECT count(*), COALESCE(sum(rowid), 0), COALESCE(max(rowid), 0) FROM {quoted(table)}"
    if last is not None:
        sql += f" WHERE rowid <= {last}"
    for rows, total, highest in connection.execute(sql):
        return RowIds(int(rows), int(total), int(highest))
    raise AssertionError(sql)


def read_change(text: str) -> SchemaChange:
    """Return what `SchemaChange.text` wrote."""
    return SchemaChange(**json.loads(text)) if text else SchemaChange()


def check_schema(connection: apsw.Connection, change: SchemaChange) -> None:
    """Raise AlmanacError if a table is no longer as the command left it."""
    now = objects_of(connection)
    for name, sql in change.tables.items():
        if name not in now:
            raise AlmanacError(f"the schema was changed since: the table {name} is gone")
        if now[name].sql != sql:
            raise AlmanacError(
                f"the schema was changed since: the table {name} was {' '.join(sql.split())}, "
                f"and is {' '.join(now[name].sql.split())}"
            )
    for name, (rows, total, last) in change.rowids.items():
        if rowids_of(connection, name, last)[:2] != (rows, total):
            raise AlmanacError(
                f"the table {name} has no key, and rows were taken away or numbered again since, "
                "so that the changed ones cannot be found"
            )


def undo_schema(connection: apsw.Connection, change: SchemaChange) -> None:
    """Take back what the command added, once its rows are gone, and put back what it dropped.

    Raises AlmanacError where another program has come to use it.
    """
    for index in change.new_indexes:
        connection.execute(f"DROP INDEX IF EXISTS main.{quoted(index)}")
    for table in change.new_tables:
        _drop_table(connection, table)
    for table, column in change.new_columns:
        _require_default(connection, table, column)
    for table, sql in change.declared.items():
        try:
            declare(connection, table, sql)
        except apsw.ConstraintError as error:
            raise AlmanacError(
                f"the table {table} cannot be declared as it was, since others have written rows "
                f"that this forbids: {error}"
            ) from error
    for sql in change.dropped:
        connection.execute(sql)


def _drop_table(connection: apsw.Connection, table: str) -> None:
    """Drop an empty table; an id that it has given is not given again."""
    if rows := scalar(connection, f"SELECT count(*) FROM main.{quoted(table)}"):
        raise AlmanacError(
            f"the table {table}, which the command created, has {rows} rows that others wrote since"
        )
    given = None
    if describe(connection, "sqlite_sequence") is not None:
        sql = "SELECT seq FROM main.sqlite_sequence WHERE name = ?"
        given = scalar(connection, sql, table)
    connection.execute(f"DROP TABLE main.{quoted(table)}")
    if given:
        connection.execute("INSERT INTO main.sqlite_sequence VALUES (?, ?)", (table, given))


def _require_default(connection: apsw.Connection, table: str, column: str) -> None:
    """Raise AlmanacError if a column that the command added has values of others."""
    where = f"{quoted(column)} IS NOT {default_of(connection, table, column)}"
    if rows := scalar(connection, f"SELECT count(*) FROM main.{quoted(table)} WHERE {where}"):
        raise AlmanacError(
            f"the column {table}.{column}, which the command added, has got values in {rows} rows "
            "since"
        )


def default_of(connection: apsw.Connection, table: str, column: str) -> str:
    """Return SQL of a column's default; NULL without one."""
    sql = "SELECT dflt_value FROM pragma_table_xinfo(?) WHERE name = ? COLLATE NOCASE"
    return str(scalar(connection, sql, table, column) or "NULL")


_LITERAL = re.compile(r"NULL|[+-]?[0-9.]+|'[^']*'", re.IGNORECASE)


def is_literal(default: str) -> bool:
    """Return whether a default has the same value whenever a row is written."""
    return _LITERAL.fullmatch(default) is not None
