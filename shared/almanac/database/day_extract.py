"""Copy the messages of some days, with all that decides whether they are sent, into a database of
their own.

It is small, and may be changed: what waits for the next run is applied to it.
"""

from __future__ import annotations

from array import array
from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

import apsw

from almanac.config_contacts import ContactColumns
from almanac.database.catalog import TableInfo, as_text, describe, quoted, scalar
from almanac.database.contact_columns import contacts_of
from almanac.database.extract import create_sql
from almanac.database.indexes import indexed_by
from almanac.database.rebuild import lacks_key
from almanac.database.schema import EMAIL_SCHEDULES, PRE_SCHEDULED, STATUS_INDEX
from almanac.database.sending import DELIVERIES, PROCESSING
from almanac.database.sources import Source
from almanac.database.sql import Columns, columns_of

_TO = "extract"
_THREADS = 16
_WHOLE = ("campaign_types", "campaign_instances", "suppressions")
_EMPTY = ("contact_campaigns", "tracking_clicks", "contact_events", "intake_log")
_ROWS, _MARKS = EMAIL_SCHEDULES.name, DELIVERIES.name


class DayExtract:
    """The rows of a sender on some days: planned for them, or claimed for them or earlier ones.

    Besides it has the contacts of these rows, the marks of those that were claimed or retried, the
    campaigns and all suppressions; each table with the columns and types of the database, without
    its constraints, indexes and triggers. A context manager.
    """

    def __init__(
        self, source: Source, settings: ContactColumns, begun: bytes | None = None
    ) -> None:
        """Begin an extract of a database, or go on with one that was begun.

        The database is read through a connection of the extract's own, in the order of its rows.
        """
        self._contacts = contacts_of(source.connection, settings)
        self._connection = apsw.Connection(
            source.uri,
            # for what is attached: the database itself stays as it is
            flags=apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_URI,
        )
        self._connection.execute(f"ATTACH ':memory:' AS {_TO}")
        if begun is not None:
            self._connection.deserialize(_TO, begun)
            return
        names = (*_WHOLE, *_EMPTY, _ROWS, _MARKS, "contacts")
        for table in filter(None, (describe(self._connection, name) for name in names)):
            self._connection.execute(create_sql(table, _TO))
            if table.name.lower() in _WHOLE:
                self._copy(table, "1")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._connection.close()

    def data(self) -> bytes:
        """Return the extract as the bytes of a database."""
        return self._connection.serialize(_TO)

    def add_days(self, first: str, last: str) -> None:
        """Add the rows planned for these ISO dates, and those claimed for the last or earlier."""
        rows = self._rows()
        if not rows.has("contact_id", "status", "scheduled_send_date") or rows.table is None:
            return
        by = indexed_by(self._connection, STATUS_INDEX)
        until = "scheduled_send_date < date(:last, '+1 day')"
        days = {"first": first, "last": last}
        planned = f"{PRE_SCHEDULED} AND scheduled_send_date >= :first AND {until}"
        self._copy(rows.table, planned, days, by)
        if columns_of(self._connection, _MARKS).has("schedule_id", "status"):
            row_id = replace(rows, alias="row").row_id()
            marks = f"main.{_MARKS} AS mark WHERE mark.schedule_id = {row_id} AND mark.{PROCESSING}"
            claimed = f"row.{PROCESSING} AND {until} AND EXISTS (SELECT 1 FROM {marks})"
            self._copy(rows.table, claimed, days, by)
        self._complete(())

    def add_rows(self, ids: Collection[int]) -> None:
        """Add the rows of email_schedules with these ids that the database has."""
        rows = self._rows()
        if not ids or rows.table is None or lacks_key(rows.table):
            return
        self._copy_those(rows.table, "id", ids)
        self._complete(ids)

    def _rows(self) -> Columns:
        return columns_of(self._connection, _ROWS)

    def _copy_those(self, table: TableInfo, key: str, ids: Collection[int]) -> None:
        """Add the rows whose key is one of these numbers, in table order."""
        if ids:  # SQLite takes no empty array
            values = {"ids": apsw.carray(array("q", sorted(ids)))}
            self._copy(table, f"{key} IN (SELECT value FROM carray(:ids))", values)

    def _copy(
        self, table: TableInfo, where: str, values: Mapping[str, Any] | None = None, by: str = ""
    ) -> None:
        chosen = {name: quoted(name) for name in table.columns}
        if table.name.lower() == _ROWS and "id" in chosen and lacks_key(table) and table.has_rowid:
            chosen["id"] = Columns(table).row_id()
        names = ", ".join(map(quoted, chosen))
        order = "ORDER BY rowid" if table.has_rowid and not by else ""
        self._connection.execute(
            f"INSERT OR IGNORE INTO {_TO}.{quoted(table.name)} ({names}) "
            f"SELECT {', '.join(chosen.values())} FROM main.{quoted(table.name)} AS row {by} "
            f"WHERE {where} {order}",
            values or {},
        )

    def _complete(self, marked: Collection[int]) -> None:
        """Add the contacts of the rows, and the marks of those that need them."""
        rows, contacts = self._rows(), self._contacts
        if contacts.table is not None:
            there = self._numbers(f"SELECT {contacts.whole('id')} FROM {_TO}.contacts")
            wanted = self._numbers(f"SELECT {rows.whole('contact_id')} FROM {_TO}.{_ROWS}") - there
            is_one = f"{contacts.whole('id')} IS NOT NULL"
            self._copy_those(contacts.table, f"{is_one} AND {contacts.key('id')}", wanted)
        marks = columns_of(self._connection, _MARKS)
        if marks.table is None or not marks.has("schedule_id", "status"):
            return
        ids = set(marked)
        ids |= self._numbers(f"SELECT {rows.row_id()} FROM {_TO}.{_ROWS} WHERE {PROCESSING}")
        if scalar(self._connection, "SELECT 1 FROM sqlite_schema WHERE name = 'almanac_retries'"):
            ids |= self._numbers(
                f"SELECT schedule_id FROM main.{_MARKS} INDEXED BY almanac_retries "
                f"WHERE status = 'retry' AND schedule_id IN (SELECT id FROM {_TO}.{_ROWS})"
            )
        self._copy_those(marks.table, "schedule_id", ids)

    def _numbers(self, sql: str) -> set[int]:
        return {number for (number,) in self._connection.execute(sql) if number is not None}


def addresses_of_rows(
    source: Source, settings: ContactColumns, ids: Collection[int]
) -> dict[int, str]:
    """Return the addresses of the contacts of rows, trimmed and in lower case, by the rows' ids.

    Rows lie all over a database: several threads read them, so that a store is asked for many of
    them at the same time.
    """
    rows = columns_of(source.connection, _ROWS)
    contacts = contacts_of(source.connection, settings)
    if not ids or rows.table is None or contacts.table is None or lacks_key(rows.table):
        return {}
    ordered = sorted(ids)
    size = -(-len(ordered) // _THREADS)
    parts = [ordered[at : at + size] for at in range(0, len(ordered), size)]
    row, person = replace(rows, alias="row"), replace(contacts, alias="person")
    sql = (
        f"SELECT row.id, CAST({person.text('email')} AS BLOB) FROM carray(?) AS wanted "
        f"CROSS JOIN main.{_ROWS} AS row ON row.id = wanted.value "
        f"CROSS JOIN main.contacts AS person ON {person.key('id')} = {row.whole('contact_id')}"
    )

    def read(part: list[int]) -> list[tuple[Any, ...]]:
        flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
        with closing(apsw.Connection(source.uri, flags=flags)) as connection:
            return connection.execute(sql, (apsw.carray(array("q", part)),)).fetchall()

    encoding = str(scalar(source.connection, "PRAGMA encoding"))
    with ThreadPoolExecutor(_THREADS) as pool:
        found = [pair for pairs in pool.map(read, parts) for pair in pairs]
    return {row_id: as_text(text, encoding).strip().lower() for row_id, text in found}
