"""The number of messages on each day, as far as it can be counted quickly."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import apsw
import pyarrow as pa

from almanac.contact_ranges import EVERYONE
from almanac.database import selects
from almanac.database.catalog import scalar
from almanac.database.indexes import indexed_by, statuses_by_index
from almanac.database.opening import map_errors
from almanac.database.schema import COMMITTED_INDEX, PRE_SCHEDULED, STATUS_INDEX
from almanac.database.selects import OCCUPANCY_SCHEMA
from almanac.database.sql import Columns, columns_of
from almanac.database.tables import Tables
from almanac.schedule_status import Status

DayCounts = Mapping[str, tuple[int, int]]  # by ISO date: rows, and those of effective dates


@dataclass(frozen=True)
class CountedDays:
    """Rows from an ISO date on, by day. Old rate increases are left out where there are any: the
    migration turns them into targets."""

    scheduled: Counter[str]  # PRE_SCHEDULED
    committed: Counter[str]
    committed_dated: Counter[str]  # those of effective dates, in any case, among the committed


def count_days(tables: Tables, since: str, *, legacy: bool) -> CountedDays:
    """Count what can be counted quickly. legacy: whether there are old rate increases."""
    columns = tables.columns("email_schedules")
    by, committed = tables.by(COMMITTED_INDEX), selects.committed(columns)
    dated = f"{committed} AND lower({columns.text('email_type')}) = 'effective_date'"
    # Nearly all rows are PRE_SCHEDULED. All of them can be counted within the index by status.
    return CountedDays(
        _count_by_day(tables, tables.by(STATUS_INDEX), _scheduled(columns, legacy), since),
        _count_by_day(tables, by, committed, since),
        _count_by_day(tables, by, dated, since),
    )


def count_scheduled_dated(tables: Tables, since: str, *, legacy: bool) -> Counter[str]:
    """Count the PRE_SCHEDULED rows of effective dates, their type compared exactly.

    For their type the rows themselves are needed, which is faster in table order than by index, and
    takes several times as long as `count_days`.
    """
    columns = tables.columns("email_schedules")
    scan = "NOT INDEXED" if columns.table is not None and columns.table.kind == "table" else ""
    dated = f"{_scheduled(columns, legacy)} AND {columns.text('email_type')} = 'effective_date'"
    return _count_by_day(tables, scan, dated, since)


def occupancy(
    counted: CountedDays, known: DayCounts, scheduled_dated: Callable[[], Counter[str]]
) -> pa.Table:
    """Return OCCUPANCY_SCHEMA.

    known: PRE_SCHEDULED rows that have been read already. If these are all, they say how many are
    of effective dates; else `scheduled_dated` is asked.
    """
    if counted.scheduled == Counter({day: rows for day, (rows, _) in known.items()}):
        dated = Counter({day: effective for day, (_, effective) in known.items()})
    else:
        dated = scheduled_dated()
    found: list[dict[str, str | int]] = []
    of_both = (counted.scheduled, dated), (counted.committed, counted.committed_dated)
    for whose, (rows, effective) in enumerate(of_both):
        for day, count in rows.items():
            for is_dated, number in ((0, count - effective[day]), (1, effective[day])):
                row = (day, whose, is_dated, number)
                if number:
                    found.append(dict(zip(OCCUPANCY_SCHEMA.names, row, strict=True)))
    return pa.Table.from_pylist(found, OCCUPANCY_SCHEMA)


def _scheduled(columns: Columns, legacy: bool) -> str:
    scheduled = selects.scheduled(columns)
    return f"{scheduled} AND NOT ({selects.legacy(columns)})" if legacy else scheduled


def _count_by_day(tables: Tables, by: str, where: str, since: str) -> Counter[str]:
    columns = tables.columns("email_schedules")
    schema = pa.schema({"day": pa.string(), "count": pa.int64()})
    if columns.table is None or not columns.has("scheduled_send_date"):
        return Counter()
    within, parts = "? < ?", [EVERYONE]
    if columns.table.has_rowid and not by.startswith("INDEXED"):
        within, parts = "rowid BETWEEN ? AND ?", tables.parts("email_schedules")
    counts: Counter[str] = Counter()
    for part in parts:
        rows = tables.read(
            f"SELECT {columns.text('scheduled_send_date')}, count(*) FROM email_schedules {by} "
            f"WHERE {within} AND {where} AND scheduled_send_date >= ? GROUP BY scheduled_send_date",
            (*part, since),
            schema,
        )
        for row in rows.to_pylist():
            counts[row["day"]] += row["count"]
    return counts


class DayOccupancy:
    """Counts of rows by day; each day is counted once, when it is first needed.

    near: whether thousands of pages and single rows can be read quickly, as from a local file. In a
    database of millions of rows the index entries of one day are some megabytes.
    """

    def __init__(self, connection: apsw.Connection, path: Path, *, near: bool) -> None:
        self.near = near
        self._connection = connection
        self._path = path
        self.on = cache(self._on)
        self.effective_dates = cache(self._effective_dates)

    def _on(self, day: str) -> int | None:
        """Return the rows on the ISO date, without skipped ones; None without an index."""
        if not self._by:
            return None
        sql = (
            f"SELECT count(*) FROM email_schedules {self._by} "
            "WHERE status IS CAST(? AS TEXT) AND scheduled_send_date = ?"
        )
        with map_errors(self._path):
            counts = (scalar(self._connection, sql, status, day) for status in self._statuses)
            return sum(map(int, counts))

    def _effective_dates(self, ideal: str, first: str, last: str) -> int | None:
        """Return the number of PRE_SCHEDULED effective_date rows with the ideal date that are on
        the days from first to last; None where counting would take long."""
        if not self._by or not self.near:
            return None
        sql = (
            f"SELECT count(*) FROM email_schedules {self._by} WHERE {PRE_SCHEDULED} "
            "AND scheduled_send_date BETWEEN ? AND ? AND email_type = 'effective_date' "
            "AND ideal_send_date = ?"
        )
        with map_errors(self._path):
            return int(scalar(self._connection, sql, first, last, ideal))

    @cached_property
    def _by(self) -> str:
        with map_errors(self._path):
            columns = columns_of(self._connection, "email_schedules")
            there = columns.has("ideal_send_date")
            return indexed_by(self._connection, STATUS_INDEX) if there else ""

    @cached_property
    def _statuses(self) -> list[bytes | None]:
        """Return all statuses but that of skipped rows; None for no status, texts as blobs."""
        with map_errors(self._path):
            found = statuses_by_index(self._connection, self._by)
        return [status for status in found if status != Status.SKIPPED.encode()]
