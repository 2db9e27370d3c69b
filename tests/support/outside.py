"""What anyone can see of an agency's database file: its tables, byte for byte, before and after.

Nothing here knows how the product reads or writes them.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apsw

from tests.oracle import parse_date
from tests.oracle.contacts import FIVE_ZIPS, Contact, read_contact
from tests.oracle.database import Database

PLANNED = ("pre-scheduled", "skipped")
COUNTED = ("scheduled", "processing", "sent", "delivered")
OWNED = {  # by the scheduler; of campaign tables, only what it says of itself
    "email_schedules",
    "scheduler_checkpoints",
    "config_versions",
    "contact_issues",
    "campaign_change_log",
    "almanac_undo",
}
SHARED = {  # whose rows stay, but for these columns: what became of a target is told in its row
    "contact_campaigns": {"status", "updated_at"},
    "campaign_types": set(),
    "campaign_instances": set(),
}

Cells = tuple[Any, ...]
Record = dict[str, Any]


@contextmanager
def opened(path: Path) -> Iterator[apsw.Connection]:
    """A connection of another program than Almanac; nothing it does waits for the disk."""
    connection = apsw.Connection(str(path))
    try:
        connection.execute("PRAGMA synchronous = OFF")
        yield connection
    finally:
        connection.close()


@dataclass(frozen=True)
class Table:
    """The rows of a table: each cell as (type, bytes), by row id or, without one, by position."""

    columns: tuple[str, ...]
    rows: dict[int, Cells]

    def only(self, columns: tuple[str, ...], where: Callable[[int], bool]) -> dict[int, Cells]:
        """Some columns of some rows."""
        places = [self.columns.index(name) for name in columns]
        return {
            key: tuple(cells[place] for place in places)
            for key, cells in self.rows.items()
            if where(key)
        }


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _table(connection: apsw.Connection, name: str) -> Table:
    columns = tuple(
        row[0] for row in connection.execute("SELECT name FROM pragma_table_info(?)", (name,))
    )
    cells = ", ".join(f"typeof({_quoted(c)}), CAST({_quoted(c)} AS BLOB)" for c in columns)
    try:
        found = list(connection.execute(f"SELECT rowid, {cells} FROM {_quoted(name)}"))
    except apsw.SQLError:  # a table without row ids
        plain = connection.execute(f"SELECT {cells} FROM {_quoted(name)}")
        found = [(position, *row) for position, row in enumerate(plain)]
    return Table(
        columns,
        {row[0]: tuple(zip(row[1::2], row[2::2], strict=True)) for row in found},
    )


@dataclass(frozen=True)
class Photograph:
    """Everything in a database: its tables, and the statements that made them."""

    tables: dict[str, Table]
    schema: dict[str, str]
    scheduled: dict[int, Record]  # email_schedules as it is read, by id


def photograph(path: Path) -> Photograph:
    """The file as it is now."""
    with opened(path) as connection:
        made = dict(connection.execute("SELECT name, sql FROM sqlite_master WHERE sql NOT NULL"))
        names = [
            name
            for (name,) in connection.execute(
                "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
            )
        ]
        tables = {name: _table(connection, name) for name in names}
    return Photograph(tables, made, {row["id"]: row for row in schedules(path)})


def schedules(path: Path) -> list[Record]:
    """All rows of email_schedules, by column."""
    with Database(path) as database:
        return database.records("email_schedules")


def contacts(path: Path, config: Mapping[str, Any], as_of: dt.date) -> dict[int, Contact]:
    """Every contact as the rules see it."""
    with Database(path) as database:
        suppressions = database.records("suppressions")
        return {
            record["id"]: read_contact(record, dict(config), as_of, suppressions, FIVE_ZIPS)[0]
            for record in database.records("contacts")
        }


def date_of(record: Record) -> dt.date | None:
    """The day on which a row is, was or should have been sent."""
    return parse_date(record["scheduled_send_date"])


def is_planned(record: Record) -> bool:
    """Whether the row is the scheduler's, and not the sender's."""
    return record["status"] in PLANNED


def is_campaign(record: Record) -> bool:
    return str(record["email_type"]).lower().startswith("campaign_")


def is_followup(record: Record) -> bool:
    return str(record["email_type"]).lower().startswith("followup")


def counts(record: Record) -> bool:
    """Whether the frequency limit counts a row, once it is sent."""
    return not is_followup(record) and record["status"] in (*COUNTED, "pre-scheduled")


def identity(record: Record) -> tuple[int, str, int, dt.date]:
    """What at most one planned row has."""
    event = dt.date(record["event_year"], record["event_month"], record["event_day"])
    return record["contact_id"], record["email_type"], record["campaign_instance_id"] or 0, event
