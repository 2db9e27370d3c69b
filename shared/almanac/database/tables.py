"""Access to the tables of a database that nobody writes to, of which any may be missing or odd."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from almanac.database.catalog import Record, describe, raw_records, records, scalar
from almanac.database.columnar import Value
from almanac.database.opening import map_errors
from almanac.database.schema import Index
from almanac.database.selects import Select
from almanac.database.sources import Columnar, Source
from almanac.database.sql import Columns


class Tables:
    """The tables by name, each read as columns or, where it is small, as records.

    The source is closed with it, or at once where it is no database.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._path, self._connection = source.path, source.connection
        try:
            with map_errors(self._path):
                found = records(self._connection, "SELECT name, sql FROM sqlite_schema")
        except BaseException:
            source.close()
            raise
        self._sql = {entry["name"]: entry["sql"] for entry in found}
        self._described: dict[str, Columns] = {}
        self._recent: dict[tuple[str, str], pa.Table] = {}
        self._numbers: dict[tuple[str, tuple[Value, ...]], int] = {}

    def read_through(self, columnar: Columnar) -> None:
        """Columns are read through another reader from now on."""
        self._source = replace(self._source, columnar=columnar)

    def close(self) -> None:
        """Closes the source."""
        self._source.close()

    def columns(self, table: str) -> Columns:
        """The columns of a table, or of none."""
        if table not in self._described:
            with map_errors(self._path):
                self._described[table] = Columns(describe(self._connection, table))
        return self._described[table]

    def has_index(self, index: Index) -> bool:
        """Whether the index is there as we create it; only then may a query insist on it."""
        return self._sql.get(index.name) == index.create_sql()

    def by(self, index: Index | None) -> str:
        """The clause that makes a query use the index, if it is there.

        Without statistics SQLite would take the index by status, under which nearly all rows are.
        """
        return f"INDEXED BY {index.name}" if index is not None and self.has_index(index) else ""

    def read(self, sql: str, values: tuple[Value, ...], schema: pa.Schema) -> pa.Table:
        """The rows of a query as a table of the schema."""
        return self._source.columnar.read(sql, values, schema)

    def number(self, sql: str, *values: Value) -> int:
        """The only value of a query, which is run once: nobody writes to the database."""
        if (sql, values) not in self._numbers:
            with map_errors(self._path):
                self._numbers[sql, values] = int(scalar(self._connection, sql, *values))
        return self._numbers[sql, values]

    def records(self, table: str, tail: str = "") -> list[Record]:
        """The rows of a small table, in its order unless `tail` says another."""
        found = self.columns(table).table
        if found is None:
            return []
        order = "ORDER BY rowid" if found.has_rowid else ""
        with map_errors(self._path):
            return raw_records(self._connection, found, tail or order)

    def range(
        self,
        table: str,
        select: Select,
        schema: pa.Schema,
        first: int,
        last: int,
        where: str = "1",
        key: str = "contact_id",
        index: Index | None = None,
    ) -> pa.Table:
        """The rows with a key from `first` to `last`, by key and then by id or in table order.

        `index` is one that SQLite must use if it is there.
        """
        columns = self.columns(table)
        if columns.table is None or not columns.has(key):
            return schema.empty_table()
        by = columns.key(key)
        order = [by]
        if key != "id" and columns.has("id"):
            order.append("id")
        elif columns.table.has_rowid and columns.table.rowid_alias != key:
            order.append("rowid")
        return self.read(
            f"SELECT {listed(select)} FROM {table} {self.by(index)} "
            f"WHERE {by} BETWEEN ? AND ? AND {where} ORDER BY {', '.join(order)}",
            (first, last),
            schema,
        )

    def recent(
        self,
        table: str,
        select: Select,
        schema: pa.Schema,
        first: int,
        last: int,
        when: str,
        since: str,
        where: str = "1",
    ) -> pa.Table:
        """The rows of a range whose column `when` is not before the ISO date `since`.

        Without an index by contact the whole table is read for the first range, and what is recent
        enough is kept for the next ones.
        """
        columns = self.columns(table)
        by = columns.key("contact_id")
        sql = f"SELECT {listed(select)} FROM {table} WHERE {columns.text(when)} >= ? AND {where}"
        if columns.table is not None and "contact_id" in columns.table.leading:
            return self.read(
                f"{sql} AND {by} BETWEEN ? AND ? ORDER BY {by}", (since, first, last), schema
            )
        if (table, since) not in self._recent:
            self._recent[table, since] = self.read(f"{sql} ORDER BY {by}", (since,), schema)
        rows = self._recent[table, since]
        ids = rows.column("contact_id").to_numpy()
        start, stop = np.searchsorted(ids, first, "left"), np.searchsorted(ids, last, "right")
        return rows.slice(start, stop - start)


def listed(select: Select) -> str:
    """The column list of a SELECT; without names, since ORDER BY would mean those."""
    return ", ".join(select.values())


def distinct(table: pa.Table, key: str) -> pa.Table:
    """The first of the rows with equal keys, of a table sorted by the key."""
    keys = table.column(key).to_numpy()
    fresh = np.ones(len(keys), np.bool_)
    fresh[1:] = keys[1:] != keys[:-1]
    return table if fresh.all() else table.filter(pa.array(fresh))


def by_contact(parts: list[pa.Table]) -> pa.Table:
    """Several tables, each in contact order, as one."""
    filled = [part for part in parts if part.num_rows]
    if len(filled) <= 1:
        return filled[0] if filled else parts[0]
    both = pa.concat_tables(filled).unify_dictionaries()
    order = np.argsort(both.column("contact_id").to_numpy(), kind="stable")
    return pc.take(both, pa.array(order))
