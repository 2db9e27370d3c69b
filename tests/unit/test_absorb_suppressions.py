"""Suppressions that come in as events."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.intake_calls import absorbed, received, refused
from tests.support.tiny import Agency

ROWS = "SELECT email, contact_id, phone, reason, until FROM suppressions ORDER BY rowid"
ADA: dict[str, Any] = {"email": "User1@example.com", "reason": "unsubscribe"}
STOP: dict[str, Any] = {"phone": "(512) 555-0134", "channel": "sms", "reason": "STOP"}


@pytest.fixture
def agency(tmp_path: Path) -> Agency:
    made = Agency(tmp_path / "agency.sqlite3")
    made.contact(1, phone_number="15125550134")
    made.contact(2, email="USER1@example.com ")
    made.contact(3)
    return made


def test_a_suppression_begins_on_the_day_of_its_event(agency: Agency) -> None:
    absorbed(agency, received("suppressions", ADA, minutes=-9 * 60))  # 05:00 of Greenwich
    sql = "SELECT email, reason, source, since, until FROM suppressions"
    assert agency.query(sql) == [("User1@example.com", "unsubscribe", "intake", "2026-11-20", None)]


def test_all_columns_are_taken(agency: Agency) -> None:
    entry: dict[str, Any] = {
        "contact_id": "3",
        "reason": "r",
        "source": "crm",
        "since": "2026-01-02",
    }
    entry |= {"until": "2027-01-01", "email_types": ["Birthday", "aep"], "channel": "SMS"}
    absorbed(agency, received("suppressions", entry))
    names = "email, contact_id, reason, source, since, until, channel, email_types, phone"
    assert agency.query(f"SELECT {names} FROM suppressions") == [
        (None, 3, "r", "crm", "2026-01-02", "2027-01-01", "sms", "birthday,aep", None)
    ]


def test_a_number_beside_an_address_is_a_suppression_of_its_own(agency: Agency) -> None:
    absorbed(agency, received("suppressions", ADA | {"phone": "512-555-0134"}))
    assert [row[:3] for row in agency.query(ROWS)] == [
        ("User1@example.com", None, None),
        (None, None, "512-555-0134"),
    ]


@pytest.mark.parametrize(
    ("first", "second", "rows"),
    [
        (ADA, ADA | {"email": "user1@EXAMPLE.com", "reason": "Unsubscribe"}, 1),
        (ADA, ADA | {"until": "2026-12-24"}, 1),
        (ADA, ADA | {"reason": "complaint"}, 2),
        (ADA, ADA | {"channel": "sms"}, 2),
        (ADA | {"until": "2026-12-24"}, ADA, 2),
        (STOP, STOP | {"phone": "+1 512 555 0134"}, 1),
        ({"contact_id": 1}, {"contact_id": 3}, 2),
    ],
)
def test_what_is_suppressed_already_is_not_added_again(
    agency: Agency, first: dict[str, Any], second: dict[str, Any], rows: int
) -> None:
    absorbed(agency, received("suppressions", first))
    done = absorbed(agency, received("suppressions", second, event_id="e2"))
    assert len(agency.query(ROWS)) == rows
    assert (done.refused, done.events) == (0, {"suppressions": 1})


@pytest.mark.parametrize(
    ("entry", "untils"),
    [
        (ADA, ["2026-11-20", None]),
        (ADA | {"reason": ""}, ["2026-11-20", "2026-11-20"]),
        (ADA | {"until": "2026-12-31"}, ["2026-12-31", None]),
        ({"email": ADA["email"], "channel": "sms"}, [None, "2026-11-20"]),
    ],
)
def test_an_end_is_the_day_before_its_event_or_the_given_one(
    agency: Agency, entry: dict[str, Any], untils: list[str | None]
) -> None:
    other = ADA | {"reason": "moved", "channel": "sms"}
    since = {"since": "2026-01-01"}
    end = entry | {"action": "end"}
    absorbed(agency, received("suppressions", ADA | since, other | since, end, end))
    assert [row[-1] for row in agency.query(ROWS)] == untils
    assert refused(agency) == []


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        (ADA | {"action": "end"}, "user1@example.com: there is no such suppression to end"),
        ({"email": "ada"}, "email: 'ada' is not an e-mail address"),
        ({"phone": "12"}, "phone: '12' is not a phone number of 10 to 15 digits"),
        (ADA | {"email_types": "gift"}, "email_types: 'gift' is not a type of message"),
        (ADA | {"channel": "fax"}, "channel: 'fax': expected sms"),
        (ADA | {"since": "2026-12-01", "until": "2026-01-01"}, "is before its beginning"),
    ],
)
def test_what_is_no_suppression_is_refused(agency: Agency, entry: dict[str, Any], why: str) -> None:
    absorbed(agency, received("suppressions", entry, {"contact_id": 3}))
    ((index, reason),) = refused(agency)
    assert (index, len(agency.query(ROWS))) == (0, 1)
    assert why in reason


@pytest.mark.parametrize(
    ("entry", "contacts"), [(ADA, [1, 2]), (STOP, [1]), ({"contact_id": 3}, [3])]
)
def test_a_replan_is_for_all_whom_the_suppression_names(
    agency: Agency, entry: dict[str, Any], contacts: list[int]
) -> None:
    later = received("suppressions", {"contact_id": 2}, event_id="e2")
    done = absorbed(agency, received("suppressions", entry, replan=True), later)
    assert done.replan_contacts.tolist() == contacts
