"""Databases that an older scheduler has filled, by examples."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import apsw
import pytest

from tests.support.agency_tables import CONTACTS_OLD, OLD_GUARDS, SCHEDULES_OLD, SCHEDULES_START
from tests.support.sampling import sampled
from tests.support.tiny import Agency

TODAY = "2027-03-01"
RATE = "SCHEDULED_RATE_INCREASE"


class OldAgency(Agency):
    """Contacts, and schedules with the unique indexes and the trigger of an older scheduler."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.query(CONTACTS_OLD)
        self.query(f"CREATE TABLE email_schedules ({SCHEDULES_START}{SCHEDULES_OLD})")
        for statement in OLD_GUARDS:
            self.query(statement)

    def row(self, email_type: str, day: str, status: str, *event: Any, contact: int = 1) -> int:
        """A row of the older scheduler."""
        parts = dict(zip(("event_year", "event_month", "event_day"), event, strict=False))
        return self.sent(email_type, day, contact, status=status, **parts)

    def left(self) -> list[int]:
        """The ids of all rows but those that the run added."""
        sql = "SELECT id FROM email_schedules WHERE ideal_send_date IS NULL ORDER BY id"
        return [row_id for (row_id,) in self.query(sql)]


@pytest.fixture
def old(folder: Path) -> OldAgency:
    return OldAgency(folder / "agency.sqlite3")


def test_indexes_that_forbid_two_campaigns_a_year_go_and_ours_come(old: OldAgency) -> None:
    old.contact(birth_date="1950-06-15")
    old.plan(TODAY)
    sql = "SELECT name, \"unique\" FROM pragma_index_list('email_schedules') ORDER BY name"
    indexes = dict(old.query(sql))
    assert "one_a_day" not in indexes
    assert "one_a_year" not in indexes
    assert indexes["almanac_planned_identity"] == 1
    assert old.query("SELECT name FROM sqlite_schema WHERE type = 'trigger'") == [("touched",)]


def test_its_committed_rows_count_under_todays_names(old: OldAgency) -> None:
    old.contact(1, birth_date="1950-06-15", effective_date="2020-06-15")
    old.contact(2, birth_date="1950-06-15", effective_date="2020-06-15", state="CA")
    rows = [
        old.row("BIRTHDAY", "2027-02-01", "failed", 2025, 1, 1),
        old.row("EFFECTIVE_DATE", "2027-02-01", "failed", 2025, 1, 1),
        old.row("AEP", "2027-08-01", "scheduled", 2025, 1, 1),
        old.row("POST_WINDOW_BIRTHDAY", "2027-08-01", "scheduled", 2027, 1, 1, contact=2),
        old.row("AEP", "2027-08-02", "scheduled", 2025, 1, 1, contact=2),
    ]
    assert old.planned(TODAY, aep={"enabled": True}) == [
        "2 effective_date 2027-06-15: 2027-05-16 skipped, Birthday exclusion window for CA",
        "2 birthday 2027-06-15: 2027-06-01 skipped, Birthday exclusion window for CA",
    ]
    assert old.left() == rows


def test_its_planned_rows_go_if_they_were_to_come_and_are_history_if_not(old: OldAgency) -> None:
    old.contact(1, birth_date="1950-06-15")
    gone = [
        old.row("BIRTHDAY", "2027-06-01", "pre-scheduled", 2027, 6, 15),
        old.row("birthday", TODAY, "skipped", 2026, 1, 1),
    ]
    kept = [
        old.row("EFFECTIVE_DATE", "2027-02-28", "pre-scheduled", 2027, 3, 30),
        old.row("AEP", "2026-09-15", "skipped", 2026, 9, 15),
        old.row("POST_WINDOW", "soon", "pre-scheduled", 2024, 1, 1),
        old.row("birthday", "2027-06-02", "pre-scheduled", 2027, 6, 15, contact=88),  # nobody's
    ]
    assert old.planned(TODAY) == ["birthday 2027-06-15: 2027-06-01"]
    assert old.left() == kept
    assert not set(gone) & set(old.left())
    sql = "SELECT status, skip_reason FROM email_schedules WHERE ideal_send_date IS NULL"
    assert old.query(f"{sql} ORDER BY id") == [
        ("skipped", "Not sent by its deadline"),
        ("skipped", None),
        ("skipped", "Not sent by its deadline"),
        ("pre-scheduled", None),
    ]


@pytest.mark.parametrize(
    ("send", "event", "trigger"),
    sampled(
        [
            ("2027-06-06", (2027, 6, 20), "2027-06-20"),
            ("2027-06-06", (2027, 8, 5), "2027-08-05"),  # 60 days after
            ("2027-06-06", (2027, 8, 6), "2027-06-20"),  # 61: the send date and two weeks
            ("2027-06-06", (2027, 4, 7), "2027-04-07"),  # 60 days before
            ("2027-06-06", (2025, 1, 1), "2027-06-20"),
            ("2027-06-06", (2027, 2, 30), "2027-06-20"),
            ("2027-06-06", (None, None, None), "2027-06-20"),
            ("2027-06-06 09:00:00", (None, None, None), "2027-06-20"),
            ("soon", (2027, 6, 20), "2027-06-20"),
            ("2024-02-15", (None, None, None), "2024-02-29"),
        ],
        3,
    ),
)
def test_planned_rate_increases_become_targets_of_a_campaign(
    old: OldAgency, send: str, event: tuple[Any, ...], trigger: str
) -> None:
    old.contact(1)
    row = old.row(RATE, send, "pre-scheduled", *event)
    summary = old.plan(TODAY)
    assert any("turned 1 rows of scheduled_rate_increase" in note for note in summary.migrations)
    sql = """SELECT contact_id, instance_name, trigger_date FROM contact_campaigns
        JOIN campaign_instances ON campaign_instances.id = campaign_instance_id"""
    assert old.query(sql) == [(1, "legacy_rate_increase", trigger)]
    assert row not in old.left()
    sql = """SELECT respect_exclusion_windows, enable_followups, days_before_event, priority,
        target_all_contacts, active FROM campaign_types WHERE name = 'rate_increase'"""
    assert old.query(sql) == [(1, 1, 14, 1, 0, 1)]


def test_a_migrated_rate_increase_is_planned_in_the_same_run(old: OldAgency) -> None:
    old.contact(1)
    old.contact(2, state="CA", birth_date="1950-06-15")
    old.row("Scheduled_Rate_Increase", "2027-06-06", "pre-scheduled", 2027, 6, 20)
    old.row("scheduled_rate_increase", "2027-06-07", "pre-scheduled", 2027, 6, 21, contact=2)
    lines = [line for line in old.planned(TODAY) if "campaign" in line]
    assert lines == [
        "1 campaign_rate_increase#1 2027-06-20: 2027-06-06",
        "2 campaign_rate_increase#1 2027-06-21: 2027-06-07 skipped, "
        "Birthday exclusion window for CA",
    ]
    assert old.query("SELECT status FROM contact_campaigns ORDER BY id") == [
        ("scheduled",),
        ("skipped",),
    ]
    before = old.query("SELECT * FROM contact_campaigns")
    old.plan(TODAY)
    assert old.query("SELECT * FROM contact_campaigns") == before


def test_other_rate_increases_are_not_migrated(old: OldAgency) -> None:
    old.contact(1)
    sent = old.row(RATE, "2027-02-20", "sent", 2027, 3, 6)
    skipped = old.row(RATE, "2027-02-21", "skipped", 2026, 3, 6)
    unreadable = old.row(RATE, "soon", "pre-scheduled", 2024, 2, 30)
    assert old.planned(TODAY) == []
    assert old.left() == [sent, skipped, unreadable]
    assert old.query("SELECT count(*) FROM contact_campaigns") == [(0,)]
    assert old.query("SELECT count(*) FROM campaign_instances") == [(0,)]


def test_a_rate_increase_whose_target_is_there_makes_no_second_one(agency: Agency) -> None:
    agency.contact(1)
    agency.campaign(8, "rate_increase", days_before_event=14, priority=1)
    agency.query("UPDATE campaign_instances SET instance_name = 'legacy_rate_increase'")
    target = agency.target(8, "2027-06-20", status="pending")
    event = {"event_year": 2027, "event_month": 6, "event_day": 20}
    agency.sent(RATE, "2027-06-06", status="pre-scheduled", **event)
    assert agency.planned(TODAY) == ["campaign_rate_increase#8 2027-06-20: 2027-06-06"]
    assert agency.query("SELECT id, status FROM contact_campaigns") == [(target, "scheduled")]


def test_old_columns_and_rows_pass_through(old: OldAgency) -> None:
    old.contact(1, birth_date="1950-06-15")
    row = old.row("BIRTHDAY", "2026-06-01", "sent", 2026, 6, 15)
    old.query("UPDATE email_schedules SET catchup_note = 'late', sendgrid_message_id = 'x1'")
    before = old.query("SELECT * FROM email_schedules")
    names = [n for (n,) in old.query("SELECT name FROM pragma_table_info('email_schedules')")]
    old.plan(TODAY)
    assert old.query(f"SELECT {', '.join(names)} FROM email_schedules WHERE id = {row}") == before
    with pytest.raises(apsw.ConstraintError):
        old.query(
            """INSERT INTO email_schedules (contact_id, email_type, event_year, event_month,
                event_day, scheduled_send_date, status, ideal_send_date)
            SELECT contact_id, email_type, event_year, event_month, event_day,
                '2027-06-09', 'skipped', '2027-06-09' FROM email_schedules
            WHERE status = 'pre-scheduled'"""
        )
