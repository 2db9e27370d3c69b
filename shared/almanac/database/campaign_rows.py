"""The targets and messages of one campaign instance, a page at a time.

No index leads to the rows of an instance. They are read in the order of the table, from a row on,
until a page is full or the time is up.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import apsw
import numpy as np

from almanac.database.catalog import as_text, scalar
from almanac.database.indexes import indexed_by, planned_parts
from almanac.database.schema import COMMITTED, COMMITTED_INDEX
from almanac.database.sql import Columns, columns_of

T = TypeVar("T")

STEP = 50_000  # rows of a table between two looks at the clock


@dataclass(frozen=True)
class TargetRow:
    """A row of contact_campaigns."""

    contact_id: int
    trigger_date: str
    status: str
    metadata: str


@dataclass(frozen=True)
class CampaignMessage:
    """A row of email_schedules that belongs to the instance."""

    contact_id: int
    email_type: str
    status: str
    day: str
    skip_reason: str


@dataclass(frozen=True)
class RowsPage(Generic[T]):
    """Some rows in the order of the table."""

    rows: list[T]
    after: int | None  # the rowid to go on after; None at the end
    share: float  # of the table that has been passed, 0 to 1


def target_page(
    connection: apsw.Connection, instance: int, after: int, most: int, seconds: float
) -> RowsPage[TargetRow]:
    """Return targets of the instance after a rowid."""
    there = columns_of(connection, "contact_campaigns")
    texts = map(there.text, ("trigger_date", "status", "metadata"))
    select = (there.id_or_zero("contact_id"), *texts)
    found = _page(connection, there, select, instance, (after, most, seconds))
    return RowsPage([TargetRow(*row) for row in found.rows], found.after, found.share)


def message_page(
    connection: apsw.Connection, instance: int, after: int, most: int, seconds: float
) -> RowsPage[CampaignMessage]:
    """Return messages of the instance, with its follow-ups, after a rowid."""
    there = columns_of(connection, "email_schedules")
    found = _page(connection, there, _message(there), instance, (after, most, seconds))
    return RowsPage([CampaignMessage(*row) for row in found.rows], found.after, found.share)


def messages_to(
    connection: apsw.Connection, instance: int, contacts: Sequence[int]
) -> list[CampaignMessage] | None:
    """Return the messages of the instance to some contacts; None if no index leads to them."""
    there = columns_of(connection, "email_schedules")
    committed = indexed_by(connection, COMMITTED_INDEX)
    parts = planned_parts(connection)
    if not there.has("contact_id", "campaign_instance_id", "status") or not committed or not parts:
        return None
    ids = np.unique(np.array(contacts, np.int64))
    encoding = str(scalar(connection, "PRAGMA encoding"))
    rows: list[CampaignMessage] = []
    for by, where in [*parts, (committed, COMMITTED)]:
        sql = (
            f"SELECT {_listed(_message(there))} FROM carray(?) AS wanted CROSS JOIN "
            f"email_schedules {by} ON contact_id = +wanted.value "
            f"WHERE {where} AND {there.integer('campaign_instance_id')} = ?"
        )
        found = connection.execute(sql, (apsw.carray(ids), instance))
        rows += [CampaignMessage(*_texts(row, encoding)) for row in found]
    return sorted(rows, key=lambda row: (row.contact_id, row.day, row.email_type))


def _message(there: Columns) -> tuple[str, ...]:
    names = ("email_type", "status", "scheduled_send_date", "skip_reason")
    return (there.id_or_zero("contact_id"), *map(there.text, names))


def _page(
    connection: apsw.Connection,
    there: Columns,
    select: Sequence[str],
    instance: int,
    bounds: tuple[int, int, float],
) -> RowsPage[list[Any]]:
    after, most, seconds = bounds
    if there.table is None or not there.table.has_rowid or not there.has("campaign_instance_id"):
        return RowsPage([], None, 1.0)
    until = time.monotonic() + seconds
    encoding = str(scalar(connection, "PRAGMA encoding"))
    first, last = (
        int(scalar(connection, f"SELECT {which}(rowid) FROM {there.source}") or 0)
        for which in ("min", "max")
    )
    sql = (
        f"SELECT rowid, {_listed(select)} FROM {there.source} WHERE rowid > ? AND rowid <= ? "
        f"AND {there.integer('campaign_instance_id')} = ? ORDER BY rowid LIMIT ?"
    )
    rows: list[list[Any]] = []
    after = max(after, first - 1)
    while after < last and len(rows) < most and time.monotonic() < until:
        end = min(after + STEP, last)
        found = connection.execute(sql, (after, end, instance, most - len(rows))).fetchall()
        rows += [_texts(row[1:], encoding) for row in found]
        after = int(found[-1][0] or 0) if len(rows) == most else end
    share = (after - first + 1) / max(1, last - first + 1)
    return RowsPage(rows, after if after < last else None, share)


def _listed(select: Sequence[str]) -> str:
    """Return SQL of an id and of texts, these as blobs, since apsw refuses invalid text."""
    return ", ".join([select[0], *(f"CAST({text} AS BLOB)" for text in select[1:])])


def _texts(row: Sequence[Any], encoding: str) -> list[Any]:
    return [row[0], *(as_text(octets, encoding) for octets in row[1:])]
