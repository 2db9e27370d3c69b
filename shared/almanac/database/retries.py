"""Rows of email_schedules that failed, and are to be planned again."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import apsw

from almanac.database.catalog import as_text, scalar
from almanac.database.schema import COMMITTED, IDENTIFIED, PLANNED
from almanac.database.sql import civil_date, columns_of
from almanac.schedule_status import RETRY, Status

_EVENT = ("event_year", "event_month", "event_day")


class RetriedRow(NamedTuple):
    """What a row is about: its identity, and its ideal date ('' for none)."""

    contact_id: int
    email_type: str
    instance: int  # 0 for none
    event_year: int
    event_month: int
    event_day: int
    ideal: str

    @property
    def identity(self) -> tuple[object, ...]:
        """Return what at most one planned row has."""
        return self[:6]


def planned_row(connection: apsw.Connection, row_id: int) -> RetriedRow | None:
    """Return what a row is about. Requires `sending.prepare`."""
    rows = columns_of(connection, "email_schedules")
    encoding = str(scalar(connection, "PRAGMA encoding"))
    numbers = ", ".join(map(rows.integer, ("contact_id", "campaign_instance_id", *_EVENT)))
    texts = f"CAST({rows.text('email_type')} AS BLOB), {civil_date(rows.text('ideal_send_date'))}"
    sql = f"SELECT {numbers}, {texts} FROM main.email_schedules WHERE id = ?"
    for contact, instance, year, month, day, kind, ideal in connection.execute(sql, (row_id,)):
        name = as_text(kind, encoding)
        return RetriedRow(contact, name, instance, year, month, day, ideal or "")
    return None


def twin(connection: apsw.Connection, row_id: int, row: RetriedRow) -> tuple[int, str] | None:
    """Return id and status of another row of the same message that is planned or sent."""
    failed = f"'{Status.FAILED}', '{Status.BOUNCED}'"
    same = (
        "contact_id = :contact AND email_type = :kind "
        "AND CAST(COALESCE(campaign_instance_id, 0) AS INTEGER) = :instance "
        "AND event_year = :year AND event_month = :month AND event_day = :day"
    )
    names = ("contact", "kind", "instance", "year", "month", "day")
    values = dict(zip(names, row.identity, strict=True), id=row_id)
    for where in (f"{PLANNED} AND {IDENTIFIED}", f"{COMMITTED} AND status NOT IN ({failed})"):
        sql = f"SELECT id, status FROM main.email_schedules WHERE {same} AND {where} AND id <> :id"
        for found, status in connection.execute(sql, values):
            return int(found), str(status)
    return None


def retried(connection: apsw.Connection) -> set[int]:
    """Return the rows that were ever planned again."""
    sql = (
        f"SELECT CAST(schedule_id AS INTEGER) FROM main.message_deliveries WHERE status = '{RETRY}'"
    )
    return {row_id for (row_id,) in connection.execute(sql)}


def marks_until_retry(
    connection: apsw.Connection, row_ids: Iterable[int]
) -> set[tuple[int, str, str, str]]:
    """Return (row, status, at, message id) of all marks of rows until they were planned again."""
    sql = (
        "SELECT CAST(schedule_id AS INTEGER), status, at, COALESCE(message_id, '') "
        "FROM main.message_deliveries INDEXED BY almanac_deliveries "
        "WHERE schedule_id = ?1 AND id <= (SELECT max(id) FROM main.message_deliveries "
        f"INDEXED BY almanac_deliveries WHERE schedule_id = ?1 AND status = '{RETRY}')"
    )
    return {tuple(row) for row_id in row_ids for row in connection.execute(sql, (row_id,))}
