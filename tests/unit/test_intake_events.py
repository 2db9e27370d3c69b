"""Events and their entries: what is taken, and what each malformed entry is refused for."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest

from almanac.errors import RequestError
from almanac.intake.entries import DeliveryEntry
from almanac.intake.events import ENTRIES, EVENTS, MAX_BYTES, entries_of, parse_event
from almanac.schedule_status import MARKS
from tests.support.hostile_entries import ANY, BIG, HOSTILE
from tests.support.intake_calls import absorbed, received
from tests.support.tiny import Agency

VALID: dict[str, dict[str, Any]] = {
    "deliveries": {"id": 7, "status": "sent"},
    "activity": {"type": "click", "contact_id": 1},
    "suppressions": {"contact_id": 1},
    "contacts": {"id": 1, "state": "TX"},
    "targets": {"campaign_instance_id": 4, "contact_id": 1},
    "campaigns": {"type": {"name": "promo"}},
}


def read(kind: str, *entries: object) -> tuple[list[int], list[str]]:
    """Which entries of an event are valid, and why the others are none."""
    event = {"event_id": "e", "org_id": "206", "entries": list(entries)}
    valid, refused = entries_of(EVENTS[kind].model_validate(event))
    indexes = [index for index, _ in valid]
    assert sorted([*indexes, *(each.index or 0 for each in refused)]) == [*range(len(entries))]
    return indexes, [each.why for each in refused]


@pytest.mark.parametrize("kind", EVENTS)
def test_a_malformed_entry_costs_itself_and_says_why(kind: str) -> None:
    table = [*ANY, *HOSTILE[kind]]
    entries: list[object] = [entry for entry, _ in table]
    valid, reasons = read(kind, VALID[kind], *entries, VALID[kind])
    assert valid == [0, len(table) + 1]
    for reason, (entry, why) in zip(reasons, table, strict=True):
        assert why in reason, f"{entry}: {reason}"
        assert "\n" not in reason


def test_hostile_entries_never_break_what_applies_the_others(tmp_path: Path) -> None:
    agency = Agency(tmp_path / "agency.sqlite3")
    agency.contact(1)
    agency.campaign(4)
    agency.sent("birthday", "2026-11-23", id=7, status="pre-scheduled")
    odd: dict[str, list[object]] = {
        "deliveries": [{"id": n, "status": s} for n in (0, -1, BIG - 1) for s in MARKS],
        "activity": [{"type": "\u202e", "contact_id": 1, "metadata": {"a": [[[]]]}}],
        "suppressions": [{"contact_id": BIG - 1}, {"phone": "0" * 10}, {"email": "'; --@x.yz"}],
        "contacts": [{"id": BIG - 1, "email": "z@example.com"}, {"email": "z@example.com", "": 1}],
        "targets": [{"campaign_instance_id": BIG - 1, "contact_id": 1}],
        "campaigns": [{"type": {}}, {"instance": {"id": BIG}}, {"type": {"name": ["x"]}}],
    }
    events = [
        received(
            kind,
            *(entry for entry, _ in [*ANY, *HOSTILE[kind]]),
            *odd[kind],
            VALID[kind],
            event_id=kind,
        )
        for kind in EVENTS
    ]
    done = absorbed(agency, *events)
    assert set(done.events) == set(EVENTS)
    assert agency.query("SELECT status FROM email_schedules WHERE id = 7") == [("sent",)]
    assert agency.query("SELECT contact_id FROM tracking_clicks") == [(1,)]
    assert (1,) in agency.query("SELECT contact_id FROM suppressions")
    assert agency.query("SELECT contact_id FROM contact_campaigns") == [(1,)]


def test_a_line_of_due_with_a_status_is_a_mark() -> None:
    line = {
        "id": "7",
        "contact_id": 1.0,
        "email": "ada@example.com",
        "phone": None,
        "email_type": "birthday",
        "campaign_instance_id": None,
        "campaign_name": None,
        "scheduled_send_date": "2026-11-23",
        "scheduled_send_time": "08:30:00",
        "email_at": "2026-11-23T08:30:00-06:00",
        "priority": "10",
        "metadata": None,
        "event_date": "2026-12-07",
        "ideal_send_date": "2026-11-23 00:00:00",
        "contact": {"first_name": "Ada"},
        "status": " Processing",
        "at": "",
    }
    event = EVENTS["deliveries"].model_validate(
        {"event_id": "e", "org_id": "206", "entries": [line]}
    )
    (((_, mark),), refused) = entries_of(event)
    assert refused == []
    assert isinstance(mark, DeliveryEntry)
    assert (mark.id, mark.contact_id, mark.status, mark.priority) == (7, 1, "processing", 10)
    assert (mark.event_date, mark.ideal_send_date, mark.at) == (
        dt.date(2026, 12, 7),
        dt.date(2026, 11, 23),
        None,
    )


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ("2026-11-23T08:31:00Z", "2026-11-23T08:31:00+00:00"),
        ("2026-11-23 08:31:00", "2026-11-23T08:31:00"),
        (1795422660, "2026-11-23T08:31:00+00:00"),
        ("1795422660000", "2026-11-23T08:31:00+00:00"),
        (1795422660.5, "2026-11-23T08:31:00.500000+00:00"),
        (None, None),
    ],
)
def test_times_are_taken_as_mark_takes_them(given: object, taken: str | None) -> None:
    mark = DeliveryEntry.model_validate({"id": 7, "status": "sent", "at": given})
    assert (mark.at.isoformat() if mark.at else None) == taken


@pytest.mark.parametrize(
    ("kind", "change", "why"),
    [
        ("deliveries", {"replan": True}, "Deliveries.replan: True is not False"),
        ("activity", {"replan": True}, "Activity.replan: True is not False"),
        ("contacts", {"replan": "yes"}, "ContactChanges.replan: 'yes' is not true or false"),
        ("contacts", {"entries": []}, "ContactChanges.entries: [] is not a list of at least 1"),
        ("contacts", {"entries": [{}] * 1001}, "is not a list of at most 1000 items"),
        ("contacts", {"entries": {"a": 1}}, "is not a list"),
        ("targets", {"event_id": "a/b"}, "CampaignTargets.event_id: 'a/b' does not match"),
        ("targets", {"event_id": 7}, "CampaignTargets.event_id: 7 is not text"),
        ("campaigns", {"org_id": "../207"}, "CampaignDefine.org_id: '../207' does not match"),
        ("suppressions", {"source": "crm"}, "Suppressions.source: unknown key"),
        ("suppressions", {"x": "y" * MAX_BYTES}, "an event has 1,048,576 at most"),
        ("weather", {}, "'weather' is not one of deliveries, activity, suppressions"),
    ],
)
def test_an_event_is_refused_in_one_line(kind: str, change: dict[str, Any], why: str) -> None:
    event = {"event_id": "e", "org_id": "206", "entries": [{}]} | change
    with pytest.raises(RequestError) as error:
        parse_event(kind, json.dumps(event).encode())
    assert why in str(error.value)
    assert "\n" not in str(error.value)


def test_every_kind_has_an_entry_and_says_what_it_takes() -> None:
    assert list(ENTRIES) == list(EVENTS) == list(VALID)
    for kind, model in ENTRIES.items():
        assert model.__doc__, kind
        json.dumps(model.model_json_schema())
