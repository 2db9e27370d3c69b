"""`almanac check`: what it finds, that it changes nothing, and when it says no."""

from __future__ import annotations

import json
from pathlib import Path

import apsw
import pytest

from almanac.config import Config
from almanac.organizations import check as module
from almanac.organizations.check import check_file
from tests.support.agencies import build
from tests.support.cli_calls import AS_OF, agency, almanac, state_of
from tests.support.tiny import Agency


@pytest.mark.parametrize("schema", ["old", "new", "minimal", "bare"])
def test_a_database_of_any_age_is_usable_and_stays_as_it_is(tmp_path: Path, schema: str) -> None:
    path = build(tmp_path / "agency.sqlite3", 5, 30, schema=schema)
    before = state_of(tmp_path)
    answer = almanac("check", path)
    bare = schema == "bare"  # without states
    assert (answer.code, answer.err) == (2 if bare else 0, "")
    verdict = "needs --without-states to be planned" if bare else "can be planned"
    assert verdict in " ".join(answer.out.split())
    assert state_of(tmp_path) == before


def test_it_finds_the_issues_that_a_run_reports(tmp_path: Path) -> None:
    path = agency(tmp_path / "agency.sqlite3", 1000)
    found = json.loads(almanac("check", path, "--json").out)
    summary = json.loads(almanac("run", path, "--as-of", AS_OF, "--json").out)
    for ours, theirs in (
        ("issues", "issues"),
        ("left_out", "left_out"),
        ("unknown_targets", "unknown_targets"),
        ("contacts", "contacts_total"),
        ("eligible", "contacts_eligible"),
    ):
        assert found[ours] == summary[theirs]
    assert found["usable"]
    assert "contact_issues" in found["missing_tables"]
    assert json.loads(almanac("check", path, "--json").out)["missing_tables"] == []


def test_a_planned_database_in_order_is_said_to_be(tmp_path: Path) -> None:
    tiny = Agency(tmp_path / "agency.sqlite3")
    tiny.contact(birth_date="1950-05-05")
    tiny.plan(AS_OF)
    answer = almanac("check", tiny.path)
    assert "no problem was found" in " ".join(answer.out.split())


def test_dates_that_are_none_are_counted(tmp_path: Path) -> None:
    tiny = Agency(tmp_path / "agency.sqlite3")
    tiny.contact(birth_date="06/15/1950")
    tiny.campaign(3, active_end_date="soon")
    tiny.target(3, "tomorrow")
    tiny.target(3, None)
    tiny.sent("birthday", "", status="sent")
    found = check_file(tiny.path, Config())
    assert found.issues == {"invalid_birth_date": 1}
    assert found.odd_dates == {
        "campaign_instances.active_end_date": 1,
        "contact_campaigns.trigger_date": 1,
        "email_schedules.scheduled_send_date": 1,
    }


def test_times_that_cannot_be_read_are_counted(tmp_path: Path) -> None:
    tiny = Agency(tmp_path / "agency.sqlite3")
    tiny.contact()
    tiny.campaign(3)
    for time in ("6/1/2027", "2027-06-01 09:30:00", "1795000000", None):
        tiny.target(3, None, created_at=time)
        tiny.insert("tracking_clicks", contact_id=1, clicked_at=time)
    tiny.insert(
        "contact_events", contact_id=1, event_type="eligibility_answered", created_at="yesterday"
    )
    tiny.sent("birthday", "2026-11-20", actual_send_datetime="this morning")
    assert check_file(tiny.path, Config()).odd_dates == {
        "contact_campaigns.created_at": 1,
        "contact_events.created_at": 1,
        "email_schedules.actual_send_datetime": 1,
        "tracking_clicks.clicked_at": 1,
    }


def test_ranges_of_contacts_make_no_difference(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = agency(tmp_path / "agency.sqlite3", 500)
    whole = check_file(path, Config())
    monkeypatch.setattr(module, "BATCH", 13)
    assert check_file(path, Config()) == whole


def test_a_damaged_file_is_refused_with_sqlites_words(tmp_path: Path) -> None:
    path = agency(tmp_path / "agency.sqlite3", 2000)
    connection = apsw.Connection(str(path))
    connection.execute("CREATE INDEX spoilt ON contacts (zip_code)")
    connection.execute("PRAGMA writable_schema = ON")
    connection.execute(
        "UPDATE sqlite_schema SET sql = 'CREATE INDEX spoilt ON contacts (agent_id)' "
        "WHERE name = 'spoilt'"
    )
    connection.close()
    before = state_of(tmp_path)
    answer = almanac("check", path)
    assert answer.code == 2
    assert "cannot be used as it is" in " ".join(answer.out.split())
    assert "Damage" in answer.out
    assert state_of(tmp_path) == before


def test_a_view_in_the_place_of_a_table_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "agency.sqlite3"
    connection = apsw.Connection(str(path))
    connection.execute("CREATE TABLE contacts (id INTEGER PRIMARY KEY, email TEXT)")
    connection.execute("CREATE VIEW email_schedules AS SELECT id AS contact_id FROM contacts")
    connection.close()
    answer = almanac("check", path)
    assert answer.code == 2
    assert "email_schedules is a view" in answer.out
    assert not json.loads(almanac("check", path, "--json").out)["usable"]
