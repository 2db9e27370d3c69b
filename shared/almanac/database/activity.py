"""What contacts did: rows of tracking_clicks and contact_events, which planning reads.

Both may be the agency's own tables: missing columns are added, others are left as they are.
"""

from __future__ import annotations

from typing import NamedTuple

import apsw

from almanac.database.migrations import complete
from almanac.database.refused_rows import check_written
from almanac.database.schema import Column, Table

CLICKS = Table(
    "tracking_clicks",
    (
        Column("contact_id", "INTEGER"),
        Column("clicked_at", "TEXT"),
        Column("url", "TEXT"),
        Column("metadata", "TEXT"),
    ),
)
EVENTS = Table(
    "contact_events",
    (
        Column("contact_id", "INTEGER"),
        Column("event_type", "TEXT"),
        Column("created_at", "TEXT"),
        Column("metadata", "TEXT"),
    ),
)

MESSAGE = "message"  # the key of metadata for the row of email_schedules that it is about


class Click(NamedTuple):
    """A row of tracking_clicks; metadata: a JSON object."""

    contact_id: int
    clicked_at: str
    url: str | None
    metadata: str | None


class ContactEvent(NamedTuple):
    """A row of contact_events; metadata: a JSON object."""

    contact_id: int
    event_type: str
    created_at: str
    metadata: str | None


def prepare(connection: apsw.Connection, table: Table) -> None:
    """Create one of the tables, or add its missing columns."""
    complete(connection, table)


def insert(connection: apsw.Connection, row: Click | ContactEvent) -> None:
    """Add a row; what is None gets the column's default. Requires `prepare`. Raises
    apsw.ConstraintError where the table forbids it."""
    table = CLICKS if isinstance(row, Click) else EVENTS
    given = {name: value for name, value in row._asdict().items() if value is not None}
    names, places = ", ".join(given), ", ".join("?" * len(given))
    sql = f"INSERT INTO main.{table.name} ({names}) VALUES ({places})"
    connection.execute(sql, tuple(given.values()))
    check_written(connection, 1)
