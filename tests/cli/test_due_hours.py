"""The moments that `almanac due` hands out, by the configuration of the last run."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.cli_calls import AS_OF, almanac
from tests.support.tiny import Agency

DAY = "2026-11-23"
SMS = {"birthday": "birthday_sms"}
BIRTH_DATE = "1950-12-07"  # its message is due on DAY
PEOPLE = {1: ("AZ", "85001"), 2: ("FL", "32501"), 3: ("KY", "40202"), 4: ("TN", None)}


@pytest.fixture
def small(tmp_path: Path) -> Agency:
    """A birthday on one day in Phoenix, Pensacola, Louisville, and somewhere in Tennessee."""
    agency = Agency(tmp_path / "agency.sqlite3")
    for contact, (state, zip_code) in PEOPLE.items():
        agency.contact(
            contact,
            state,
            zip_code=zip_code,
            birth_date=BIRTH_DATE,
            phone_number=f"602555010{contact}",
            sms_consent=1,
        )
    return agency


def plan(agency: Agency, **delivery: Any) -> None:
    rules = {"KY": None}
    agency.plan(AS_OF, sms=SMS, delivery=delivery, state_rules=rules)


def due(agency: Agency, *options: object) -> dict[int, dict[str, Any]]:
    given = almanac("due", agency.path, "--on", DAY, *options)
    assert given.code == 0, given.err
    return {m["contact_id"]: m for m in map(json.loads, given.out.splitlines())}


def moments(agency: Agency) -> dict[int, tuple[str | None, ...]]:
    """The three moments of each contact, as times of the day with their offsets."""
    fields = ("email_at", "sms_at", "sms_until")
    return {
        contact: tuple(_on_the_day(message[field]) for field in fields)
        for contact, message in due(agency).items()
    }


def _on_the_day(moment: str | None) -> str | None:
    if moment is None:
        return None
    day, _, time = moment.partition("T")
    assert day == DAY
    return time.replace(":00-", "-")


def test_the_email_is_in_the_agencys_zone_and_the_text_message_in_the_contacts(
    small: Agency,
) -> None:
    plan(small)
    assert moments(small) == {
        1: ("08:30-06:00", "09:00-07:00", "20:00-07:00"),
        2: ("08:30-06:00", "09:00-06:00", "20:00-06:00"),
        3: ("08:30-06:00", "10:00-05:00", "20:00-05:00"),
        4: ("08:30-06:00", "09:00-06:00", "19:00-06:00"),
    }
    assert {m["scheduled_send_time"] for m in due(small).values()} == {"08:30:00"}


def test_with_zone_contact_each_email_is_in_the_contacts_zone(small: Agency) -> None:
    plan(small, zone="contact")
    found = {contact: moment[0] for contact, moment in moments(small).items()}
    assert found == {1: "08:30-07:00", 2: "08:30-06:00", 3: "08:30-05:00", 4: "08:30-06:00"}


def test_the_hours_of_the_configuration_are_kept_with_those_of_states(small: Agency) -> None:
    plan(small, sms_hours={"from": "11:00", "states": {"AZ": {"to": "18:30"}, "KY": None}})
    found = {contact: moment[1:] for contact, moment in moments(small).items()}
    assert found[1] == ("11:00-07:00", "18:30-07:00")
    assert found[2] == ("11:00-06:00", "20:00-06:00")
    assert found[3] == ("11:00-05:00", "20:00-05:00")


def test_the_plan_is_the_same_whatever_the_hours(small: Agency) -> None:
    rows = "SELECT * FROM email_schedules ORDER BY id"
    plan(small)
    before = small.query(rows)
    assert len(before) >= len(PEOPLE)
    plan(small, zone="contact", sms_hours={"from": "12:00"})
    assert small.query(rows) == before


def test_a_message_without_a_text_message_has_no_moment_for_one(small: Agency) -> None:
    small.query("UPDATE contacts SET phone_number = NULL WHERE id = 1")
    plan(small)
    assert moments(small)[1] == ("08:30-06:00", None, None)


def test_csv_has_the_moments_beside_the_columns_that_are_chosen(small: Agency) -> None:
    plan(small)
    given = almanac("due", small.path, "--on", DAY, "--format", "csv", "--columns", "state")
    first = next(csv.DictReader(io.StringIO(given.out)))
    assert first["email_at"] == f"{DAY}T08:30:00-06:00"
    assert first["sms_at"] == f"{DAY}T09:00:00-07:00"
    assert first["sms_until"] == f"{DAY}T20:00:00-07:00"
    assert first["contact.state"] == "AZ"


def test_claimed_messages_have_the_moments_of_their_own_day(small: Agency, tmp_path: Path) -> None:
    plan(small)
    marks = tmp_path / "claims.jsonl"
    marks.write_text(json.dumps({"id": due(small)[1]["id"], "status": "processing"}))
    assert almanac("mark", small.path, marks).code == 0
    given = almanac("due", small.path, "--on", "2026-11-24", "--claimed")
    assert json.loads(given.out)["sms_at"] == f"{DAY}T09:00:00-07:00"


def test_text_messages_without_an_allowed_hour_are_counted_and_the_email_goes(
    small: Agency,
) -> None:
    small.query("UPDATE contacts SET zip_code = NULL, state = NULL WHERE id = 4")
    plan(small, sms_hours={"to": "19:00"})
    message = due(small)[4]
    assert message["email_at"] == f"{DAY}T08:30:00-06:00"
    assert (message["sms_template"], message["phone"], message["sms_at"]) == (None, None, None)
    given = almanac("due", small.path, "--on", DAY, "--json")
    assert json.loads(given.err)["without_hours"] == 1
    words = almanac("due", small.path, "--on", DAY).err
    assert "without their text message, for which no hour of the day is allowed: 1" in words


def test_a_time_that_another_program_wrote_costs_the_text_message_of_its_row(
    small: Agency,
) -> None:
    plan(small)
    small.query("UPDATE email_schedules SET scheduled_send_time = 'soon' WHERE contact_id = 1")
    found = due(small)
    assert (found[1]["email_at"], found[1]["sms_template"]) == (None, None)
    assert found[2]["sms_template"] == "birthday_sms"


def test_a_file_that_no_run_has_planned_has_the_default_hours(small: Agency) -> None:
    small.insert(
        "email_schedules",
        contact_id=1,
        email_type="birthday",
        scheduled_send_date=DAY,
        status="pre-scheduled",
        sms_template="theirs",
    )
    assert moments(small) == {1: ("08:30-06:00", "09:00-07:00", "20:00-07:00")}


def test_explain_names_the_zone_and_the_hours_of_the_contact(small: Agency) -> None:
    plan(small)
    given = almanac("explain", small.path, "--contact", 3, "--json")
    assert json.loads(given.out)["contact"]["hours"] == (
        "e-mail in the zone America/Chicago; text messages from 10:00 to 20:00 in America/New_York"
    )
    assert "text messages from 10:00" in almanac("explain", small.path, "--contact", 3).out
