"""What happens to an agency from day to day, whoever plans its e-mails."""

from __future__ import annotations

import datetime as dt
import itertools
import json
import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import apsw

from tests.oracle.database import Database
from tests.support import agencies
from tests.support.agency_tables import CARRIERS, OTHER_STATES, OTHER_TABLES, RULE_STATES
from tests.support.outside import Record, opened

CAMPAIGN_TYPES: dict[str, dict[str, Any]] = {
    "sim_rate": {"days_before_event": 14, "priority": 1},
    "sim_news": {"target_all_contacts": 1, "spread_evenly": 1, "priority": 25},
    "sim_thanks": {"days_before_event": -3, "enable_followups": 0, "priority": 12},
    "sim_urgent": {"respect_exclusion_windows": 0, "priority": 3},
    "sim_blast": {"target_all_contacts": 1, "skip_failed_underwriting": 1, "priority": 8},
}


@dataclass
class News:
    """What is no longer what it was at the last run."""

    contacts: set[int] = field(default_factory=set)  # changed, come or gone
    mails: set[int] = field(default_factory=set)  # contacts that got one, clicked or answered
    campaigns: bool = False
    rules: bool = False  # the configuration

    def merge(self, other: News) -> None:
        self.contacts |= other.contacts
        self.mails |= other.mails
        self.campaigns |= other.campaigns
        self.rules |= other.rules


def found(path: Path, agency_seed: int, size: int, schema: str, start: dt.date) -> dict[str, Any]:
    """An odd agency on its first day; its configuration.

    Every campaign has a date of its own: one without any happens, by the rules, on whichever day
    it is looked at, so that no two days agree on what its event is.
    """
    config = agencies.config_for(agency_seed)
    agencies.build(path, agency_seed, size, as_of=start, schema=schema, config=config)
    with opened(path) as connection:
        there = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
        for name in OTHER_TABLES.keys() - there:
            connection.execute(f"CREATE TABLE {name} ({OTHER_TABLES[name]})")
        connection.execute(
            "UPDATE campaign_instances SET created_at = ? WHERE date(created_at) IS NULL",
            (start.isoformat(),),
        )
        for name, values in CAMPAIGN_TYPES.items():
            insert(connection, "campaign_types", {"name": name} | values)
    return config


def add_arms(path: Path, start: dt.date) -> None:
    """Add a campaign in two arms and a control group, with three dates for every contact."""
    with opened(path) as connection:
        insert(connection, "campaign_types", {"name": "premium", "priority": 3})
        ids = [one for (one,) in connection.execute("SELECT id FROM contacts")]
        for instance, first, last in ((901, 0, 50), (902, 50, 90)):
            split = {"split": {"group": "premium", "from": first, "to": last}}
            arm = {"id": instance, "campaign_type": "premium", "instance_name": f"arm {instance}"}
            arm |= {"metadata": json.dumps(split), "created_at": start.isoformat()}
            insert(connection, "campaign_instances", arm)
            for contact_id, offset in itertools.product(ids, (20, 60, 120)):
                day = start + dt.timedelta(days=offset + contact_id % 25)
                row = {"contact_id": contact_id, "campaign_instance_id": instance}
                insert(connection, "contact_campaigns", row | {"trigger_date": day.isoformat()})


def insert(connection: apsw.Connection, table: str, values: Record) -> int:
    """Insert a row as far as the table has the columns and no such row; its id."""
    columns = {row[1] for row in connection.execute(f"PRAGMA table_info({table})")}
    chosen = {name: value for name, value in values.items() if name in columns}
    names, marks = ", ".join(chosen), ", ".join("?" * len(chosen))
    connection.execute(
        f"INSERT OR IGNORE INTO {table} ({names}) VALUES ({marks})", tuple(chosen.values())
    )
    return connection.last_insert_rowid()


class Life:
    """New contacts, changed ones, campaigns, clicks and answers; random by seed."""

    def __init__(self, path: Path, seed: int) -> None:
        self._path = path
        self._rng = random.Random(f"life:{seed}")
        self._highest = 0  # contact id so far: those of deleted contacts are not given again

    def morning(self, day: dt.date) -> News:
        """Before the day's run: contacts come and change, campaigns begin and end."""
        news = News()
        with opened(self._path) as connection, connection:
            if self._one_in(8):
                news.contacts.add(self._arrive(connection, day))
            for _ in range(self._rng.choice([0, 0, 0, 1, 2])):
                news.contacts |= self._change(connection, day)
            if self._one_in(20):
                self._begin_campaign(connection, day)
                news.campaigns = True
            if self._one_in(30):
                self._alter_campaign(connection, day)
                news.campaigns = True
        return news

    def noon(self, day: dt.date) -> News:
        """While the day's run is under way: a contact signs up."""
        news = News()
        with opened(self._path) as connection, connection:
            news.contacts.add(self._arrive(connection, day))
        return news

    def evening(self, day: dt.date) -> News:
        """After the day's emails: some who got one lately click, and some answer."""
        news = News()
        since = (day - dt.timedelta(days=12)).isoformat()
        with opened(self._path) as connection, connection:
            readers = connection.execute(
                "SELECT contact_id FROM email_schedules WHERE status IN ('sent', 'delivered')"
                " AND scheduled_send_date BETWEEN ? AND ? ORDER BY id",
                (since, day.isoformat()),
            )
            for (contact_id,) in list(readers):
                if self._one_in(14):
                    values = {"contact_id": contact_id, "clicked_at": f"{day} 10:00:00"}
                    insert(connection, "tracking_clicks", values)
                    news.mails.add(contact_id)
                if self._one_in(20):
                    insert(connection, "contact_events", self._answer(contact_id, day))
                    news.mails.add(contact_id)
        return news

    def _one_in(self, n: int) -> bool:
        return self._rng.randrange(n) == 0

    def _ids(self, connection: apsw.Connection) -> list[int]:
        return [one for (one,) in connection.execute("SELECT id FROM contacts ORDER BY id")]

    def _arrive(self, connection: apsw.Connection, day: dt.date) -> int:
        """A contact signs up, or is entered from an old list."""
        rng = self._rng
        self._highest = max(self._highest, *self._ids(connection)) + rng.choice([1, 1, 3])
        contact_id = self._highest
        values = {
            "id": contact_id,
            "email": f"new{contact_id}@example.com",
            "state": rng.choice([*RULE_STATES, *RULE_STATES, *OTHER_STATES, ""]),
            "zip_code": rng.choice(["90210", "77001", ""]),
            "birth_date": self._any_date(day, rng.randint(20, 90)),
            "effective_date": self._any_date(day, rng.randint(0, 4)),
            "carrier": rng.choice(CARRIERS),
            "current_carrier": rng.choice(CARRIERS),
            "phone_number": rng.choice(["", "555-0100"]),
            "failed_underwriting": rng.choice([0, 0, 0, 1]),
            "status": "active",
        }
        insert(connection, "contacts", values)
        return contact_id

    def _any_date(self, day: dt.date, years: int) -> str:
        if self._one_in(15):
            return ""
        if self._one_in(20):
            return "1952-02-29"
        return (day - dt.timedelta(days=365 * years + self._rng.randrange(365))).isoformat()

    def _change(self, connection: apsw.Connection, day: dt.date) -> set[int]:
        """A contact moves, marries, unsubscribes, comes back, is corrected, or is deleted."""
        rng = self._rng
        contact_id = rng.choice(self._ids(connection))
        if self._one_in(40):
            connection.execute("DELETE FROM contacts WHERE id = ?", (contact_id,))
            return {contact_id}
        if self._one_in(10):
            row = {
                "contact_id": contact_id,
                "reason": "complaint",
                "since": day.isoformat(),
                "until": rng.choice([None, (day + dt.timedelta(days=20)).isoformat()]),
            }
            insert(connection, "suppressions", row)
            return {contact_id}
        known = {row[1] for row in connection.execute("PRAGMA table_info(contacts)")}
        choices: dict[str, Any] = {
            "state": rng.choice([*RULE_STATES, *OTHER_STATES]),
            "email": rng.choice([f"other{contact_id}@example.com", f"lost {contact_id}"]),
            "status": rng.choice(["active", "active", "unsubscribed"]),
            "birth_date": self._any_date(day, rng.randint(20, 90)),
            "effective_date": self._any_date(day, rng.randint(0, 4)),
            "failed_underwriting": rng.choice([0, 1]),
            "phone_number": rng.choice(["", "555-0101"]),
        }
        column = rng.choice(sorted(choices.keys() & known))
        sql = f"UPDATE contacts SET {column} = ? WHERE id = ?"
        connection.execute(sql, (choices[column], contact_id))
        return {contact_id}

    def _begin_campaign(self, connection: apsw.Connection, day: dt.date) -> None:
        rng = self._rng
        kind = rng.choice(list(CAMPAIGN_TYPES))
        start = day + dt.timedelta(days=rng.choice([0, 0, 3, 20]))
        end = start + dt.timedelta(days=rng.choice([10, 40, 200]))
        values = {
            "campaign_type": kind,
            "instance_name": f"{kind} of {day}",
            "email_template": f"{kind}_mail",
            "sms_template": rng.choice([None, f"{kind}_sms"]),
            "active_start_date": rng.choice([None, start.isoformat()]),
            "active_end_date": rng.choice([None, end.isoformat()]),
            "spread_start_date": start.isoformat(),
            "spread_end_date": (start + dt.timedelta(days=rng.choice([5, 30]))).isoformat(),
            "target_states": rng.choice([None, "ALL", "CA,MO,TX,NV"]),
            "metadata": rng.choice([None, None, '{"priority": 2}', '{"enable_followups": true}']),
            "created_at": day.isoformat(),
        }
        instance = insert(connection, "campaign_instances", values)
        ids = self._ids(connection)
        for contact_id in rng.sample(ids, len(ids) // rng.choice([2, 5])):
            for _ in range(rng.choice([1, 1, 2])):
                trigger = day + dt.timedelta(days=rng.choice([-5, 0, 10, 20, 21, 90]))
                target = {
                    "contact_id": contact_id,
                    "campaign_instance_id": instance,
                    "trigger_date": rng.choice([trigger.isoformat(), trigger.isoformat(), None]),
                    "status": "pending",
                }
                insert(connection, "contact_campaigns", target)

    def _alter_campaign(self, connection: apsw.Connection, day: dt.date) -> None:
        rng = self._rng
        instances = [one for (one,) in connection.execute("SELECT id FROM campaign_instances")]
        column, value = rng.choice(
            [
                ("active_end_date", day.isoformat()),
                ("active_end_date", (day + dt.timedelta(days=60)).isoformat()),
                ("target_states", "TX,FL"),
                ("metadata", '{"days_before_event": 5}'),
                ("metadata", "{broken"),
                ("metadata", None),
            ]
        )
        sql = f"UPDATE campaign_instances SET {column} = ? WHERE id = ?"
        connection.execute(sql, (value, rng.choice(instances)))
        if self._one_in(3):
            sql = "UPDATE campaign_types SET active = ? WHERE name = ?"
            connection.execute(sql, (rng.choice([0, 1, 1]), rng.choice(list(CAMPAIGN_TYPES))))

    def _answer(self, contact_id: int, day: dt.date) -> Record:
        said = ["{}", '{"has_medical_conditions": true}', '{"main_questions_yes_count": 1}', None]
        return {
            "contact_id": contact_id,
            "event_type": "eligibility_answered",
            "created_at": f"{day}T11:00:00",
            "metadata": self._rng.choice(said),
        }


def contact_records(path: Path) -> dict[int, Record]:
    """Every contact as it is stored."""
    with Database(path) as database:
        return {record["id"]: record for record in database.records("contacts")}
