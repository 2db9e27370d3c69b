"""Rows of email_schedules that a sender has claimed and a run has changed or removed meanwhile."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import apsw

from almanac.database.catalog import describe, scalar
from almanac.database.refused_rows import check_written, write_rows
from almanac.database.schema import EMAIL_SCHEDULES, IDENTIFIED, PLANNED
from almanac.database.sending import DeliveryRow
from almanac.frames import Ids
from almanac.schedule_status import RETRY, Status

MESSAGE_IDS = ("sendgrid_message_id", "twilio_sms_id")
_UNUSED_IDS = 1 << 32  # ids that other versions may have given since: more than a run adds
_BY_ROW = "INDEXED BY almanac_deliveries WHERE schedule_id = wanted.value"
_SAME = (
    "contact_id = ?1 AND email_type = ?2 AND COALESCE(campaign_instance_id, 0) = ?3 "
    f"AND event_year = ?4 AND event_month = ?5 AND event_day = ?6 AND {PLANNED} AND {IDENTIFIED}"
)


class ClaimedRow(NamedTuple):
    """A row that is to be put back, without its status; names as in the table."""

    id: int
    contact_id: int
    email_type: str
    campaign_instance_id: int | None
    event_year: int
    event_month: int
    event_day: int
    scheduled_send_date: str
    scheduled_send_time: str
    ideal_send_date: str | None
    priority: int
    email_template: str | None
    sms_template: str | None
    metadata: str | None

    @property
    def identity(self) -> tuple[object, ...]:
        instance = self.campaign_instance_id or 0
        event = (self.event_year, self.event_month, self.event_day)
        return (self.contact_id, self.email_type, instance, *event)


def last_id(connection: apsw.Connection) -> int:
    """Return the highest id that a row which was removed can have had."""
    used = scalar(connection, "SELECT max(id) FROM main.email_schedules") or 0
    if describe(connection, "sqlite_sequence") is not None:
        sql = "SELECT max(CAST(seq AS INTEGER)) FROM main.sqlite_sequence WHERE name = ?"
        used = max(used, scalar(connection, sql, EMAIL_SCHEDULES.name) or 0)
    return int(used) + _UNUSED_IDS


def give_back(connection: apsw.Connection, row_id: int, day: str, now: str) -> None:
    """Make a planned row PRE_SCHEDULED on the ISO day of its claim; raises apsw.ConstraintError."""
    connection.execute(
        "UPDATE main.email_schedules SET scheduled_send_date = ?1, "
        f"status = '{Status.PRE_SCHEDULED}', skip_reason = NULL, updated_at = ?3 WHERE id = ?2",
        (day, row_id, now),
    )
    check_written(connection, 1)


def give_day(connection: apsw.Connection, row_id: int, day: str, now: str) -> None:
    """Give a row of the sender the ISO day of its claim; raises apsw.ConstraintError."""
    connection.execute(
        "UPDATE main.email_schedules SET scheduled_send_date = ?1, updated_at = ?3 WHERE id = ?2",
        (day, row_id, now),
    )
    check_written(connection, 1)


def put_back(connection: apsw.Connection, row: ClaimedRow, run: str, now: str) -> list[str]:
    """Insert a row as PRE_SCHEDULED in place of planned rows of the same message.

    Return the statuses of the planned rows that go; raises apsw.ConstraintError. run: what the row
    names as its run.
    """
    sql = f"DELETE FROM main.email_schedules WHERE {_SAME} RETURNING status"
    gone = [str(status) for (status,) in connection.execute(sql, row.identity)]
    more = ("status", "scheduler_run_id", "batch_id", "created_at", "updated_at")
    names = (*ClaimedRow._fields, *more)
    connection.execute(
        f"INSERT INTO main.email_schedules ({', '.join(names)}) "
        f"VALUES ({', '.join('?' * len(names))})",
        (*row, Status.PRE_SCHEDULED, run, run, now, now),
    )
    check_written(connection, 1)
    return gone


def marks_since_retry(connection: apsw.Connection, row_ids: Ids) -> list[DeliveryRow]:
    """Return the marks of rows after the last retry of each, in the order of their arrival."""
    if not len(row_ids):
        return []
    names = ", ".join(DeliveryRow._fields)
    retry = f"SELECT max(id) FROM main.message_deliveries {_BY_ROW} AND status = '{RETRY}'"
    found = connection.execute(
        f"SELECT {names} FROM carray(?) AS wanted CROSS JOIN main.message_deliveries {_BY_ROW} "
        f"AND id > COALESCE(({retry}), 0) ORDER BY id",
        (apsw.carray(row_ids),),
    )
    return [DeliveryRow(*row) for row in found]


def write_message_ids(
    connection: apsw.Connection, ids: Iterable[tuple[str | None, str | None, int]]
) -> None:
    """Set MESSAGE_IDS by (ids of the providers, row); the columns are added if they are missing.

    Raises RowsRefused.
    """
    wanted = [(values[-1], values) for values in ids]
    table = describe(connection, EMAIL_SCHEDULES.name)
    if not wanted or table is None:
        return
    for name in MESSAGE_IDS:
        if name not in table.columns:
            connection.execute(f"ALTER TABLE main.email_schedules ADD COLUMN {name} TEXT")
    values = ", ".join(f"{name} = COALESCE(?, {name})" for name in MESSAGE_IDS)
    sql = f"UPDATE main.email_schedules SET {values} WHERE id = ?"
    write_rows(connection, wanted, lambda given: connection.executemany(sql, given))
