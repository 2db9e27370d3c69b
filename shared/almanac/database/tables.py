"""Access to the tables of a database that does not change; any may be missing or odd."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from almanac.config_contacts import ContactColumns
from almanac.contact_ranges import EVERYONE, ContactRange, ranges_between
from almanac.database.catalog import Record, records, scalar
from almanac.database.columnar import Value
from almanac.database.contact_columns import contacts_named
from almanac.database.joined import Joined
from almanac.database.keyed import keyed_records
from almanac.database.opening import map_errors
from almanac.database.range_tables import RangeTable
from almanac.database.schema import Index
from almanac.database.selects import Select
from almanac.database.sources import Columnar, Source
from almanac.database.sql import Columns, columns_of
from almanac.errors import DatabaseError
from almanac.frames import Ids

ROWS_AT_ONCE, MOST_PARTS = 100_000, 100  # of a table that is read whole
_BETWEEN = "BETWEEN ? AND ?"
_LISTED = "IN (SELECT value FROM json_each(?))"


class Tables:
    """The tables by name, each read as columns or, if it is small, as records.

    Closes its source, also if it is no database.
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
        self._apart: set[Callable[[Columns], Joined]] = set()  # what is no longer read joined

    def read_through(self, columnar: Columnar) -> None:
        """Read columns through another reader from now on."""
        self._source = replace(self._source, columnar=columnar)

    def close(self) -> None:
        """Close the source."""
        self._source.close()

    def columns(self, table: str) -> Columns:
        """Return the columns of a table, or of none."""
        if table not in self._described:
            with map_errors(self._path):
                self._described[table] = columns_of(self._connection, table)
        return self._described[table]

    def contacts(self, settings: ContactColumns) -> Columns:
        """Return the columns of contacts; raises as `contact_columns.contacts_named`."""
        return contacts_named(self.columns("contacts").table, settings, str(self._path))

    def has_index(self, index: Index) -> bool:
        """Return whether the index exists as we create it; only then a query may force it."""
        return self._sql.get(index.name) == index.create_sql()

    def by(self, index: Index | None) -> str:
        """Return the clause that forces a query to use the index; '' if it does not exist.

        Without statistics SQLite would use the index by status, which has nearly all rows under one
        key.
        """
        return f"INDEXED BY {index.name}" if index is not None and self.has_index(index) else ""

    def read(self, sql: str, values: tuple[Value, ...], schema: pa.Schema) -> pa.Table:
        """Return the rows of a query as a table of the schema."""
        return self._source.columnar.read(sql, values, schema)

    def parts(self, table: str) -> list[ContactRange]:
        """Return the ranges of row ids that are a whole table, of ROWS_AT_ONCE ids or more.

        For statements that read it all: where other programs use the file, each keeps them from
        writing until it is done. A table without row ids has one range.
        """
        found = self.columns(table).table
        if found is None or not found.has_rowid:
            return [EVERYONE]
        first = self.number(f"SELECT COALESCE(min(rowid), 0) FROM {table}")
        last = self.number(f"SELECT COALESCE(max(rowid), 0) FROM {table}")
        size = max(ROWS_AT_ONCE, (last - first) // MOST_PARTS + 1)
        return list(ranges_between([*range(first, last + 1, size), last + 1]))

    def number(self, sql: str, *values: Value) -> int:
        """Return the only value of a query, which runs once: the database does not change."""
        if (sql, values) not in self._numbers:
            with map_errors(self._path):
                self._numbers[sql, values] = int(scalar(self._connection, sql, *values))
        return self._numbers[sql, values]

    def records(self, table: str, tail: str = "") -> list[Record]:
        """Return the rows of a small table, in table order unless `tail` has another."""
        found = self.columns(table).table
        if found is None:
            return []
        order = "ORDER BY rowid" if found.has_rowid else ""
        with map_errors(self._path):
            return keyed_records(self._connection, table, tail or order)

    def read_range(self, what: RangeTable, contacts: ContactRange, since: str = "") -> pa.Table:
        """Return the rows of the contacts, by contact and then by id or in table order.

        since: an ISO date, for rows that are read from a date on. Rows that are read by more than
        one index come in the order of the index within a contact, those with a date in any.
        """
        columns = self.columns(what.table)
        if what.settings is not None:
            columns = self.contacts(what.settings)
        if columns.table is None or not columns.has(what.key, *what.required):
            return what.schema.empty_table()
        if what.since is not None:
            return self._read_recent(what, columns, contacts, since)
        return self._rows(what, columns, _BETWEEN, contacts)

    def read_of(self, what: RangeTable, contacts: Ids) -> pa.Table:
        """Return the rows of single contacts, ascending, in the order of `read_range`."""
        columns = self.columns(what.table)
        if not columns.has(what.key, *what.required):
            return what.schema.empty_table()
        return self._rows(what, columns, _LISTED, (json.dumps(contacts.tolist()),))

    def queries_of_contacts(self, what: RangeTable) -> list[str]:
        """Return the queries of `read_of`, whose rows are in contact order each; none if there is
        no table with rows of contacts."""
        columns = self.columns(what.table)
        if not columns.has(what.key, *what.required):
            return []
        return self._queries(what, columns, what.select(columns), _LISTED)

    def _rows(
        self, what: RangeTable, columns: Columns, chosen: str, values: tuple[Value, ...]
    ) -> pa.Table:
        """Return the rows whose contact is chosen."""
        if what.joined is not None and what.joined not in self._apart:
            found = self._joined_rows(what, columns, what.joined(columns), chosen, values)
            if found is not None:
                return found
            self._apart.add(what.joined)
        queries = self._queries(what, columns, what.select(columns), chosen)
        return _merged([self.read(sql, values, what.schema) for sql in queries], what)

    def _joined_rows(
        self,
        what: RangeTable,
        columns: Columns,
        joined: Joined,
        chosen: str,
        values: tuple[Value, ...],
    ) -> pa.Table | None:
        """Return the same rows, read with some columns joined; None if that cannot be done."""
        # in a column of integers another number fails as a blob does
        key = columns.known_whole(what.key)
        there = "1" if key == columns.raw(what.key) else f"{key} IS NOT NULL"
        queries = self._queries(what, columns, joined.select, chosen, there)
        try:
            parts = [self.read(sql, values, joined.read_schema) for sql in queries]
        except DatabaseError:  # for anything else reading fails without joining as well
            return None
        return joined.apart(_merged(parts, what))

    def _queries(
        self, what: RangeTable, columns: Columns, select: Select, chosen: str, there: str = ""
    ) -> list[str]:
        """Return the queries of the rows whose contact is chosen, one for each index to use.

        there: the condition that a contact's id is a whole number. Rows with an id come in any
        order.
        """
        key = columns.key(what.key)
        where = f"{there or f'{columns.whole(what.key)} IS NOT NULL'} AND {what.where(columns)}"
        parts = [("", f"+({where})" if what.indexes else where)]
        if what.indexes and all(self.has_index(index) for index, _ in what.indexes):
            parts = [(self.by(index), f"{where} AND {more}") for index, more in what.indexes]
        order = ", ".join([key, *_order_within(what, columns)])
        tail = f" ORDER BY {order}"
        if _has_ids(what) or columns.is_rowid(what.key):
            tail = ""
        return [
            f"SELECT {listed(select)} FROM {what.table} {by} "
            f"WHERE {key} {chosen} AND {condition}{tail}"
            for by, condition in parts
        ]

    def _read_recent(
        self, what: RangeTable, columns: Columns, contacts: ContactRange, since: str
    ) -> pa.Table:
        """Return the contacts' rows from the ISO date `since` on.

        Without an index by contact the whole table is read for the first range, and the rows that
        are recent enough are kept for the next ones.
        """
        assert columns.table is not None
        assert what.since is not None
        key = columns.key(what.key)
        sql = (
            f"SELECT {listed(what.select(columns))} FROM {what.table} "
            f"WHERE {_recent(columns.text(what.since))} AND {columns.whole(what.key)} IS NOT NULL "
            f"AND {what.where(columns)}"
        )
        if what.key in columns.table.leading:
            sql = f"{sql} AND {key} BETWEEN ? AND ? ORDER BY {key}"
            return self.read(sql, (since, *contacts), what.schema)
        if (what.table, since) not in self._recent:
            rows = self.read(f"{sql} ORDER BY {key}", (since,), what.schema)
            self._recent[what.table, since] = rows
        rows = self._recent[what.table, since]
        ids = rows.column(what.key).to_numpy()
        start = np.searchsorted(ids, contacts.first, "left")
        return rows.slice(start, np.searchsorted(ids, contacts.last, "right") - start)


def _recent(text: str) -> str:
    """Return the condition that a time is on or after an ISO date; Unix times all are."""
    return f"({text} >= ? OR {text} GLOB '[0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]*')"


def _has_ids(what: RangeTable) -> bool:
    """Return whether rows are of a contact and have an id.

    They are sorted afterwards: SQLite would take whole rows into a sorter for it, and copy them
    once more even where it finds them in order.
    """
    return what.key != "id" and "id" in what.schema.names


def _order_within(what: RangeTable, columns: Columns) -> list[str]:
    """The order of rows with the same key, where SQLite sorts them."""
    has_rowid = columns.table is not None and columns.table.has_rowid
    return ["rowid"] if has_rowid and not columns.is_rowid(what.key) else []


def _merged(parts: list[pa.Table], what: RangeTable) -> pa.Table:
    """Return the rows of the queries for one declaration, in their order."""
    rows = by_contact(parts)
    keys = rows.column(what.key).to_numpy()
    by_id = len(parts) == 1 and _has_ids(what)
    ids = rows.column("id").to_numpy() if by_id else np.arange(len(keys))
    behind = (keys[1:] < keys[:-1]) | ((keys[1:] == keys[:-1]) & (ids[1:] < ids[:-1]))
    return rows.take(pa.array(np.lexsort((ids, keys)))) if behind.any() else rows


def listed(select: Select) -> str:
    """Return the column list of a SELECT; without names, which ORDER BY would refer to."""
    return ", ".join(select.values())


def distinct(table: pa.Table, key: str) -> pa.Table:
    """Return the first of the rows with equal keys, of a table sorted by the key."""
    keys = table.column(key).to_numpy()
    fresh = np.ones(len(keys), np.bool_)
    fresh[1:] = keys[1:] != keys[:-1]
    return table if fresh.all() else table.filter(pa.array(fresh))


def by_contact(parts: list[pa.Table]) -> pa.Table:
    """Merge several tables, each in contact order, into one."""
    filled = [part for part in parts if part.num_rows]
    if len(filled) <= 1:
        return filled[0] if filled else parts[0]
    both = pa.concat_tables(filled).unify_dictionaries()
    order = np.argsort(both.column("contact_id").to_numpy(), kind="stable")
    return pc.take(both, pa.array(order))
