"""Tiny agencies: a few contacts, and a plan that reads as lines of text."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import apsw

from almanac.report.summary import RunSummary
from tests.support.agency_tables import CONTACTS, OTHER_TABLES, SCHEDULES_LATER, SCHEDULES_START
from tests.support.agreement import run

# One rule at a time: no AEP email, and room for everything on every day.
CALM: dict[str, dict[str, Any]] = {
    "aep": {"enabled": False},
    "load_balancing": {"daily_send_percentage_cap": 1.0, "overage_threshold": 100.0},
}
LINES = """
    SELECT contact_id, email_type, campaign_instance_id, event_year, event_month, event_day,
        ideal_send_date, scheduled_send_date, status, skip_reason
    FROM email_schedules
    WHERE status IN ('pre-scheduled', 'skipped') AND ideal_send_date IS NOT NULL
    ORDER BY contact_id, ideal_send_date, email_type, campaign_instance_id, scheduled_send_date
"""


class Agency:
    """A database that tests fill row by row; dates are texts."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.query(CONTACTS["new"])
        self.query(
            f"CREATE TABLE email_schedules ({SCHEDULES_START}{SCHEDULES_LATER},"
            " ideal_send_date TEXT)"
        )
        for name, columns in OTHER_TABLES.items():
            self.query(f"CREATE TABLE {name} ({columns})")

    def query(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """The rows of any statement."""
        connection = apsw.Connection(str(self.path))
        try:
            return connection.execute(sql, values or None).fetchall()
        finally:
            connection.close()

    def insert(self, table: str, **row: Any) -> int:
        """Insert a row; its id."""
        places = ", ".join("?" * len(row))
        sql = f"INSERT INTO {table} ({', '.join(row)}) VALUES ({places}) RETURNING rowid"
        ((row_id,),) = self.query(sql, *row.values())
        return int(row_id)

    def contact(self, contact_id: int = 1, state: str = "TX", **columns: Any) -> None:
        """A contact with an address and a state, and no dates unless given."""
        address = {"email": f"user{contact_id}@example.com"}
        self.insert("contacts", id=contact_id, state=state, **address | columns)

    def sent(self, email_type: str, day: str, contact_id: int = 1, **columns: Any) -> int:
        """A committed row, by default a sent one, on a day; its id."""
        row = {"contact_id": contact_id, "email_type": email_type, "scheduled_send_date": day}
        return self.insert("email_schedules", **row | {"status": "sent"} | columns)

    def campaign(self, instance: int, name: str = "promo", **columns: Any) -> None:
        """An instance of a campaign type, which is made where it is missing.

        What is a column of campaign_types goes to the type.
        """
        of_type = {"name": name, "created_at": "2026-01-01"}
        known = {c for (c,) in self.query("SELECT name FROM pragma_table_info('campaign_types')")}
        of_type |= {key: columns.pop(key) for key in known - {"created_at"} if key in columns}
        if not self.query("SELECT 1 FROM campaign_types WHERE name = ?", name):
            self.insert("campaign_types", **of_type)
        own = {"campaign_type": name, "instance_name": f"{name} {instance}"}
        self.insert("campaign_instances", id=instance, **own | columns)

    def target(
        self, instance: int, trigger: str | None, contact_id: int = 1, **columns: Any
    ) -> int:
        """A contact that an instance is to reach."""
        row = {"contact_id": contact_id, "campaign_instance_id": instance}
        return self.insert("contact_campaigns", **row, trigger_date=trigger, **columns)

    def plan(
        self,
        as_of: str,
        t0: str | None = None,
        scope: list[tuple[int, int]] | None = None,
        **config: Any,
    ) -> RunSummary:
        """Run with CALM and the given keys over it."""
        settings: dict[str, Any] = dict(CALM)
        for key, value in config.items():
            settings[key] = settings.get(key, {}) | value if isinstance(value, dict) else value
        day = dt.date.fromisoformat(as_of)
        first = day if t0 is None else dt.date.fromisoformat(t0)
        return run(self.path, day, first, settings, scope=scope)

    def lines(self, contact_id: int | None = None) -> list[str]:
        """Planned rows in words: type and event, ideal date, and the day or why there is none.

        Where there are several contacts and none is asked for, each line begins with the id.
        """
        ((contacts,),) = self.query("SELECT count(*) FROM contacts")
        rows = [row for row in self.query(LINES) if contact_id in (None, row[0])]
        several = contacts > 1 and contact_id is None
        return [f"{row[0]} {_words(row)}" if several else _words(row) for row in rows]

    def planned(self, as_of: str, t0: str | None = None, **config: Any) -> list[str]:
        """The lines after a run."""
        self.plan(as_of, t0, **config)
        return self.lines()

    def days(self, contact_id: int | None = None) -> list[str]:
        """The days of the pre-scheduled rows, in order."""
        sql = """SELECT scheduled_send_date FROM email_schedules WHERE status = 'pre-scheduled'
            AND contact_id = COALESCE(?, contact_id) ORDER BY 1"""
        return [day for (day,) in self.query(sql, contact_id)]


def _words(row: tuple[Any, ...]) -> str:
    _, kind, instance, year, month, day, ideal, send, status, reason = row
    name = f"{kind}#{instance}" if instance else kind
    text = f"{name} {year:04d}-{month:02d}-{day:02d}: {ideal}"
    if status == "skipped":
        assert send == ideal, "a skipped row carries its ideal date"
        return f"{text} skipped, {reason}"
    return text if send == ideal else f"{text} -> {send}"


def later(first: str, offset: int) -> str:
    """The day so many days after another."""
    return str(dt.date.fromisoformat(first) + dt.timedelta(days=offset))
