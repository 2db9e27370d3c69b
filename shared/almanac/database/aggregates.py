"""Counts of the rows in a user's file, by SQL over a connection that only reads."""

from __future__ import annotations

import apsw

from almanac.database.catalog import Record, describe, raw_records, scalar
from almanac.database.schema import IDENTIFIED, IDENTITY_INDEX, PLANNED, PRE_SCHEDULED, STATUS_INDEX
from almanac.schedule_status import Status

LOOK = 5_000  # skipped rows among which a contact without messages is sought


def total_contacts(connection: apsw.Connection) -> int:
    """All rows of contacts."""
    return int(scalar(connection, "SELECT count(*) FROM contacts"))


def small_table(connection: apsw.Connection, name: str, tail: str = "") -> list[Record]:
    """The rows of a small table; none where there is no such table."""
    table = describe(connection, name)
    return [] if table is None else raw_records(connection, table, tail)


def contact_without_messages(connection: apsw.Connection, since: str) -> int | None:
    """A contact whose messages are all skipped, for as many reasons as are found among the first
    skipped rows from the ISO date on; None if there is none among them."""
    there = "SELECT count(*) FROM sqlite_schema WHERE type = 'index' AND name IN (?, ?)"
    if scalar(connection, there, STATUS_INDEX.name, IDENTITY_INDEX.name) != 2:
        return None
    # which index is used is not left to chance: the wrong one takes hours
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


def as_text(value: bytes | None, encoding: str) -> str:
    """A text that came as a blob; '' for NULL, U+FFFD for what is not of the encoding."""
    return "" if value is None else bytes(value).decode(encoding, "replace")
