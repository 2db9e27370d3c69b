"""A change set as SQL statements or as JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
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
    writers = {name: _Statements(table) for name, table in tables.items()}
    for op in _ORDER:
        for change in _changes(changes, tables):
            if change.op == op:
                file.write(writers[change.name.lower()].of(change))
    file.write("COMMIT;\n")


class _Statements:
    """The statements for the rows of one table."""

    def __init__(self, table: StoredTable) -> None:
        self._name = quoted(table.name)
        self._columns = list(map(quoted, table.recorded))
        self._key = sorted(table.places)
        self._all = ", ".join(self._columns)

    def of(self, change: apsw.TableChange) -> str:
        if change.op == INSERT:
            values = ", ".join(map(apsw.format_sql_value, change.new or ()))
            return f"INSERT INTO {self._name} ({self._all}) VALUES ({values});\n"
        old = change.old or ()
        where = " AND ".join(
            f"{self._columns[n]} = {apsw.format_sql_value(old[n])}" for n in self._key
        )
        if change.op == DELETE:
            return f"DELETE FROM {self._name} WHERE {where};\n"
        changed = ", ".join(
            f"{column} = {apsw.format_sql_value(value)}"
            for column, value in zip(self._columns, change.new or (), strict=True)
            if value is not apsw.no_change
        )
        return f"UPDATE {self._name} SET {changed} WHERE {where};\n"


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
    columns = {name: table.recorded for name, table in tables.items()}
    for change in _changes(changes, tables):
        names = columns[change.name.lower()]
        found = {
            "table": change.name,
            "op": change.op.lower(),
            "old": _object(names, change.old),
            "new": _object(names, change.new),
        }
        file.write(separator + json.dumps(found, ensure_ascii=False))
        separator = ",\n"
    file.write("\n]}\n")


def _changes(changes: bytes, tables: Mapping[str, StoredTable]) -> Iterator[apsw.TableChange]:
    """Yield the changes; raise AlmanacError for a table that has other columns."""
    widths = {name: len(table.recorded) for name, table in tables.items()}
    for change in apsw.Changeset.iter(changes):
        if widths.get(change.name.lower()) != change.column_count:
            raise AlmanacError(f"table {change.name}: its columns are not those of the change set")
        yield change


def _object(names: Sequence[str], row: tuple[Any, ...] | None) -> dict[str, object] | None:
    if row is None:
        return None
    return {
        name: _plain(value)
        for name, value in zip(names, row, strict=True)
        if value is not apsw.no_change
    }


def _plain(value: Any) -> object:
    if isinstance(value, bytes):
        return {"blob": value.hex()}
    if isinstance(value, float) and math.isinf(value):
        return {"real": str(value)}
    return value
