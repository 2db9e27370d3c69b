"""Whatever the planning thinks: no commit leaves a message to somebody who is suppressed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from almanac.errors import Corrupt
from almanac.planning import contacts
from tests.support.clouds import NOW, Cloud, plan_in
from tests.support.tiny import Agency

ORG, RUN = "206", f"{NOW.date()}-daily"
AS_OF = "2027-03-01"
REFUSED = r"contact {} gets nothing \(Suppressed: {}\), yet has a message on 2027-05-18"


@pytest.fixture
def agency(tmp_path: Path) -> Agency:
    """Three contacts, each with a birthday in June."""
    made = Agency(tmp_path / "agency.sqlite3")
    for contact in (1, 2, 3):
        made.contact(contact, birth_date="1960-06-01")
    return made


@pytest.fixture
def forgetful(monkeypatch: pytest.MonkeyPatch) -> None:
    """A planning that forgets what suppressions are."""
    monkeypatch.setattr(contacts, "in_force", lambda table, as_of: table.slice(0, 0))


@pytest.mark.usefixtures("forgetful")
@pytest.mark.parametrize(
    ("contact", "row"),
    [
        (2, {"contact_id": 2, "reason": "unsubscribe"}),
        (2, {"contact_id": "2", "reason": " unsubscribe ", "since": AS_OF, "until": AS_OF}),
        (3, {"email": "\t USER3@example.com\n", "reason": "unsubscribe", "since": "soon"}),
        (3, {"email": "user3@example.com", "reason": "unsubscribe", "until": "2027-3-9"}),
        (3, {"email": "user3@example.com", "reason": "unsubscribe", "until": "2027-02-30"}),
        (1, {"email": "user1@example.com", "reason": "unsubscribe", "since": "2027-03-01T09:00"}),
    ],
)
def test_a_run_that_forgets_a_suppression_commits_nothing(
    agency: Agency, contact: int, row: dict[str, object]
) -> None:
    agency.insert("suppressions", **row)
    before = agency.path.read_bytes()
    with pytest.raises(Corrupt, match=REFUSED.format(contact, "unsubscribe")):
        agency.plan(AS_OF)
    assert agency.path.read_bytes() == before


@pytest.mark.usefixtures("forgetful")
@pytest.mark.parametrize(
    "row",
    [
        {"contact_id": 2, "since": "2027-03-02"},
        {"contact_id": 2, "until": "2027-02-28"},
        {"contact_id": 2, "until": "2027-02-28 23:59:59"},
        {"contact_id": 0, "email": " "},
        {"contact_id": 4, "email": "somebody@example.com"},
    ],
)
def test_what_holds_for_nobody_on_the_day_is_no_reason_to_refuse(
    agency: Agency, row: dict[str, object]
) -> None:
    agency.insert("suppressions", **row)
    agency.plan(AS_OF)
    assert len(agency.days()) == 3


@pytest.mark.usefixtures("forgetful")
def test_rows_of_contacts_out_of_scope_stay_whoever_is_suppressed(agency: Agency) -> None:
    agency.plan(AS_OF)
    rows = agency.query("SELECT * FROM email_schedules WHERE contact_id = 2 ORDER BY id")
    agency.insert("suppressions", contact_id=2)
    agency.plan(AS_OF, scope=[(1, 1), (3, 3)])
    assert (
        agency.query("SELECT * FROM email_schedules WHERE contact_id = 2 ORDER BY id") == rows != []
    )
    with pytest.raises(Corrupt, match=REFUSED.format(2, "unspecified")):
        agency.plan(AS_OF, scope=[(2, 2)])


@pytest.mark.usefixtures("forgetful")
def test_of_contacts_with_one_id_only_the_one_that_is_planned_counts(tmp_path: Path) -> None:
    agency = Agency(tmp_path / "agency.sqlite3")
    agency.query("DROP TABLE contacts")
    agency.query("CREATE TABLE contacts (id INTEGER, email TEXT, birth_date TEXT)")
    for email in ("first@example.com", "second@example.com"):
        agency.insert("contacts", id=1, email=email, birth_date="1960-06-01")
    agency.insert("suppressions", email="second@example.com")
    agency.plan(AS_OF)
    assert agency.days() == ["2027-05-18"]
    agency.insert("suppressions", email="first@example.com")
    with pytest.raises(Corrupt, match=REFUSED.format(1, "unspecified")):
        agency.plan(AS_OF)


def test_with_a_planning_that_remembers_the_same_is_skipped_and_committed(agency: Agency) -> None:
    agency.plan(AS_OF)
    agency.insert("suppressions", contact_id=2, reason="unsubscribe")
    agency.plan(AS_OF)
    assert agency.lines(2) == [
        "birthday 2027-06-01: 2027-05-18 skipped, Suppressed: unsubscribe",
    ]
    assert len(agency.days()) == 2


# In a store


@pytest.fixture
def cloud(folder: Path, agency: Agency) -> Iterator[Cloud]:
    made = Cloud(folder, shard_contacts=1)
    agency.insert("suppressions", contact_id=2, reason="unsubscribe")
    made.push(ORG, agency.path)
    yield made
    made.close()


def test_in_a_store_the_shard_is_planned_again(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as forgetful:
        forgetful.setattr(contacts, "in_force", lambda table, as_of: table.slice(0, 0))
        cloud.only("orchestrator", "shard")
        cloud.ask(ORG)
        cloud.run()
    cloud.everything()
    cloud.ask(ORG)  # whoever asks again finds all fragments there
    cloud.run()
    assert cloud.result(ORG, RUN).state == "committed"
    reasons = [row for row in plan_in(cloud.pull(ORG))["email_schedules"] if "skipped" in row]
    assert any("Suppressed: unsubscribe" in row for row in reasons)


@pytest.mark.usefixtures("forgetful")
def test_in_a_store_one_that_forgets_every_time_fails_and_publishes_nothing(cloud: Cloud) -> None:
    before = cloud.version(ORG)
    cloud.ask(ORG)
    cloud.run()
    result = cloud.result(ORG, RUN)
    assert result.state == "failed"
    assert "contact 2 gets nothing (Suppressed: unsubscribe)" in str(result.reason)
    assert cloud.version(ORG) == before


@pytest.mark.usefixtures("forgetful")
def test_a_campaign_change_is_judged_by_the_contacts_that_it_affects(
    cloud: Cloud, agency: Agency
) -> None:
    agency.query("DELETE FROM suppressions")
    agency.campaign(1, active_start_date="2027-01-01")
    agency.target(1, "2027-06-20", contact_id=1)
    agency.plan(AS_OF)
    agency.insert("suppressions", contact_id=2, reason="unsubscribe")
    cloud.push(ORG, agency.path, "push-planned")
    cloud.change(ORG, "event-1", 1, email_template="other")
    cloud.run()
    states = {cloud.result(ORG, name).state for name in cloud.store.subfolders(f"orgs/{ORG}/runs/")}
    assert states == {"committed"}
