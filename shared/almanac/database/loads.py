"""How many messages stand on a day, asked of a database day by day, as far as an index tells it."""

from __future__ import annotations

from functools import cache, cached_property
from pathlib import Path

import apsw

from almanac.database.catalog import describe, scalar
from almanac.database.census import indexed_by
from almanac.database.opening import map_errors
from almanac.database.schema import PRE_SCHEDULED, STATUS_INDEX
from almanac.database.sql import Columns
from almanac.schedule_status import Status


class DayLoads:
    """Counts of rows by day; each is fetched once.

    `near`: whether thousands of pages and single rows can be looked at, as in a local file. Of a
    database of millions the index entries of one day are some megabytes.
    """

    def __init__(self, connection: apsw.Connection, path: Path, *, near: bool) -> None:
        self.near = near
        self._connection = connection
        self._path = path
        self.on = cache(self._on)
        self.effective_dates = cache(self._effective_dates)

    def _on(self, day: str) -> int | None:
        """Rows that stand on the ISO date: all but skipped ones; None where no index tells it."""
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
        """PRE_SCHEDULED effective_date rows with the ideal date that stand on [first, last]; None
        where that would take long."""
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
            columns = Columns(describe(self._connection, "email_schedules"))
            there = columns.has("ideal_send_date")
            return indexed_by(self._connection, STATUS_INDEX) if there else ""

    @cached_property
    def _statuses(self) -> list[bytes | None]:
        """All statuses but that of skipped rows, None for no status; a text may be broken."""
        # the words for a status are few: each is found by one step into the index
        sql = f"""
            WITH RECURSIVE word(status) AS (
                SELECT min(status) FROM email_schedules {self._by} UNION ALL
                SELECT (SELECT min(row.status) FROM email_schedules AS row {self._by}
                    WHERE row.status > word.status)
                FROM word WHERE word.status IS NOT NULL)
            SELECT CAST(status AS BLOB) FROM word WHERE status IS NOT '{Status.SKIPPED}'
        """
        with map_errors(self._path):
            return [row[0] for row in self._connection.execute(sql)]
