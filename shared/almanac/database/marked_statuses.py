"""Write what marks make of the rows of email_schedules: their status, and when they were sent."""

from __future__ import annotations

from collections.abc import Iterable

import apsw

from almanac.schedule_status import Status

_LATER = "datetime(actual_send_datetime) > datetime(new.at)"


def write_statuses(
    connection: apsw.Connection, changes: Iterable[tuple[int, str, str | None]], now: str
) -> None:
    """Set status and sending time: (row, status, time in the organization's zone or None).

    A row may have several changes, in their order; the earliest time counts. One that is
    PRE_SCHEDULED again has not been sent. Raises apsw.ConstraintError if the table refuses one, or
    a trigger leaves a row as it is.
    """
    last: dict[int, tuple[str, str | None, bool]] = {}  # and whether it was planned in between
    for row_id, status, at in changes:
        _, sent_at, again = last.get(row_id, ("", None, False))
        if status == Status.PRE_SCHEDULED:
            sent_at, again = None, True
        if sent_at is None or (at is not None and at < sent_at):
            sent_at = at
        last[row_id] = (status, sent_at, again)
    # one statement for all rows: each is found and written in the order of the table
    connection.execute(
        "CREATE TEMP TABLE almanac_marked (id INTEGER PRIMARY KEY, status, at, again)"
    )
    connection.executemany(
        "INSERT INTO temp.almanac_marked VALUES (?, ?, ?, ?)",
        ((row_id, *last[row_id]) for row_id in sorted(last)),
    )
    connection.execute(
        "UPDATE main.email_schedules SET status = new.status, updated_at = ?, "
        "actual_send_datetime = CASE WHEN new.again OR actual_send_datetime IS NULL "
        f"OR {_LATER} THEN new.at ELSE actual_send_datetime END "
        # + : from the marks to their rows, not from all rows to the marks
        "FROM temp.almanac_marked AS new WHERE email_schedules.id = +new.id",
        (now,),
    )
    check_written(connection, len(last))
    connection.execute("DROP TABLE temp.almanac_marked")


def write_earlier_times(
    connection: apsw.Connection, times: Iterable[tuple[int, str]], now: str
) -> None:
    """Set the sending time, in the organization's zone, of rows with none or a later one."""
    connection.executemany(
        "UPDATE main.email_schedules SET actual_send_datetime = new.at, updated_at = ?3 "
        "FROM (SELECT ?2 AS at) AS new "
        f"WHERE id = ?1 AND (actual_send_datetime IS NULL OR {_LATER})",
        ((row_id, at, now) for row_id, at in times),
    )


def check_written(connection: apsw.Connection, rows: int) -> None:
    """Raise apsw.ConstraintError if the last statement has written fewer rows."""
    if connection.changes() < rows:
        raise apsw.ConstraintError("a trigger leaves the row as it is")
