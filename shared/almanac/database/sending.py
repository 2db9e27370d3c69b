"""The rows of email_schedules that a sender takes, and the marks that it reports.

A row with any other status than PRE_SCHEDULED and SKIPPED belongs to the sender: no run changes it.
Its status is the last mark; the marks themselves are in the table `message_deliveries`, since the
other columns of a row belong to the plan.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any, NamedTuple

import apsw
import numpy as np

from almanac.config_contacts import ContactColumns
from almanac.database import selects
from almanac.database.catalog import Batch, as_text, describe, quoted, scalar, text_as_blob
from almanac.database.contact_columns import contacts_of
from almanac.database.indexes import indexed_by
from almanac.database.migrations import complete
from almanac.database.refused_rows import write_rows
from almanac.database.schema import EMAIL_SCHEDULES, PRE_SCHEDULED, STATUS_INDEX, Column, Table
from almanac.database.sql import Columns, columns_of
from almanac.schedule_status import RETRY, Status

DELIVERIES = Table(
    "message_deliveries",
    (
        Column("id", "INTEGER PRIMARY KEY AUTOINCREMENT", ""),
        Column("schedule_id", "INTEGER NOT NULL", "INTEGER"),
        Column("status", "TEXT NOT NULL", "TEXT"),
        Column("at", "DATETIME"),
        Column("message_id", "TEXT"),
        Column("detail", "TEXT"),
        Column("recorded_at", "DATETIME"),
    ),
)
_DELIVERIES_INDEX = (
    "CREATE INDEX IF NOT EXISTS almanac_deliveries ON message_deliveries (schedule_id)"
)
_RETRIES_INDEX = (
    "CREATE INDEX IF NOT EXISTS almanac_retries ON message_deliveries (schedule_id) "
    f"WHERE status = '{RETRY}'"
)

# rows of other senders may have the status processing for ever
PROCESSING = f"status = '{Status.PROCESSING}'"
_CLAIMED = f"SELECT schedule_id FROM main.message_deliveries WHERE {PROCESSING}"

ROW_COLUMNS = (
    "id",
    "contact_id",
    "email_type",
    "campaign_instance_id",
    "email_template",
    "sms_template",
    "scheduled_send_date",
    "scheduled_send_time",
    "priority",
    "event_year",
    "event_month",
    "event_day",
    "ideal_send_date",
    "metadata",
)
_NUMBERS = frozenset(
    column.name for column in EMAIL_SCHEDULES.columns if column.declaration.startswith("INTEGER")
)
_CONTACT_COLUMNS = (
    *("id", "email", "phone_number", "status", "opt_out", "consents"),
    *("state", "zip_code"),
)

CACHE_KIB = 64 << 10  # marks change pages all over the file
_BATCH = 4_000  # rows to send that are handed on together


class DeliveryRow(NamedTuple):
    """A row of message_deliveries; times are UTC."""

    schedule_id: int
    status: str
    at: str
    message_id: str | None
    detail: str | None
    recorded_at: str


def rows_to_send(
    connection: apsw.Connection,
    day: str,
    chosen: Sequence[str],
    settings: ContactColumns,
    *,
    claimed: bool,
) -> Iterator[Batch]:
    """Yield the PRE_SCHEDULED rows of the ISO date, by (time, priority, id), in batches.

    claimed: instead those whose last mark is processing, of the date and of earlier ones. Columns:
    ROW_COLUMNS, campaign_name, and of the contact those that planning reads (contact.id is None if
    there is no such contact) and, as they are, the chosen ones, which must exist (chosen.NAME).
    """
    rows, contacts = columns_of(connection, "email_schedules"), contacts_of(connection, settings)
    if not rows.has("contact_id", "status", "scheduled_send_date"):
        return
    rows = replace(rows, alias="row")
    where = f"row.{PRE_SCHEDULED} AND row.scheduled_send_date >= :day"
    if claimed:
        where = f"row.{PROCESSING} AND row.id IN ({_CLAIMED})"
        if not columns_of(connection, DELIVERIES.name).has("schedule_id", "status"):
            return
    values = {name: _value(rows, name) for name in ROW_COLUMNS} | {"id": rows.row_id()}
    people = _people(contacts, chosen, settings)
    values |= {name: text_as_blob(f"person.{quoted(name)}") for name in people}
    instances = columns_of(connection, "campaign_instances")
    join = ""
    if instances.has("id", "instance_name") and rows.has("campaign_instance_id"):
        values["campaign_name"] = _value(replace(instances, alias="instance"), "instance_name")
        join = "LEFT JOIN main.campaign_instances AS instance "
        join += "ON instance.id = row.campaign_instance_id"
    order = _order(rows)
    if contacts.table is not None and contacts.table.has_rowid:
        people["place"] = "rowid"
        order.append("person.place")
    encoding = str(scalar(connection, "PRAGMA encoding"))
    person = ", ".join(f"{sql} AS {quoted(name)}" for name, sql in people.items())
    # ids that are texts are read once, and SQLite makes an index of them
    stored = "NOT MATERIALIZED" if people["contact.id"] == contacts.raw("id") else "MATERIALIZED"
    found = connection.execute(
        f"WITH person AS {stored} (SELECT {person} FROM main.contacts) "
        f"SELECT {', '.join(values.values())} "
        f"FROM main.email_schedules AS row {indexed_by(connection, STATUS_INDEX)} "
        f'LEFT JOIN person ON person."contact.id" = {rows.whole("contact_id")} {join} '
        f"WHERE {where} AND row.scheduled_send_date < date(:day, '+1 day') "
        f"ORDER BY {', '.join(order)}",
        {"day": day},
    )
    last = None
    while rows_found := list(islice(found, _BATCH)):
        before = [last, *(cells[0] for cells in rows_found)]
        last = before[-1]
        # the same row again is with another contact of the same id: only the first counts
        fresh = [
            cells for cells, other in zip(rows_found, before, strict=False) if cells[0] != other
        ]
        if fresh:
            yield _as_batch(values, fresh, encoding)


def _as_batch(names: Iterable[str], rows: Sequence[tuple[Any, ...]], encoding: str) -> Batch:
    """Return rows as columns, with texts for bytes."""
    batch: Batch = {}
    for name, column in zip(names, zip(*rows, strict=True), strict=True):
        kinds = set(map(type, column))
        if kinds == {bytes}:
            batch[name] = [value.decode(encoding, "replace") for value in column]
        elif bytes in kinds:
            batch[name] = [
                value.decode(encoding, "replace") if isinstance(value, bytes) else value
                for value in column
            ]
        else:
            batch[name] = list(column)
    # a number, where contact_id may be a text
    batch["contact_id"] = [
        own if found is None else found
        for own, found in zip(batch["contact_id"], batch["contact.id"], strict=True)
    ]
    return batch


def _order(rows: Columns) -> list[str]:
    """Return SQL of what rows to send are ordered by."""
    order = ["row.scheduled_send_time"] if rows.has("scheduled_send_time") else []
    order += [rows.key("priority")] if rows.has("priority") else []
    return [*order, "row.id" if rows.is_rowid("id") else rows.row_id()]


def count_before(connection: apsw.Connection, day: str) -> int:
    """Return the number of PRE_SCHEDULED rows dated before the ISO date."""
    if not columns_of(connection, "email_schedules").has("status", "scheduled_send_date"):
        return 0
    by = indexed_by(connection, STATUS_INDEX)
    rows = f"main.email_schedules {by} WHERE {PRE_SCHEDULED}"
    sql = f"SELECT count(*) FROM {rows} AND scheduled_send_date < ?"
    return int(scalar(connection, sql, day))


def contact_columns(connection: apsw.Connection) -> list[str]:
    """Return the names of all columns of contacts, in lower case."""
    table = describe(connection, "contacts")
    return list(table.columns) if table else []


def prepare(connection: apsw.Connection) -> None:
    """Create the table of marks, and add the columns that are missing."""
    connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
    complete(connection, EMAIL_SCHEDULES)
    complete(connection, DELIVERIES)
    connection.execute(_DELIVERIES_INDEX)
    connection.execute(_RETRIES_INDEX)


def recorded(connection: apsw.Connection, row_ids: Iterable[int], status: str) -> dict[int, str]:
    """Return the rows that were ever marked so, with the message id of the last such mark or ''."""
    ids = np.array(sorted(row_ids), np.int64)
    if not len(ids):
        return {}
    found = connection.execute(
        "SELECT value, COALESCE(message_id, '') FROM carray(?) CROSS JOIN main.message_deliveries "
        "INDEXED BY almanac_deliveries ON schedule_id = value WHERE status = ? ORDER BY id",
        (apsw.carray(ids), status),
    )
    return {row_id: str(message) for row_id, message in found}


def write_deliveries(connection: apsw.Connection, deliveries: Iterable[DeliveryRow]) -> None:
    """Add rows to message_deliveries; raises RowsRefused."""
    names = ", ".join(DeliveryRow._fields)
    sql = f"INSERT INTO main.message_deliveries ({names}) VALUES (?, ?, ?, ?, ?, ?)"
    rows = [(each.schedule_id, each) for each in deliveries]
    write_rows(connection, rows, lambda given: connection.executemany(sql, given))


def addresses(
    connection: apsw.Connection, contacts: Iterable[int], settings: ContactColumns
) -> dict[int, str]:
    """Return the e-mail address of each of the contacts that has one."""
    columns = contacts_of(connection, settings)
    encoding = str(scalar(connection, "PRAGMA encoding"))
    sql = (
        f"SELECT CAST({columns.text('email')} AS BLOB) FROM main.contacts "
        f"WHERE {columns.key('id')} = ? AND {columns.whole('id')} IS NOT NULL LIMIT 1"
    )
    found = {c: as_text(scalar(connection, sql, c), encoding).strip() for c in contacts}
    return {contact: address for contact, address in found.items() if address}


def _people(columns: Columns, chosen: Sequence[str], settings: ContactColumns) -> dict[str, str]:
    """Return SQL of the columns of contacts, by the names that `rows_to_send` gives them."""
    found = selects.contact_columns(columns, settings)
    if "INT" in columns.declared("id").upper():
        found["id"] = columns.raw("id")  # so that an index is used
    people = {f"contact.{name}": found[name] for name in _CONTACT_COLUMNS}
    return people | {f"chosen.{name}": quoted(name) for name in chosen}


def _value(columns: Columns, name: str) -> str:
    """Return SQL of a column as it is, a text as its bytes; NULL if it is missing.

    A number is one also where the column is TEXT, as in an imported CSV file.
    """
    if not columns.has(name):
        return "NULL"
    if name in _NUMBERS and "INT" not in columns.declared(name).upper():
        return columns.whole(name)
    return text_as_blob(columns.raw(name))
