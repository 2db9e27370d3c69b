"""Write what marks make of the rows of email_schedules: their status, and when they were sent."""

from __future__ import annotations

from collections.abc import Iterable

import apsw

from almanac.database.refused_rows import check_written, write_rows
from almanac.schedule_status import Status

_LATER = "datetime(actual_send_datetime) > datetime(new.at)"
_SET = (
    "UPDATE main.email_schedules SET status = new.status, updated_at = {now}, "
    "actual_send_datetime = CASE WHEN new.again OR actual_send_datetime IS NULL "
    f"OR {_LATER} THEN new.at ELSE actual_send_datetime END "
)
_SET_ONE = (
    _SET.format(now="?5") + "FROM (SELECT ?2 AS status, ?3 AS at, ?4 AS again) AS new WHERE id = ?1"
)
_Written = tuple[int, str, str | None, bool]  # row, status, at, and whether it was planned again


def write_statuses(
    connection: apsw.Connection, changes: Iterable[tuple[int, str, str | None]], now: str
) -> None:
    """Set status and sending time: (row, status, time in the organization's zone or None).

    A row may have several changes, in their order; the earliest time counts. One that is
    PRE_SCHEDULED again has not been sent. Raises RowsRefused where the table refuses some, or a
    trigger leaves them as they are.
    """
    last: dict[int, tuple[str, str | None, bool]] = {}  # and whether it was planned in between
    for row_id, status, at in changes:
        _, sent_at, again = last.get(row_id, ("", None, False))
        if status == Status.PRE_SCHEDULED:
            sent_at, again = None, True
        if sent_at is None or (at is not None and at < sent_at):
            sent_at = at
        last[row_id] = (status, sent_at, again)

    def write_one(row: _Written) -> None:
        connection.execute(_SET_ONE, (*row, now))
        check_written(connection, 1)

    rows = [(row_id, (row_id, *last[row_id])) for row_id in sorted(last)]
    write_rows(connection, rows, lambda given: _write_all(connection, given, now), write_one)


def _write_all(connection: apsw.Connection, rows: Iterable[_Written], now: str) -> None:
    """Write rows in one statement: each is found and written in the order of the table."""
    connection.execute(
        "CREATE TEMP TABLE almanac_marked (id INTEGER PRIMARY KEY, status, at, again)"
    )
    connection.executemany("INSERT INTO temp.almanac_marked VALUES (?, ?, ?, ?)", rows)
    wanted = connection.execute("SELECT count(*) FROM temp.almanac_marked").get
    # + : from the marks to their rows, not from all rows to the marks
    source = "FROM temp.almanac_marked AS new WHERE email_schedules.id = +new.id"
    connection.execute(_SET.format(now="?") + source, (now,))
    check_written(connection, wanted)
    connection.execute("DROP TABLE temp.almanac_marked")


def write_earlier_times(
    connection: apsw.Connection, times: Iterable[tuple[int, str]], now: str
) -> None:
    """Set the sending time, in the organization's zone, of rows with none or a later one.

    Raises RowsRefused.
    """
    sql = (
        "UPDATE main.email_schedules SET actual_send_datetime = new.at, updated_at = ?3 "
        "FROM (SELECT ?2 AS at) AS new "
        f"WHERE id = ?1 AND (actual_send_datetime IS NULL OR {_LATER})"
    )
    rows = [(row_id, (row_id, at, now)) for row_id, at in times]
    write_rows(connection, rows, lambda given: connection.executemany(sql, given))
