"""Rows of email_schedules and of campaign targets, whomever they are for, in batches."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

import apsw

from almanac.database.catalog import as_text, scalar
from almanac.database.indexes import indexed_by
from almanac.database.schema import STATUS_INDEX
from almanac.database.sql import Columns, columns_of
from almanac.schedule_status import Status

BATCH = 10_000


class MessageRow(NamedTuple):
    """A row of email_schedules; '' for no text, 0 for no id."""

    contact_id: int
    email_type: str
    date: str
    status: str
    skip_reason: str


def skipped_rows(
    connection: apsw.Connection, since: dt.date, reasons: list[str]
) -> Iterator[list[MessageRow]]:
    """Yield the skipped rows of these reasons from a date on, by date, in batches."""
    rows = columns_of(connection, "email_schedules")
    if not rows.has("status", "skip_reason", "scheduled_send_date", "contact_id"):
        return
    names = ", ".join("CAST(? AS TEXT)" for _ in reasons)
    where = f"{_skipped(since)} AND {rows.text('skip_reason')} IN ({names})"
    by = indexed_by(connection, STATUS_INDEX)
    order = "ORDER BY scheduled_send_date, rowid" if by else ""
    yield from _batches(connection, rows, f"{by} WHERE {where} {order}", *map(str.encode, reasons))


def skip_reasons(connection: apsw.Connection, since: dt.date) -> dict[str, int]:
    """Return the number of skipped rows from a date on by reason, the most frequent first."""
    rows = columns_of(connection, "email_schedules")
    if not rows.has("status", "skip_reason", "scheduled_send_date"):
        return {}
    encoding = str(scalar(connection, "PRAGMA encoding"))
    found = connection.execute(
        f"SELECT CAST({rows.text('skip_reason')} AS BLOB), count(*) FROM main.email_schedules "
        f"{indexed_by(connection, STATUS_INDEX)} WHERE {_skipped(since)} "
        "GROUP BY 1 ORDER BY 2 DESC, 1"
    )
    return {as_text(reason, encoding): int(count) for reason, count in found}


def rows_of_campaign(connection: apsw.Connection, instance: int) -> Iterator[list[MessageRow]]:
    """Yield all rows of a campaign instance in table order, in batches; reads the whole table."""
    rows = columns_of(connection, "email_schedules")
    if rows.has("contact_id", "campaign_instance_id"):
        where = f"{rows.whole('campaign_instance_id')} = ?"
        yield from _batches(connection, rows, f"NOT INDEXED WHERE {where}", instance)


def targets_of_campaign(connection: apsw.Connection, instance: int) -> Iterator[list[MessageRow]]:
    """Yield the targets of a campaign instance in table order, in batches: with the trigger date
    as their date, and the status of the target."""
    targets = columns_of(connection, "contact_campaigns")
    if not targets.has("contact_id", "campaign_instance_id"):
        return
    values = (targets.id_or_zero("contact_id"), "x''", _blob(targets, "trigger_date"))
    sql = (
        f"SELECT {', '.join(values)}, {_blob(targets, 'status')}, x'' FROM main.contact_campaigns "
        f"NOT INDEXED WHERE {targets.whole('campaign_instance_id')} = ?"
    )
    yield from _read(connection, sql, instance)


def _skipped(since: dt.date) -> str:
    return f"status = '{Status.SKIPPED}' AND scheduled_send_date >= '{since}'"


def _batches(
    connection: apsw.Connection, rows: Columns, tail: str, *values: bytes | int
) -> Iterator[list[MessageRow]]:
    texts = ("email_type", "scheduled_send_date", "status", "skip_reason")
    select = ", ".join((rows.id_or_zero("contact_id"), *(_blob(rows, name) for name in texts)))
    yield from _read(connection, f"SELECT {select} FROM main.email_schedules {tail}", *values)


def _read(
    connection: apsw.Connection, sql: str, *values: bytes | int
) -> Iterator[list[MessageRow]]:
    encoding = str(scalar(connection, "PRAGMA encoding"))
    found = connection.execute(sql, values)
    while some := list(islice(found, BATCH)):
        yield [
            MessageRow(int(contact), *(as_text(text, encoding) for text in texts))
            for contact, *texts in some
        ]


def _blob(columns: Columns, name: str) -> str:
    return f"CAST({columns.text(name)} AS BLOB)"
