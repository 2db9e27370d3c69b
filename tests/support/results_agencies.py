"""Random databases with what came of messages: odd, doubled, late and contradictory rows too."""

import json
import random
import sqlite3
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

FIRST, LAST = date(2026, 3, 1), date(2026, 3, 31)
TYPES = (
    *("birthday", "BIRTHDAY", "aep", "post_window", "POST_WINDOW_BIRTHDAY", "campaign_promo"),
    *(
        "campaign_promo",
        "campaign_promo_1",
        "campaign_promo_9",
        "campaign_letter",
        "Followup_1_cold",
    ),
    *("followup_2_clicked_no_hq", "campaign_promo", "", " aep "),
)
STATUSES = (
    *("sent", "sent", "delivered", "delivered", "bounced", "failed", "scheduled", "processing"),
    *("pre-scheduled", "skipped", "SENT", "opened", ""),
)
REASONS = ("unsubscribe", "Un-subscribed", "opt out", "bounce", "complaint", "", "opted_out")
ODD_TIMES = ("", "03/05/2026", "2026-02-30", "0000-00-00", "soon")
ANSWERS = (
    '{"has_medical_conditions": true}',
    '{"has_medical_conditions": "no", "main_questions_yes_count": "2"}',
    '{"main_questions_yes_count": 0}',
    "{}",
    "not json",
    "",
    None,
)


class _Maker:
    def __init__(self, path: Path, seed: int) -> None:
        self.rng = random.Random(f"results:{seed}")
        self.path = path
        self.connection = sqlite3.connect(path)
        self.messages = 0
        self.id_type = self.rng.choice(("INTEGER", "INTEGER", "TEXT"))

    def day(self, around: int = 45) -> date:
        return FIRST + timedelta(self.rng.randrange(-around + 20, around + 10))

    def time(self, day: date | None = None) -> Any:
        """A time as databases have it."""
        rng, day = self.rng, day or self.day()
        if rng.random() < 0.06:
            return rng.choice(ODD_TIMES)
        seconds = int(datetime(day.year, day.month, day.day, 12, tzinfo=UTC).timestamp())
        return rng.choice(
            (str(day), f"{day} 08:31:00", f"{day}T23:59:59Z", str(seconds), seconds, seconds * 1000)
        )

    def person(self) -> Any:
        return self.rng.choice((*range(1, 21), *range(1, 21), 77, 0, None, "x7", "5", 3.0))

    def insert(self, table: str, **row: Any) -> None:
        places = ", ".join("?" * len(row))
        self.connection.execute(
            f"INSERT INTO {table} ({', '.join(row)}) VALUES ({places})", list(row.values())
        )

    def table(self, sql: str, rows: int, row: Callable[[], dict[str, Any]]) -> None:
        """Make a table and fill it, with some rows twice; sometimes it does not exist."""
        name = sql.split("(")[0].strip()
        if self.rng.random() < 0.12:
            return
        self.connection.execute(f"CREATE TABLE {sql}")
        for _ in range(rows):
            made = row()
            for _ in range(self.rng.choice((1, 1, 1, 2, 3))):
                self.insert(name, **made)

    def contacts(self) -> None:
        self.connection.execute(
            "CREATE TABLE contacts (id INTEGER PRIMARY KEY, email TEXT, state TEXT)"
        )
        for number in range(1, 21):
            state = self.rng.choice(("TX", "CA", " ny", "", "TX"))
            name = f"{'uU'[number % 3 % 2]}ser{number % 17}"
            self.insert("contacts", id=number, email=f"{name}@example.com", state=state)
        if self.rng.randrange(2):
            self.connection.execute("CREATE INDEX of_address ON contacts (email)")

    def campaigns(self) -> None:
        self.connection.execute(
            "CREATE TABLE campaign_types (name TEXT PRIMARY KEY, target_all_contacts INTEGER)"
        )
        self.connection.execute(
            "CREATE TABLE campaign_instances (id INTEGER PRIMARY KEY, campaign_type TEXT,"
            " instance_name TEXT, target_states TEXT, metadata TEXT)"
        )
        self.connection.execute(
            "CREATE TABLE contact_campaigns (contact_id INTEGER, campaign_instance_id INTEGER)"
        )
        self.insert("campaign_types", name="promo", target_all_contacts=self.rng.randrange(2))
        first, second = self.rng.choice(((0, 50), (10, 40))), self.rng.choice(((50, 80), (50, 100)))
        for number, (begin, end), states in ((1, first, None), (2, second, "TX, ca")):
            split = json.dumps({"split": {"group": "spring", "from": begin, "to": end}})
            self.insert(
                "campaign_instances", id=number, campaign_type="promo",
                instance_name=f"promo {number}", target_states=states, metadata=split,
            )  # fmt: skip
            for contact in self.rng.sample(range(1, 25), 14):
                self.insert("contact_campaigns", contact_id=contact, campaign_instance_id=number)
        self.insert("campaign_instances", id=3, campaign_type="gone", instance_name="three",
                    metadata='{"split": {"group": "spring", "from": 0, "to": 9}}')  # fmt: skip
        self.insert("campaign_instances", id=4, campaign_type="promo", instance_name="four",
                    metadata="{")  # fmt: skip

    def message(self) -> dict[str, Any]:
        rng, day = self.rng, self.day()
        self.messages += 1
        actual = None
        if rng.random() < 0.5:
            actual = rng.choice(
                (f"{day + timedelta(rng.randrange(3))} 08:31:00", "1772366400", "?")
            )
        parent = rng.choice((None, "?", '{"initial_email_type": "birthday"}', "{}"))
        return {
            "contact_id": self.person() if rng.random() < 0.2 else rng.randrange(1, 21),
            "email_type": rng.choice(TYPES),
            "scheduled_send_date": rng.choice(("", "soon")) if rng.random() < 0.05 else str(day),
            "actual_send_datetime": actual,
            "status": rng.choice(STATUSES),
            "campaign_instance_id": rng.choice((None, 1, 2, 2, 1, 9)),
            "email_template": rng.choice((None, "", "one", "two", "a\x1fb")),
            "metadata": parent,
        }

    def named(self) -> str | None:
        rng = self.rng
        if rng.random() < 0.6:
            return rng.choice((None, "", "broken", "[]"))
        key = rng.choice(("message", "schedule_id", "almanac_id"))
        value = rng.choice((rng.randrange(1, 60), str(rng.randrange(1, 60)), "none", None))
        return json.dumps({key: value})

    def answer(self) -> dict[str, Any]:
        metadata = self.rng.choice(ANSWERS)
        if metadata and metadata.startswith("{") and self.rng.random() < 0.4:
            metadata = json.dumps(json.loads(metadata) | {"message": self.rng.randrange(1, 60)})
        kind = self.rng.choice(("eligibility_answered",) * 4 + ("viewed",))
        return {
            "contact_id": self.person(), "event_type": kind,
            "created_at": self.time(), "metadata": metadata,
        }  # fmt: skip

    def suppression(self) -> dict[str, Any]:
        rng, number = self.rng, self.rng.randrange(1, 24)
        return {
            "email": rng.choice((None, "", f" user{number % 17}@EXAMPLE.com")),
            "contact_id": rng.choice((None, number, self.person())),
            "reason": rng.choice(REASONS),
            "since": rng.choice(ODD_TIMES) if rng.random() < 0.1 else str(self.day()),
            "channel": rng.choice((None, "", "sms", "email")),
            "phone": rng.choice((None, None, None, "5550100000")),
        }

    def make(self) -> None:
        self.contacts()
        self.campaigns()
        owner, rng = f"contact_id {self.id_type}", self.rng
        self.connection.execute(
            f"CREATE TABLE email_schedules (id INTEGER PRIMARY KEY, {owner}, email_type TEXT,"
            " scheduled_send_date TEXT, actual_send_datetime TEXT, status TEXT,"
            " campaign_instance_id INTEGER, email_template TEXT, metadata TEXT)"
        )
        for _ in range(70):
            self.insert("email_schedules", **self.message())
        with_metadata = rng.random() < 0.7
        clicks = (
            f"tracking_clicks ({owner}, clicked_at{', metadata TEXT' if with_metadata else ''})"
        )
        self.table(
            clicks, 40,
            lambda: {"contact_id": self.person(), "clicked_at": self.time()}
            | ({"metadata": self.named()} if with_metadata else {}),
        )  # fmt: skip
        self.table(
            f"contact_events ({owner}, event_type TEXT, created_at, metadata TEXT)", 40, self.answer
        )
        self.table(
            "message_deliveries (id INTEGER PRIMARY KEY, schedule_id, status TEXT)", 30,
            lambda: {
                "schedule_id": rng.choice((rng.randrange(1, 71), 999, None)),
                "status": rng.choice(("complaint", "complaint", "sent", "delivered")),
            },
        )  # fmt: skip
        self.table(
            "suppressions (email TEXT, contact_id, reason TEXT, since TEXT, channel TEXT,"
            " phone TEXT)", 25, self.suppression,
        )  # fmt: skip
        self.connection.commit()
        self.connection.close()


def build(path: Path, seed: int) -> None:
    """Make a database; the same seed always gives the same rows."""
    _Maker(path, seed).make()
