"""Absorbing events: each once, in order, in the caller's transaction, with a log."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import apsw
import pytest

from almanac.config import Config
from almanac.intake.absorb import absorb
from almanac.intake.inbox import Received
from tests.support.intake_calls import NOW, absorbed, received, refused
from tests.support.tiny import Agency

LOG = "SELECT event_id, kind, entries, refused FROM intake_log ORDER BY id"


@pytest.fixture
def agency(tmp_path: Path) -> Agency:
    made = Agency(tmp_path / "agency.sqlite3")
    made.contact(1)
    made.campaign(4)
    made.sent("birthday", "2026-11-23", id=7, status="pre-scheduled")
    return made


def day_of_events() -> list[Received]:
    """Events of every kind, each of which refers to what others bring."""
    new = {"email": "new@example.com", "state": "TX"}
    return [
        received("contacts", new, event_id="contact"),
        received("targets", {"campaign_instance_id": 4} | new, event_id="wrong", minutes=1),
        received(
            "targets",
            {"campaign_instance_id": 4, "email": new["email"], "trigger_date": "2026-12-24"},
            event_id="target",
            minutes=2,
        ),
        received("deliveries", {"id": 7, "status": "sent"}, event_id="sent", minutes=3),
        received("activity", {"type": "click", "message": 7}, event_id="click", minutes=4),
        received("suppressions", {"email": new["email"]}, event_id="stop", minutes=5),
        received("suppressions", {"email": new["email"], "action": "end"}, event_id="go"),
    ]


def contents(agency: Agency) -> list[Any]:
    """What the events change."""
    return [
        agency.query("SELECT email FROM contacts ORDER BY 1"),
        agency.query("SELECT contact_id, trigger_date FROM contact_campaigns"),
        agency.query("SELECT contact_id, clicked_at FROM tracking_clicks"),
        agency.query("SELECT status, actual_send_datetime FROM email_schedules"),
        agency.query("SELECT email, since FROM suppressions"),
        agency.query("SELECT event_id FROM intake_log WHERE refused <> ''"),
    ]


@pytest.mark.parametrize(
    "order", [(0, 1, 2, 3, 4, 5, 6), (6, 5, 4, 3, 2, 1, 0), (3, 6, 0, 5, 1, 4, 2)]
)
def test_the_order_in_which_events_arrive_changes_nothing(
    agency: Agency, order: tuple[int, ...]
) -> None:
    events = day_of_events()
    absorbed(agency, *(events[at] for at in order))
    assert contents(agency) == [
        [("new@example.com",), ("user1@example.com",)],
        [(2, "2026-12-24")],
        [(1, "2026-11-21 08:04:00")],
        [("sent", "2026-11-21 08:03:00")],
        [("new@example.com", "2026-11-21")],
        [("go",), ("wrong",)],
    ]


def test_what_was_absorbed_is_not_absorbed_again(agency: Agency) -> None:
    first = absorbed(agency, *day_of_events())
    before = contents(agency)
    again = absorbed(agency, *reversed(day_of_events()))
    assert contents(agency) == before
    assert (again.events, again.entries, again.refused, again.committed) == ({}, {}, 0, 0)
    assert set(again.known) == set(first.known) == {each.event_id for each in day_of_events()}


def test_the_first_event_with_an_id_counts(agency: Agency) -> None:
    first = received("suppressions", {"email": "a@example.com"}, event_id="e")
    other = received("suppressions", {"email": "b@example.com"}, event_id="e", minutes=1)
    again = received("suppressions", {"email": "a@example.com"}, event_id="e", minutes=2)
    absorbed(agency, other, again, first)
    absorbed(agency, other)
    assert agency.query("SELECT email FROM suppressions") == [("a@example.com",)]
    why = "event_id: an event with other content has it already"
    assert agency.query(LOG) == [
        ("e", "suppressions", 1, ""),
        ("e", "suppressions", 0, json.dumps([{"index": None, "why": why}])),
    ]


def test_the_log_says_when_and_by_what(agency: Agency) -> None:
    absorbed(agency, received("contacts", {"email": "ada@example.com"}, "x", minutes=-70))
    names = "kind, received, applied_at, applied_by, entries"
    assert agency.query(f"SELECT {names} FROM intake_log") == [
        ("contacts", "2026-11-21 12:50:00", "2026-11-21 14:00:00", "2026-11-21-daily", 2)
    ]
    assert refused(agency) == [(1, "'x' is not an object")]


def test_the_log_is_cut_after_400_days(agency: Agency) -> None:
    absorbed(agency, *day_of_events())
    agency.query("UPDATE intake_log SET applied_at = '2025-10-01' WHERE event_id <> 'sent'")
    absorbed(agency, received("suppressions", {"contact_id": 1}, event_id="new"))
    assert [row[0] for row in agency.query(LOG)] == ["sent", "new"]


def test_events_of_other_kinds_wait(agency: Agency) -> None:
    connection = apsw.Connection(str(agency.path))
    unknown = received("weather", {"sun": 1}, event_id="later")
    with connection:
        done = absorb(
            connection,
            [*day_of_events(), unknown],
            Config(),
            NOW,
            "run",
            kinds={"deliveries"},
        )
    connection.close()
    assert set(done.known) == {"sent"}
    assert done.pre_scheduled == 1
    rest = absorbed(agency, *day_of_events(), unknown)
    assert sum(rest.events.values()) == len(day_of_events()) - 1
    assert "later" not in rest.known


def test_all_is_one_transaction_of_the_caller(agency: Agency) -> None:
    connection = apsw.Connection(str(agency.path))
    before = agency.path.read_bytes()
    connection.execute("BEGIN IMMEDIATE")
    absorb(connection, day_of_events(), Config(), NOW, "run")
    connection.execute("ROLLBACK")
    connection.close()
    assert agency.path.read_bytes() == before


def test_an_event_that_is_none_is_refused_as_a_whole(agency: Agency) -> None:
    bad = [
        received("deliveries", {"id": 7, "status": "sent"}, event_id="replan", replan=True),
        received("activity", event_id="empty"),
        received("activity", *itertools.repeat({}, 1001), event_id="long"),
        received("activity", {}, event_id="more", colour="red"),
    ]
    done = absorbed(agency, *bad)
    assert done.refused == 4
    assert [(index, why.partition("[{}")[0]) for index, why in refused(agency)] == [
        (None, "Deliveries.replan: True is not False"),
        (None, "Activity.entries: [] is not a list of at least 1 items"),
        (None, "Activity.entries: "),
        (None, "Activity.colour: unknown key"),
    ]
    assert agency.query("SELECT status FROM email_schedules") == [("pre-scheduled",)]
