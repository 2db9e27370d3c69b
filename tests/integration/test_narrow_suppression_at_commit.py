"""Whatever the planning thinks: no commit leaves a text message, or a message of a type, to a
contact from whom a suppression takes it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from almanac.errors import Corrupt
from almanac.planning import contacts
from tests.support.tiny import Agency

AS_OF = "2027-03-01"
TEXTS: dict[str, Any] = {"sms": {"birthday": "birthday_text"}}


@pytest.fixture
def agency(tmp_path: Path) -> Agency:
    """Two contacts with birthdays and phone numbers; the second is a campaign's target."""
    made = Agency(tmp_path / "agency.sqlite3")
    for contact in (1, 2):
        phone = f"+1 (555) 010-123{contact}"
        made.contact(contact, birth_date="1960-06-01", phone_number=phone, sms_consent=1)
    made.campaign(3, "News", email_template="news")
    made.target(3, "2027-06-20", contact_id=2)
    return made


@pytest.fixture
def forgetful(monkeypatch: pytest.MonkeyPatch) -> None:
    """A planning that forgets what suppressions are."""
    monkeypatch.setattr(contacts, "in_force", lambda table, as_of: table.slice(0, 0))


BIRTHDAY = "gets no birthday (Suppressed: enough), yet has one on 2027-05-18"
CAMPAIGN = "gets no campaign_News (Suppressed: enough), yet has one on 2027-06-20"
TEXT = "gets no text message (Suppressed: enough), yet has one on 2027-05-18"


@pytest.mark.usefixtures("forgetful")
@pytest.mark.parametrize(
    ("row", "found"),
    [
        ({"contact_id": 1, "channel": " SMS "}, f"contact 1 {TEXT}"),
        ({"email": "USER2@example.com", "channel": "sms"}, f"contact 2 {TEXT}"),
        ({"phone": "555.010.1232"}, f"contact 2 {TEXT}"),
        ({"phone": 15550101231.0}, f"contact 1 {TEXT}"),
        ({"phone": "5550101231", "contact_id": 2}, f"contact 1 {TEXT}"),
        ({"contact_id": 1, "email_types": " aep , Birthday"}, f"contact 1 {BIRTHDAY}"),
        ({"email": "user2@example.com", "email_types": "campaign_*"}, f"contact 2 {CAMPAIGN}"),
        ({"contact_id": 2, "email_types": "CAMPAIGN_NEWS"}, f"contact 2 {CAMPAIGN}"),
        (
            {"contact_id": 1, "channel": "sms", "email_types": "birthday"},
            "contact 1 gets no birthday text message (Suppressed: enough), yet has one on 2027-05",
        ),
    ],
)
def test_a_run_that_forgets_a_suppression_of_some_messages_commits_nothing(
    agency: Agency, row: dict[str, object], found: str
) -> None:
    agency.insert("suppressions", **row, reason="enough")
    before = agency.path.read_bytes()
    with pytest.raises(Corrupt) as error:
        agency.plan(AS_OF, **TEXTS)
    assert found in str(error.value)
    assert agency.path.read_bytes() == before


def test_what_a_trigger_suppresses_while_the_run_writes_is_found_too(agency: Agency) -> None:
    agency.query(
        "CREATE TRIGGER enough AFTER INSERT ON email_schedules WHEN new.contact_id = 1 BEGIN "
        "INSERT INTO Suppressions (contact_id, reason) VALUES (1, 'enough'); END"
    )
    with pytest.raises(Corrupt, match="contact 1 gets nothing"):
        agency.plan(AS_OF, **TEXTS)
    assert agency.query("SELECT count(*) FROM suppressions") == [(0,)]


@pytest.mark.usefixtures("forgetful")
@pytest.mark.parametrize(
    "row",
    [
        {"contact_id": 1, "channel": "sms", "until": "2027-02-28"},
        {"contact_id": 1, "channel": "sms", "email_types": "aep"},
        {"phone": "555 010 9999"},
        {"phone": "n/a"},
        {"phone": "555 010 1231", "since": "2027-03-02"},
        {"contact_id": 1, "email_types": "aep, campaign_*"},
        {"contact_id": 2, "email_types": "campaign_"},
    ],
)
def test_what_takes_no_message_away_is_no_reason_to_refuse(
    agency: Agency, row: dict[str, object]
) -> None:
    agency.insert("suppressions", **row)
    agency.plan(AS_OF, **TEXTS)
    assert len(agency.days()) == 3


@pytest.mark.usefixtures("forgetful")
@pytest.mark.parametrize(
    "row", [{"email": "user1@example.com"}, {"phone": "555 010 1231"}], ids=["address", "number"]
)
def test_addresses_and_numbers_are_looked_up_in_the_columns_that_the_agency_uses(
    agency: Agency, row: dict[str, object]
) -> None:
    agency.query("ALTER TABLE contacts RENAME COLUMN email TO mail")
    agency.query("ALTER TABLE contacts RENAME COLUMN phone_number TO Mobile")
    agency.query("ALTER TABLE contacts ADD COLUMN email")
    agency.insert("suppressions", **row)
    mapped = {"columns": {"email": "mail", "phone_number": "Mobile"}}
    with pytest.raises(Corrupt, match=r"contact 1 gets no\w*"):
        agency.plan(AS_OF, **TEXTS, contacts=mapped)


def test_with_a_planning_that_remembers_the_mail_goes_without_its_text(agency: Agency) -> None:
    agency.insert("suppressions", phone="15550101231.0")
    agency.insert("suppressions", contact_id=2, email_types="campaign_*", reason="enough")
    agency.plan(AS_OF, **TEXTS)
    assert agency.query("SELECT contact_id, sms_template FROM email_schedules ORDER BY id")[:2] == [
        (1, None),
        (2, "birthday_text"),
    ]
    assert agency.lines(2)[1].endswith("skipped, Suppressed: enough")
