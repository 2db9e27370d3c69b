"""Rows with status scheduled, dated in the future, are an older scheduler's plan."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.cli_calls import almanac, state_of
from tests.support.tiny import Agency

AS_OF = "2026-11-21"
SCHEDULED = "SELECT id FROM email_schedules WHERE lower(status) = 'scheduled' ORDER BY id"


@pytest.fixture
def tiny(tmp_path: Path) -> Agency:
    made = Agency(tmp_path / "agency.sqlite3")
    for contact in (1, 2, 3):
        made.contact(contact, birth_date="1950-12-20")
    made.contact(4, birth_date="1950-12-20", status="cancelled")
    # birthdays are planned for 6 December
    made.sent("birthday", "2026-12-01", contact_id=1, status="scheduled", event_year=2026)
    made.sent("BIRTHDAY", "2026-12-02", contact_id=2, status="SCHEDULED")
    made.sent("birthday", "2026-12-06", contact_id=4, status="scheduled")
    # not an older scheduler's plan, or of no contact
    made.sent("birthday", "2026-12-06", contact_id=99, status="scheduled")
    made.sent("birthday", "2026-11-20", contact_id=3, status="scheduled")
    made.sent("aep", "2026-12-01", contact_id=3, status="scheduled", ideal_send_date="2026-12-01")
    made.sent("aep", "soon", contact_id=3, status="scheduled")
    return made


def words(text: str) -> str:
    return " ".join(text.split())


def birthdays(tiny: Agency) -> list[int]:
    """The contacts with a birthday message planned."""
    found = tiny.query(
        "SELECT contact_id FROM email_schedules "
        "WHERE email_type = 'birthday' AND status = 'pre-scheduled' AND event_year = 2026 "
        "ORDER BY contact_id"
    )
    return [contact for (contact,) in found]


def test_the_run_names_them_with_their_number(tiny: Agency) -> None:
    answer = almanac("run", tiny.path, "--as-of", AS_OF)
    assert "3 rows of status scheduled" in words(answer.out)
    assert "almanac run --adopt-scheduled" in words(answer.out)
    assert birthdays(tiny) == []
    summary = json.loads(almanac("run", tiny.path, "--as-of", AS_OF, "--json").out)
    assert (summary["scheduled_by_others"], summary["adopted"]) == (3, 0)


def test_check_names_them_with_their_number(tiny: Agency) -> None:
    tiny.query(
        "UPDATE email_schedules SET scheduled_send_date = '2999' || substr("
        "scheduled_send_date, 5) WHERE scheduled_send_date LIKE '2026-12%'"
    )
    answer = almanac("check", tiny.path)
    assert answer.code == 0
    assert "3 rows of status scheduled" in words(answer.out)
    assert json.loads(almanac("check", tiny.path, "--json").out)["scheduled_by_others"] == 3


def test_adopted_rows_go_and_their_events_are_planned_again(tiny: Agency) -> None:
    others = "SELECT * FROM email_schedules WHERE contact_id = 3 AND status = 'scheduled'"
    before = tiny.query(others)
    answer = almanac("run", tiny.path, "--as-of", AS_OF, "--adopt-scheduled")
    assert answer.code == 0
    assert "3 rows became planned rows" in words(answer.out)
    assert "of status scheduled without" not in words(answer.out)
    assert birthdays(tiny) == [1, 2]
    assert tiny.query(SCHEDULED) == [(4,), (5,), (6,), (7,)]
    assert tiny.query("SELECT count(*) FROM email_schedules WHERE contact_id = 4") == [(0,)]
    assert tiny.query(others) == before
    again = almanac("run", tiny.path, "--as-of", AS_OF, "--json", "--adopt-scheduled")
    summary = json.loads(again.out)
    assert summary["adopted"] == summary["scheduled_by_others"] == 0
    assert {change for change, rows in summary["changes"].items() if rows} == {"unchanged"}


def test_a_dry_run_adopts_nothing(tiny: Agency, tmp_path: Path) -> None:
    before = state_of(tmp_path)
    answer = almanac("run", tiny.path, "--as-of", AS_OF, "--adopt-scheduled", "--dry-run")
    assert "3 rows would become planned rows" in words(answer.out)
    assert state_of(tmp_path) == before


def test_only_rows_of_contacts_in_scope_are_adopted(tiny: Agency) -> None:
    options = ("--as-of", AS_OF, "--adopt-scheduled", "--contacts", "2-3")
    assert almanac("run", tiny.path, *options).code == 0
    assert tiny.query(SCHEDULED) == [(1,), (3,), (4,), (5,), (6,), (7,)]
    assert birthdays(tiny) == [2]


def test_a_run_that_fails_adopts_nothing(tiny: Agency, tmp_path: Path) -> None:
    tiny.query("DROP TABLE IF EXISTS scheduler_checkpoints")
    tiny.query("CREATE TABLE scheduler_checkpoints (id INTEGER PRIMARY KEY, at NOT NULL)")
    before = state_of(tmp_path)
    assert almanac("run", tiny.path, "--as-of", AS_OF, "--adopt-scheduled").code != 0
    assert state_of(tmp_path) == before


def test_a_constraint_that_forbids_planned_rows_is_named(tmp_path: Path) -> None:
    tiny = Agency(tmp_path / "agency.sqlite3")
    tiny.contact(birth_date="1950-12-20")
    tiny.query(
        "CREATE TRIGGER kept BEFORE UPDATE ON email_schedules WHEN OLD.status = 'scheduled' "
        "BEGIN SELECT RAISE(ABORT, 'scheduled rows are kept'); END"
    )
    tiny.sent("birthday", "2026-12-01", status="scheduled")
    answer = almanac("run", tiny.path, "--as-of", AS_OF, "--adopt-scheduled")
    assert answer.code == 2
    assert answer.err.startswith(f"Error: {tiny.path}: ")
    assert "scheduled rows are kept" in answer.err


def test_a_table_without_an_ideal_date_has_only_such_rows(tmp_path: Path) -> None:
    tiny = Agency(tmp_path / "agency.sqlite3")
    tiny.contact(birth_date="1950-12-20")
    tiny.query("DROP TABLE email_schedules")
    tiny.query(
        "CREATE TABLE email_schedules (id INTEGER PRIMARY KEY, contact_id INTEGER, "
        "email_type TEXT, scheduled_send_date TEXT, status TEXT)"
    )
    tiny.sent("birthday", "2026-12-01 08:30:00", status="scheduled")
    assert almanac("run", tiny.path, "--as-of", AS_OF, "--adopt-scheduled").code == 0
    assert birthdays(tiny) == [1]
