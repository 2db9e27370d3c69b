"""The tables and columns of a database file, and the rows of its small tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import apsw

Record = dict[str, Any]
Batch = dict[str, list[Any]]  # records as columns: by name the values of all of them

_AT_ONCE = 500  # rows of a statement


@dataclass(frozen=True)
class TableInfo:
    """A table as it was found, its column names in lower case."""

    name: str
    kind: str  # table, view, virtual or shadow
    columns: dict[str, str]  # name -> declared type
    has_rowid: bool
    rowid_alias: str | None  # the column that is the rowid itself (INTEGER PRIMARY KEY)
    leading: frozenset[str]  # columns that a whole index begins with


def records(connection: apsw.Connection, sql: str, *values: Any) -> list[Record]:
    """Return the rows of a small query as mappings of lower-case column names to raw values."""
    cursor = connection.execute(sql, values)
    names: list[str] = []
    rows = []
    for row in cursor:
        names = names or [column[0].lower() for column in cursor.get_description()]
        rows.append(dict(zip(names, row, strict=True)))
    return rows


def scalar(connection: apsw.Connection, sql: str, *values: Any) -> Any:
    """Return the first value of a query's first row; None without rows."""
    row = connection.execute(sql, values).fetchone()
    return None if row is None else row[0]


def insert_rows(
    connection: apsw.Connection, into: str, rows: Iterable[Sequence[apsw.SQLiteValue]]
) -> None:
    """Insert rows into a table, named with its columns or without.

    In few statements: each may have to wait until another thread gives up Python's lock.
    """
    left = iter(rows)
    while part := list(islice(left, _AT_ONCE)):
        places = f"({', '.join('?' * len(part[0]))})"
        sql = f"INSERT INTO {into} VALUES {', '.join([places] * len(part))}"
        connection.execute(sql, [value for row in part for value in row])


def quoted(name: str) -> str:
    """Return an identifier as SQL."""
    return '"' + name.replace('"', '""') + '"'


def describe(connection: apsw.Connection, name: str) -> TableInfo | None:
    """Return the table or view of that name in any case; None if it does not exist."""
    found = records(
        connection,
        "SELECT name, type, wr FROM pragma_table_list(?) WHERE schema = 'main'",
        name,
    )
    if not found:
        return None
    entry = found[0]
    # hidden 1 is an argument of a virtual table; 2 and 3 are generated columns, which can be read
    columns = records(
        connection,
        "SELECT name, type, pk FROM pragma_table_xinfo(?) WHERE hidden <> 1",
        entry["name"],
    )
    keys = [c for c in columns if c["pk"]]
    has_rowid = entry["type"] == "table" and not entry["wr"]
    indexes = records(
        connection,
        "SELECT list.origin, list.partial, lower(column.name) AS first "
        "FROM pragma_index_list(?) AS list JOIN pragma_index_info(list.name) AS column "
        "WHERE column.seqno = 0",
        entry["name"],
    )
    alias = None
    # a table's only key column is the rowid itself if it needs no index
    if has_rowid and len(keys) == 1 and not any(i["origin"] == "pk" for i in indexes):
        alias = keys[0]["name"].lower() or None
    return TableInfo(
        entry["name"],
        entry["type"],
        {c["name"].lower(): c["type"] for c in columns},
        has_rowid,
        alias,
        frozenset(i["first"] for i in indexes if not i["partial"] and i["first"] is not None),
    )


def as_text(value: bytes | None, encoding: str) -> str:
    """Return a text that came as a blob; '' for NULL, U+FFFD for bytes that are not valid."""
    return "" if value is None else bytes(value).decode(encoding, "replace")


def text_as_blob(value: str) -> str:
    """Return SQL of a value as it is, but of a text its bytes, which may not be valid."""
    return f"CASE WHEN typeof({value}) = 'text' THEN CAST({value} AS BLOB) ELSE {value} END"


def raw_records(
    connection: apsw.Connection,
    table: TableInfo,
    tail: str = "",
    values: Mapping[str, str] | None = None,
) -> list[Record]:
    """Return rows of a small table as mappings of lower-case column names to raw values.

    tail: SQL after the FROM clause. values: SQL of columns that are not read as they are. Text that
    is not valid in the database's encoding gets U+FFFD for what is invalid; a blob is decoded like
    text.
    """
    encoding = scalar(connection, "PRAGMA encoding")
    chosen = {name: quoted(name) for name in table.columns} | dict(values or {})
    names, columns = list(chosen), ", ".join(map(text_as_blob, chosen.values()))
    rows = connection.execute(f"SELECT {columns} FROM main.{quoted(table.name)} {tail}")
    return [
        {
            name: value.decode(encoding, "replace") if isinstance(value, bytes) else value
            for name, value in zip(names, row, strict=True)
        }
        for row in rows
    ]
