"""The campaign tables in SQL: counts of targets and messages, and added rows.

Works on tables of any age: a missing table or column counts as empty.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import apsw
import numpy as np
import pyarrow as pa

from almanac.database.catalog import Record, as_text, quoted, scalar
from almanac.database.indexes import planned_parts
from almanac.database.keyed import keyed_records
from almanac.database.migrations import complete
from almanac.database.refused_rows import check_written
from almanac.database.schema import (
    CAMPAIGN_CHANGE_LOG,
    CAMPAIGN_INSTANCES,
    CAMPAIGN_TYPES,
    COMMITTED,
    CONTACT_CAMPAIGNS,
    PLANNED,
)
from almanac.database.sources import Source
from almanac.database.sql import columns_of, trimmed
from almanac.frames import Ids
from almanac.progress import Progress

STEPS = 50  # in which email_schedules is read, with progress after each
_WRITTEN = (CAMPAIGN_TYPES, CAMPAIGN_INSTANCES, CONTACT_CAMPAIGNS, CAMPAIGN_CHANGE_LOG)


@dataclass(frozen=True)
class Messages:
    """A number of rows of email_schedules that are equal in all of this."""

    instance: int  # campaign_instance_id, 0 without
    email_type: str
    status: str
    reason: str
    day: str  # "" unless counted by day
    count: int


def complete_tables(connection: apsw.Connection) -> None:
    """Create what is missing of the campaign tables, as a run's migration would."""
    for table in _WRITTEN:
        complete(connection, table)


def target_counts(connection: apsw.Connection) -> dict[int, dict[str, int]]:
    """Return the number of targets by instance and status (trimmed, in lower case)."""
    there = columns_of(connection, "contact_campaigns")
    counts: dict[int, dict[str, int]] = {}
    if not there.has("campaign_instance_id"):
        return counts
    status = f"CAST(lower({trimmed(there.text('status'))}) AS BLOB)"
    sql = f"SELECT {there.integer('campaign_instance_id')}, {status}, count(*) "
    encoding = str(scalar(connection, "PRAGMA encoding"))
    for instance, octets, count in connection.execute(
        f"{sql} FROM contact_campaigns GROUP BY 1, 2"
    ):
        counts.setdefault(instance, {})[as_text(octets, encoding)] = count
    return counts


def campaign_messages(
    connection: apsw.Connection, since: str, progress: Progress, instance: int | None = None
) -> list[Messages]:
    """Count rows of campaigns and their follow-ups: planned ones from the ISO date on, all others.

    By day only for one instance; rows without an instance may belong to any.
    """
    there = columns_of(connection, "email_schedules")
    if there.table is None or not there.table.has_rowid:
        return []
    if not there.has("email_type", "status", "scheduled_send_date"):
        return []
    kind, of = there.text("email_type"), there.integer("campaign_instance_id")
    mine, day = f"{of} <> 0 OR {kind} LIKE 'campaign%'", "''"
    if instance is not None:
        mine = f"{of} = {int(instance)} OR ({of} = 0 AND {kind} LIKE 'campaign%')"
        day = "substr(scheduled_send_date, 1, 10)"
    texts = ", ".join(
        f"CAST({text} AS BLOB)" for text in (kind, there.text("status"), there.text("skip_reason"))
    )
    sql = (
        f"SELECT {of}, {texts}, CAST({day} AS BLOB), count(*) FROM email_schedules NOT INDEXED "
        f"WHERE rowid BETWEEN ? AND ? AND ({mine}) "
        f"AND ({COMMITTED} OR scheduled_send_date >= ?) GROUP BY 1, 2, 3, 4, 5"
    )
    encoding = str(scalar(connection, "PRAGMA encoding"))
    counts: Counter[tuple[Any, ...]] = Counter()
    # as two queries each is one search
    first, last = (
        int(scalar(connection, f"SELECT {which}(rowid) FROM email_schedules") or 0)
        for which in ("min", "max")
    )
    step = (last - first) // STEPS + 1
    for done in range(STEPS):
        progress("messages", done, STEPS)
        start = first + done * step
        for *key, count in connection.execute(sql, (start, min(start + step - 1, last), since)):
            counts[tuple(key)] += count
    progress("messages", STEPS, STEPS)
    found = []
    for (of, *octets), number in counts.items():
        email_type, status, reason, on = (as_text(each, encoding) for each in octets)
        found.append(Messages(of, email_type, status, reason, on, number))
    return found


def last_changes(connection: apsw.Connection, instance: int, most: int) -> list[Record]:
    """Return the last `most` rows of campaign_change_log of the instance, the latest first."""
    columns = columns_of(connection, "campaign_change_log")
    if not columns.has("campaign_instance_id"):
        return []
    order = "id" if columns.is_rowid("id") else columns.row_id()
    where = f"WHERE {columns.integer('campaign_instance_id')} = {int(instance)}"
    tail = f"{where} ORDER BY {order} DESC LIMIT {int(most)}"
    return keyed_records(connection, "campaign_change_log", tail)


_PLANNED_SCHEMA = pa.schema({"contact_id": pa.int64(), "campaign_instance_id": pa.int64()})


def planned_of(source: Source, instances: Ids) -> pa.Table:
    """Return (contact_id, campaign_instance_id) of each planned row of some instances."""
    there = columns_of(source.connection, "email_schedules")
    if not there.has("contact_id", "campaign_instance_id", "status"):
        return _PLANNED_SCHEMA.empty_table()
    listed = ", ".join(str(int(each)) for each in instances)
    parts = [
        source.columnar.read(
            f"SELECT {there.id_or_zero('contact_id')}, {there.integer('campaign_instance_id')} "
            f"FROM email_schedules {by} "
            f"WHERE {where} AND {there.integer('campaign_instance_id')} IN ({listed})",
            (),
            _PLANNED_SCHEMA,
        )
        for by, where in _planned_parts(source.connection)
    ]
    return pa.concat_tables(parts)


def count_planned(connection: apsw.Connection, contacts: Ids) -> int:
    """Return the number of planned rows that the contacts have."""
    there = columns_of(connection, "email_schedules")
    if len(contacts) == 0 or not there.has("contact_id", "status"):
        return 0
    ids = np.ascontiguousarray(contacts, np.int64)
    total = 0
    for by, where in _planned_parts(connection):
        # with the indexes each contact is searched; without them the rows are read once
        # +: as text too, where the column is TEXT
        join = "CROSS JOIN" if by else "JOIN"
        sql = (
            f"SELECT count(*) FROM carray(?) AS wanted {join} email_schedules {by} "
            f"ON contact_id = +wanted.value WHERE {where}"
        )
        total += int(scalar(connection, sql, apsw.carray(ids)))
    return total


def _planned_parts(connection: apsw.Connection) -> list[tuple[str, str]]:
    """Return (index clause, condition) of the queries that together find all planned rows."""
    # the plus sign keeps SQLite from an index by status, which has nearly all rows under one key
    return planned_parts(connection) or [("", f"+{PLANNED}")]


_TARGETS_SCHEMA = pa.schema(
    {
        "contact_id": pa.int64(),
        "campaign_instance_id": pa.int64(),
        "trigger_date": pa.string(),
        "status": pa.string(),
    }
)


def targets_of(source: Source, instances: Ids) -> pa.Table:
    """Return contact_id, campaign_instance_id, trigger_date, status of the instances' targets."""
    there = columns_of(source.connection, "contact_campaigns")
    if not there.has("contact_id", "campaign_instance_id"):
        return _TARGETS_SCHEMA.empty_table()
    of = there.integer("campaign_instance_id")
    columns = f"{there.id_or_zero('contact_id')}, {of}, {there.text('trigger_date')}"
    listed = ", ".join(str(int(each)) for each in instances)
    sql = (
        f"SELECT {columns}, {there.text('status')} FROM contact_campaigns WHERE {of} IN ({listed})"
    )
    return source.columnar.read(sql, (), _TARGETS_SCHEMA)


def add_row(connection: apsw.Connection, table: str, values: Mapping[str, object]) -> int:
    """Insert a row; return its rowid. Raises apsw.ConstraintError where a trigger ignores it."""
    columns = ", ".join(map(quoted, values))
    places = ", ".join("?" * len(values))
    connection.execute(
        f"INSERT INTO main.{table} ({columns}) VALUES ({places})", tuple(values.values())
    )
    check_written(connection, 1)
    return connection.last_insert_rowid()
