"""A change set as SQL statements or as JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any, TextIO

import apsw

from almanac.database.catalog import quoted
from almanac.database.change_sets.rows import DELETE, INSERT, UPDATE, StoredTable
from almanac.errors import AlmanacError

# Deleted rows make room for what UNIQUE forbids twice, changed ones too.
_ORDER = (DELETE, UPDATE, INSERT)


def write_sql(file: TextIO, changes: bytes, tables: Mapping[str, StoredTable]) -> None:
    """Write a change set as statements of one transaction, which any SQLite takes.

    tables: of a database that has the changes. Unlike a change set they check no old value.
    """
    file.write("BEGIN IMMEDIATE;\nPRAGMA defer_foreign_keys = ON;\n")
    for op in _ORDER:
        for change, table in _changes(changes, tables):
            if change.op == op:
                file.write(f"{_statement(change, table)};\n")
    file.write("COMMIT;\n")


def _statement(change: apsw.TableChange, table: StoredTable) -> str:
    name, columns = quoted(table.name), list(map(quoted, table.recorded))
    if change.op == INSERT:
        values = ", ".join(map(apsw.format_sql_value, change.new or ()))
        return f"INSERT INTO {name} ({', '.join(columns)}) VALUES ({values})"
    pairs = list(zip(columns, change.old or (), strict=True))
    where = " AND ".join(
        f"{column} = {apsw.format_sql_value(value)}"
        for n, (column, value) in enumerate(pairs)
        if n in table.places
    )
    if change.op == DELETE:
        return f"DELETE FROM {name} WHERE {where}"
    changed = ", ".join(
        f"{column} = {apsw.format_sql_value(value)}"
        for column, value in zip(columns, change.new or (), strict=True)
        if value is not apsw.no_change
    )
    return f"UPDATE {name} SET {changed} WHERE {where}"


def write_json(
    file: TextIO, changes: bytes, tables: Mapping[str, StoredTable], head: Mapping[str, object]
) -> None:
    """Write a change set as one JSON object, a change a line.

    `old` has the key and, of what was changed or deleted, the values before; `new` those after. A
    blob is {"blob": hexadecimal}, an infinite number {"real": "inf"} or {"real": "-inf"}.
    """
    file.write(json.dumps(dict(head), default=str)[:-1] + (", " if head else ""))
    file.write('"changes": [')
    separator = "\n"
    for change, table in _changes(changes, tables):
        found = {
            "table": table.name,
            "op": change.op.lower(),
            "old": _object(table, change.old),
            "new": _object(table, change.new),
        }
        file.write(separator + json.dumps(found, ensure_ascii=False))
        separator = ",\n"
    file.write("\n]}\n")


def _changes(
    changes: bytes, tables: Mapping[str, StoredTable]
) -> Iterator[tuple[apsw.TableChange, StoredTable]]:
    for change in apsw.Changeset.iter(changes):
        table = tables.get(change.name.lower())
        if table is None or len(table.recorded) != change.column_count:
            raise AlmanacError(f"table {change.name}: its columns are not those of the change set")
        yield change, table


def _object(table: StoredTable, row: tuple[Any, ...] | None) -> dict[str, object] | None:
    if row is None:
        return None
    return {
        name: _plain(value)
        for name, value in zip(table.recorded, row, strict=True)
        if value is not apsw.no_change
    }


def _plain(value: Any) -> object:
    if isinstance(value, bytes):
        return {"blob": value.hex()}
    if isinstance(value, float) and math.isinf(value):
        return {"real": str(value)}
    return value
