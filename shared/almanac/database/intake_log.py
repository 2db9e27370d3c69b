"""The table `intake_log`: the events that were applied to a database, each once.

An event's digest is that of its content. The first one with an id is applied; another content under
the same id is refused, and has a row of its own that says so.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable
from typing import NamedTuple

import apsw

from almanac.database.catalog import describe
from almanac.database.migrations import complete
from almanac.database.schema import Column, Table

INTAKE_LOG = Table(
    "intake_log",
    (
        Column("id", "INTEGER PRIMARY KEY AUTOINCREMENT", ""),
        Column("event_id", "TEXT NOT NULL", "TEXT"),
        Column("kind", "TEXT"),
        Column("digest", "TEXT"),
        Column("received", "DATETIME"),
        Column("applied_at", "DATETIME"),
        Column("applied_by", "TEXT"),
        Column("entries", "INTEGER"),
        Column("refused", "TEXT"),
    ),
)
KEEP_DAYS = 400  # as the documents of runs
_DELETED_AT_ONCE = 100_000
_INDEX = "CREATE INDEX IF NOT EXISTS almanac_intake ON intake_log (event_id, digest)"


class LoggedEvent(NamedTuple):
    """A row of intake_log; times are UTC. refused: a JSON list of {index, why}."""

    event_id: str
    kind: str
    digest: str
    received: str
    applied_at: str
    applied_by: str
    entries: int
    refused: str


def prepare(connection: apsw.Connection) -> None:
    """Create the table, or add its missing columns."""
    complete(connection, INTAKE_LOG)
    connection.execute(_INDEX)


def logged(connection: apsw.Connection, event_ids: Collection[str]) -> dict[str, set[str]]:
    """Return those of the event ids that the table has, with the digests under each."""
    if not event_ids or describe(connection, INTAKE_LOG.name) is None:
        return {}
    found: dict[str, set[str]] = {}
    for event_id, digest in connection.execute(
        "SELECT event_id, digest FROM carray(?) AS wanted "
        "CROSS JOIN main.intake_log ON event_id = wanted.value",
        (apsw.carray(tuple(event_ids)),),
    ):
        found.setdefault(event_id, set()).add(digest or "")
    return found


def record(connection: apsw.Connection, events: Iterable[LoggedEvent], now: dt.datetime) -> None:
    """Add rows, and delete those that were applied KEEP_DAYS ago. Requires `prepare`."""
    last = (now - dt.timedelta(days=KEEP_DAYS)).strftime("%Y-%m-%d")
    oldest = f"SELECT id, applied_at FROM main.intake_log ORDER BY id LIMIT {_DELETED_AT_ONCE}"
    connection.execute(
        f"DELETE FROM main.intake_log WHERE id IN (SELECT id FROM ({oldest}) WHERE applied_at < ?)",
        (last,),
    )
    names = ", ".join(LoggedEvent._fields)
    places = ", ".join("?" * len(LoggedEvent._fields))
    connection.executemany(f"INSERT INTO main.intake_log ({names}) VALUES ({places})", events)
