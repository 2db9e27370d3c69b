"""What a few rows or an index say of a whole database, over a connection that only reads."""

from __future__ import annotations

import apsw

from almanac.database import selects
from almanac.database.catalog import describe, scalar
from almanac.database.indexes import indexed_by
from almanac.database.schema import (
    IDENTIFIED,
    IDENTITY_INDEX,
    OLDER_INDEX,
    PLANNED,
    PRE_SCHEDULED,
    STATUS_INDEX,
    UNIDENTIFIED,
)
from almanac.database.sql import columns_of
from almanac.schedule_status import Status

LOOK = 5_000  # skipped rows that are searched for a contact without messages


def total_contacts(connection: apsw.Connection) -> int:
    """Return the number of all rows of contacts; 0 without the table."""
    if describe(connection, "contacts") is None:
        return 0
    return int(scalar(connection, "SELECT count(*) FROM contacts"))


def has_rate_increases(connection: apsw.Connection) -> bool:
    """Return whether there are rows of the replaced type, which the migration turns into targets.

    Over ranges of an object this may fetch half of it, unless the index by contact exists.
    """
    columns = columns_of(connection, "email_schedules")
    if not columns.has("contact_id"):
        return False
    by = indexed_by(connection, OLDER_INDEX)
    older = f"{UNIDENTIFIED} AND " if by else ""
    rows = f"email_schedules {by} WHERE {older}{selects.legacy(columns)}"
    return bool(scalar(connection, f"SELECT EXISTS (SELECT 1 FROM {rows})"))


def contact_without_messages(connection: apsw.Connection, since: str) -> int | None:
    """Return a contact whose messages are all skipped, for as many reasons as possible.

    Only the first LOOK skipped rows from the ISO date on are searched; None if none has one.
    """
    there = "SELECT count(*) FROM sqlite_schema WHERE type = 'index' AND name IN (?, ?)"
    if scalar(connection, there, STATUS_INDEX.name, IDENTITY_INDEX.name) != 2:
        return None
    # the indexes are forced: with the wrong one this takes hours
    sql = f"""
        WITH first AS (
            SELECT contact_id, skip_reason
            FROM email_schedules INDEXED BY {STATUS_INDEX.name}
            WHERE status = '{Status.SKIPPED}' AND scheduled_send_date >= ? LIMIT {LOOK})
        SELECT contact_id FROM first
        WHERE NOT EXISTS (
            SELECT 1 FROM email_schedules AS other INDEXED BY {IDENTITY_INDEX.name}
            WHERE other.contact_id = first.contact_id AND other.{PLANNED}
            AND other.{IDENTIFIED} AND other.{PRE_SCHEDULED})
        GROUP BY contact_id
        ORDER BY count(DISTINCT skip_reason) DESC, count(*) DESC, contact_id LIMIT 1
    """
    found = scalar(connection, sql, since)
    return None if found is None else int(found)
