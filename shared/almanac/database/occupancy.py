"""The number of messages on each day, as far as it can be counted quickly."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
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
from almanac.database.sql import columns_of
from almanac.database.tables import Tables
from almanac.schedule_status import Status

DayCounts = Mapping[str, tuple[int, int]]  # by ISO date: rows, and those of effective dates


def count_occupancy(tables: Tables, since: str, known: DayCounts, *, legacy: bool) -> pa.Table:
    """Return OCCUPANCY_SCHEMA: committed and PRE_SCHEDULED rows from the ISO date on, by day.

    The type of a committed row is compared in lower case, that of a PRE_SCHEDULED one exactly.
    known: PRE_SCHEDULED rows that have been read already; if these are all, they say how many are
    of effective dates. legacy: whether there are old rate increases. They are not counted, since
    the migration turns them into targets.
    """
    schema = selects.OCCUPANCY_SCHEMA
    columns = tables.columns("email_schedules")
    if columns.table is None or not columns.has("scheduled_send_date"):
        return schema.empty_table()
    kind = columns.text("email_type")
    exact, lower = f"{kind} = 'effective_date'", f"lower({kind}) = 'effective_date'"
    # Nearly all rows are PRE_SCHEDULED. All of them can be counted within the index by status; for
    # their type the rows themselves are needed, which is faster in table order than by index, and
    # takes several times as long as the rest together.
    scan = "NOT INDEXED" if columns.table.kind == "table" else ""
    scheduled, committed = selects.scheduled(columns), selects.committed(columns)
    if legacy:  # a condition on the type needs the rows as well
        scheduled = f"{scheduled} AND NOT ({selects.legacy(columns)})"
    by_committed = tables.by(COMMITTED_INDEX)
    parts = (
        (0, tables.by(STATUS_INDEX), scheduled, scan, f"{scheduled} AND {exact}"),
        (1, by_committed, committed, by_committed, f"{committed} AND {lower}"),
    )
    found: list[dict[str, str | int]] = []
    known_rows = Counter({day: rows for day, (rows, _) in known.items()})
    for whose, all_by, all_where, dated_by, dated_where in parts:
        counts = _count_by_day(tables, all_by, all_where, since)
        if whose == 0 and counts == known_rows:
            dated = Counter({day: effective for day, (_, effective) in known.items()})
        else:
            dated = _count_by_day(tables, dated_by, dated_where, since)
        for day, count in counts.items():
            for effective, number in ((0, count - dated[day]), (1, dated[day])):
                row = (day, whose, effective, number)
                if number:
                    found.append(dict(zip(schema.names, row, strict=True)))
    return pa.Table.from_pylist(found, schema)


def _count_by_day(tables: Tables, by: str, where: str, since: str) -> Counter[str]:
    columns = tables.columns("email_schedules")
    schema = pa.schema({"day": pa.string(), "count": pa.int64()})
    within, parts = "? < ?", [EVERYONE]
    if columns.table is not None and columns.table.has_rowid and not by.startswith("INDEXED"):
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
