"""The rows of email_schedules on a span of days, found by the index of status and date."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice

import apsw

from almanac.config_contacts import ContactColumns
from almanac.database.catalog import Record, as_text, scalar
from almanac.database.contact_reader import ContactReader
from almanac.database.indexes import indexed_by, statuses_by_index
from almanac.database.schema import PRE_SCHEDULED, STATUS_INDEX
from almanac.database.sql import Columns, columns_of
from almanac.schedule_status import PLANNED_STATUSES, Status

_TEXTS = ("email_type", "sms_template", "scheduled_send_date", "scheduled_send_time", "status")
BATCH = 10_000  # rows whose contacts are looked up at once


@dataclass(frozen=True)
class _Part:
    """Rows of one status by index, or all rows: what they are found by."""

    by: str
    where: str
    values: tuple[bytes, ...] = ()


def count_days(
    connection: apsw.Connection, first: dt.date, last: dt.date
) -> Iterator[tuple[str, str, int]]:
    """Yield (ISO date, status, number of rows) from first to last, without skipped rows.

    Reads only the index of status and date where it exists, as after every run.
    """
    rows = _rows(connection)
    if rows is None:
        return
    encoding = str(scalar(connection, "PRAGMA encoding"))
    status = f"CAST({rows.text('status')} AS BLOB)" if rows.has("status") else "x''"
    day = f"substr({rows.text('scheduled_send_date')}, 1, 10)"
    for part in _parts(connection, rows):
        sql = (
            f"SELECT {day}, {status}, count(*) FROM main.email_schedules AS row {part.by} "
            f"WHERE {part.where} AND {_between(first, last)} GROUP BY 1, 2"
        )
        for date, found, count in connection.execute(sql, part.values):
            yield str(date), as_text(found, encoding) or _missing(rows), int(count)


def rows_on(
    connection: apsw.Connection, day: dt.date, settings: ContactColumns, limit: int | None = None
) -> Iterator[Record]:
    """Yield the rows of a day that are not skipped: what is planned, then what the sender owns.

    Within a status they come by date and id, at most `limit`. Keys: id, contact_id,
    campaign_instance_id, campaign_name, the texts of the row, and those of the contact as
    `ContactReader` returns them, with `contact.` before the name (contact.id is None if there is no
    such contact).
    """
    contacts = ContactReader(connection, settings)
    found = islice(_without_contacts(connection, day), limit)
    while batch := list(islice(found, BATCH)):
        people = contacts.with_ids({record["contact_id"] for record in batch})
        for record in batch:
            person = people.get(record["contact_id"], contacts.absent)
            yield record | {f"contact.{name}": value for name, value in person.items()}


def _without_contacts(connection: apsw.Connection, day: dt.date) -> Iterator[Record]:
    rows = _rows(connection)
    if rows is None:
        return
    encoding = str(scalar(connection, "PRAGMA encoding"))
    values, join = _row_values(connection, rows)
    for part in _parts(connection, rows):
        sql = (
            f"SELECT {', '.join(values.values())} FROM main.email_schedules AS row {part.by} "
            f"{join} WHERE {part.where} AND {_between(day, day)} "
            f"{'ORDER BY row.scheduled_send_date, row.rowid' if part.by else ''}"
        )
        for cells in connection.execute(sql, part.values):
            record = dict(zip(values, cells, strict=True))
            for name, value in record.items():
                if isinstance(value, bytes):
                    record[name] = value.decode(encoding, "replace")
            record["status"] = record["status"] or _missing(rows)
            yield record


def _rows(connection: apsw.Connection) -> Columns | None:
    """Return the columns of email_schedules; None if it cannot have rows of a day."""
    rows = columns_of(connection, "email_schedules")
    there = rows.has("contact_id", "scheduled_send_date")
    return replace(rows, alias="row") if there else None


def _missing(rows: Columns) -> str:
    """Return the status of a row without one: the migration adds the column with a default."""
    return "" if rows.has("status") else Status.PRE_SCHEDULED


def _parts(connection: apsw.Connection, rows: Columns) -> list[_Part]:
    """Return the queries that together find all rows but the skipped ones, planned ones first."""
    if not rows.has("status"):
        return [_Part("", "1")]
    by = indexed_by(connection, STATUS_INDEX)
    if not by:
        others = (f"row.status IS NOT '{status}'" for status in PLANNED_STATUSES)
        return [_Part("", f"row.{PRE_SCHEDULED}"), _Part("", " AND ".join(others))]
    parts = [_Part(by, f"row.{PRE_SCHEDULED}")]
    for status in statuses_by_index(connection, by):
        if status is None:
            parts.append(_Part(by, "row.status IS NULL"))
        elif status not in (Status.PRE_SCHEDULED.encode(), Status.SKIPPED.encode()):
            parts.append(_Part(by, "row.status = CAST(? AS TEXT)", (status,)))
    return parts


def _between(first: dt.date, last: dt.date) -> str:
    """Return the condition of dates, possibly with a time behind, from first to last."""
    after = last + dt.timedelta(days=1)
    return f"row.scheduled_send_date >= '{first}' AND row.scheduled_send_date < '{after}'"


def _row_values(connection: apsw.Connection, rows: Columns) -> tuple[dict[str, str], str]:
    """Return SQL of the columns of rows, and the join with the campaign instances."""
    values = {name: f"CAST({rows.text(name)} AS BLOB)" for name in _TEXTS}
    values |= {"id": rows.row_id(), "contact_id": rows.id_or_zero("contact_id")}
    values["campaign_instance_id"] = rows.id_or_zero("campaign_instance_id")
    values["campaign_name"], join = "x''", ""
    instances = columns_of(connection, "campaign_instances")
    if instances.has("id", "instance_name") and rows.has("campaign_instance_id"):
        instances = replace(instances, alias="instance")
        values["campaign_name"] = f"CAST({instances.text('instance_name')} AS BLOB)"
        join = "LEFT JOIN main.campaign_instances AS instance "
        join += "ON instance.id = row.campaign_instance_id"
    return values, join
