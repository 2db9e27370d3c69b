"""Messages of a day whose marks are alike: one of each kind of them is applied for all."""

from __future__ import annotations

import random
from contextlib import closing
from typing import Any

import apsw
import pytest

from almanac.config import Config
from almanac.intake.absorb import absorb
from almanac.intake.alike import becoming_alike
from almanac.intake.concerning import APPLIED, Concerning, DayKeys, concerning
from almanac.intake.inbox import Received
from tests.support.intake_calls import NOW, received

CONFIG = Config()
DAY = "2026-11-21"
ROWS = range(1, 41)
STATES = ("pre-scheduled",) * 6 + ("processing", "failed")
AWAY = {"email_type": "aep", "event_date": "2026-10-01", "scheduled_send_date": DAY}


def a_day() -> apsw.Connection:
    """The messages of a day, each contact's address that of another too, one of them retried."""
    connection = apsw.Connection(":memory:")
    connection.execute(
        "CREATE TABLE contacts (id INTEGER PRIMARY KEY, email TEXT);"
        "CREATE TABLE email_schedules (id INTEGER PRIMARY KEY, contact_id INT, email_type TEXT,"
        " event_year INT, event_month INT, event_day INT, scheduled_send_date TEXT, status TEXT,"
        " ideal_send_date TEXT);"
        "CREATE TABLE message_deliveries (id INTEGER PRIMARY KEY, schedule_id INTEGER, status, at);"
        "CREATE TABLE suppressions (email, contact_id, reason);"
        "INSERT INTO message_deliveries VALUES (1, 2, 'failed', '2026-11-20 09:00:00'),"
        " (2, 2, 'retry', '2026-11-20 10:00:00')"
    )
    for row in ROWS:
        status = STATES[row % len(STATES)] if row > 8 else STATES[0]
        day = DAY if row % 3 else f"{DAY} 00:00:00"
        values = (row, row + 100, "birthday" if row % 2 else "aep", 2026, 10, 1, day, status)
        connection.execute(
            "INSERT INTO email_schedules VALUES (?, ?, ?, ?, ?, ?, ?, ?, '2026-09-17')", values
        )
        connection.execute("INSERT INTO contacts VALUES (?, ?)", (row + 100, f"u{row // 2}@x.org"))
    return connection


def rows_of(connection: apsw.Connection) -> list[Any]:
    """What the messages are, and who is suppressed."""
    names = "id, contact_id, status, substr(scheduled_send_date, 1, 10), skip_reason"
    return [
        *connection.execute(f"SELECT {names} FROM email_schedules ORDER BY id"),
        *connection.execute("SELECT email, contact_id, reason FROM suppressions ORDER BY 1, 2, 3"),
    ]


def chosen_of(connection: apsw.Connection, events: list[Received]) -> Concerning:
    keys = DayKeys.of(connection, CONFIG.contacts)
    return concerning(keys, events, lambda rows: {}, claimed=False)


def some_marks(seed: int) -> list[dict[str, object]]:
    """Marks of the day's rows: plain ones mostly, and what else a sender may write."""
    draw = random.Random(seed)

    def mark() -> dict[str, object]:
        row = draw.choice([*ROWS, 900] if draw.random() < 0.1 else ROWS)
        statuses = (*["sent"] * 6, "processing", " Failed", "delivered", "bounced", "sold", None)
        status = draw.choice(statuses)
        entry: dict[str, object] = {"id": draw.choice((row, row, str(row))), "status": status}
        more: dict[str, tuple[object, ...]] = {
            "at": ("2026-11-21T09:00:00Z", "2026-11-21T09:00:01Z", "later", 7),
            "contact_id": (row + 100, row + 100, str(row + 100), 5),
            "scheduled_send_date": (DAY, DAY, "2026-11-22", "21.11."),
            "email_type": ("birthday", "birthday", "aep", 3),
        }
        entry |= {key: draw.choice(values) for key, values in more.items() if draw.random() < 0.1}
        return entry | AWAY | {"contact_id": draw.choice(ROWS) + 100} if row == 900 else entry

    return [mark() for _ in range(draw.choice((30, 40, 60)))]


def of_all(**fields: object) -> list[dict[str, object]]:
    """The same mark of each of the first rows."""
    return [{"id": row, "status": "failed", **fields} for row in range(1, 9)]


CASES = {
    "of one type": of_all(email_type="birthday"),
    "of one contact": [*of_all()[:4], *of_all(contact_id=103)[4:]],
    "of a day": of_all(scheduled_send_date="2026-11-22"),
    "repeated before a retry": of_all(at="2026-11-20T09:00:00Z")[1:],
    "one made again": [*of_all()[3:], {"id": 900, "status": "sent", "contact_id": 104, **AWAY}],
    **{f"seed {seed}": some_marks(seed) for seed in range(6)},
}


@pytest.mark.parametrize("marks", CASES.values(), ids=CASES)
def test_the_same_becomes_of_all_rows_as_if_all_marks_were_applied(
    marks: list[dict[str, object]],
) -> None:
    events = [
        received("deliveries", *marks[at : at + 7], event_id=f"e{at}", minutes=at)
        for at in range(0, len(marks), 7)
    ]
    with closing(a_day()) as one, closing(a_day()) as other:
        found = chosen_of(one, events)
        assert found.alike
        with one, becoming_alike(one, found.alike):
            absorb(one, found.events, CONFIG, NOW, "almanac due", kinds=APPLIED)
        absorb(other, events, CONFIG, NOW, "almanac due", kinds=APPLIED)
        assert rows_of(one) == rows_of(other)


def test_of_rows_whose_marks_are_alike_those_of_one_are_applied() -> None:
    marks = [
        mark
        for row in (1, 3, 5, 7)
        for mark in ({"id": row, "status": "processing"}, {"id": str(row), "status": "sent"})
    ]
    odd = {"id": 7, "status": "failed", "at": "2026-11-21T09:00:00Z"}
    retried, bounced = {"id": 2, "status": "sent"}, {"id": 4, "status": "bounced"}
    with closing(a_day()) as connection:
        found = chosen_of(connection, [received("deliveries", *marks, odd, retried, bounced)])
    assert found.alike == {1: [3, 5]}
    assert [each for event in found.events for each in event.event["entries"]] == [
        *marks[:2],
        *marks[6:],
        odd,
        retried,
        bounced,
    ]
