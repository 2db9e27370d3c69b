"""Rows that cannot be understood: they are left out and told of, and the others are planned."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.damage import build, dump, plan
from tests.support.database_agencies import change


def test_contacts_without_an_integer_id_are_left_out_and_counted(tmp_path: Path) -> None:
    sql = """
        DROP TABLE contacts;
        CREATE TABLE contacts (id, email, state, birth_date);
        INSERT INTO contacts VALUES (1, 'a@example.com', 'TX', '1950-06-01'),
            ('two', 'b@example.com', 'TX', '1950-06-01'), (NULL, 'c@example.com', 'TX', NULL),
            (2.5, 'd@example.com', 'TX', '1950-06-01'), (x'33', 'e@example.com', 'TX', NULL)
    """
    path = build(tmp_path / "agency.sqlite3", sql=sql)
    summary = plan(path)
    assert (summary.contacts_total, summary.contacts_in_scope) == (5, 1)
    sql = "SELECT DISTINCT contact_id FROM email_schedules WHERE status <> 'sent'"
    assert change(path, sql) == [(1,)]


def test_of_contacts_with_one_id_the_first_is_planned(tmp_path: Path) -> None:
    sql = """
        DROP TABLE contacts;
        CREATE TABLE contacts (id INTEGER, email, state, birth_date);
        INSERT INTO contacts VALUES (7, 'a@example.com', 'TX', '1950-06-01'),
            (7, 'b@example.com', 'NY', '1950-09-09'), (8, 'c@example.com', 'TX', '1950-06-01')
    """
    path = build(tmp_path / "agency.sqlite3", sql=sql)
    summary = plan(path)
    assert (summary.contacts_total, summary.contacts_in_scope) == (3, 2)
    sql = """SELECT contact_id, event_month, status FROM email_schedules
        WHERE email_type = 'birthday' ORDER BY contact_id"""
    assert change(path, sql) == [(7, 6, "pre-scheduled"), (8, 6, "pre-scheduled")]


LONG = "x" * 1_000_000
ODD_VALUES = {
    "integers": "7",
    "reals": "1.5",
    "blobs": "x'ff00fe'",
    "invalid UTF-8": "CAST(x'80c3282d' AS TEXT)",
    "NUL": "'a' || char(0) || 'b'",
    "a megabyte": f"'{LONG}'",
    "other scripts": "'Zoë \U0001f600 \u202e'",
    "NULL": "NULL",
}


@pytest.mark.parametrize("name", ODD_VALUES)
def test_odd_values_in_any_column_of_a_contact_are_no_obstacle(tmp_path: Path, name: str) -> None:
    path = build(tmp_path / "agency.sqlite3", contacts=5)
    columns = ["zip_code", "state", "birth_date", "effective_date", "carrier", "phone_number"]
    changes = ", ".join(f"{column} = {ODD_VALUES[name]}" for column in columns)
    change(path, f"UPDATE contacts SET {changes} WHERE id = 2")
    change(path, f"UPDATE contacts SET email = {ODD_VALUES[name]} WHERE id = 3")
    change(path, f"UPDATE contacts SET status = {ODD_VALUES[name]} WHERE id = 4")
    before = dump(path, "contacts")
    summary = plan(path)
    assert dump(path, "contacts") == before
    issues = change(path, "SELECT contact_id, issue FROM contact_issues ORDER BY 1, 2")
    expected = [(2, "state_unknown"), (3, "invalid_email")]
    if name != "NULL":
        wrong = ("birth_date", "effective_date", "state", "zip", "phone")
        expected += [(2, f"invalid_{what}") for what in wrong]
    assert issues == sorted(expected)
    # 1 and 5 are as they were; 2 has lost its dates, 3 its address, 4 is not active
    assert summary.contacts_eligible == (4 if name == "NULL" else 3)
    planned = change(
        path, "SELECT DISTINCT contact_id FROM email_schedules WHERE status <> 'sent' ORDER BY 1"
    )
    assert planned == [(n,) for n in (1, 2, 4, 5) if n != 4 or name == "NULL"]


@pytest.mark.parametrize("name", [name for name in ODD_VALUES if name != "NULL"])
def test_odd_values_in_committed_rows_are_no_obstacle(tmp_path: Path, name: str) -> None:
    path = build(tmp_path / "agency.sqlite3", contacts=5)
    value = ODD_VALUES[name]
    for contact, column in enumerate(
        ("email_type", "scheduled_send_date", "status", "event_year", "contact_id"), start=1
    ):
        change(path, f"UPDATE email_schedules SET {column} = {value} WHERE contact_id = {contact}")
    before = dump(path, "email_schedules")
    plan(path)
    known = "id, contact_id, email_type, scheduled_send_date, status, skip_reason"
    known += ", event_year, event_month, event_day"
    assert dump(path, "email_schedules", known)[: len(before)] == before


CAMPAIGNS = """
CREATE TABLE campaign_types (name TEXT PRIMARY KEY, target_all_contacts BOOLEAN);
CREATE TABLE campaign_instances (id INTEGER PRIMARY KEY, campaign_type TEXT, instance_name TEXT,
    metadata TEXT, active_start_date TEXT, spread_start_date TEXT, spread_end_date TEXT);
INSERT INTO campaign_types VALUES ('promo', 1);
INSERT INTO campaign_instances (id, campaign_type, instance_name, metadata, active_start_date)
VALUES (1, 'promo', 'good', NULL, '2027-02-20')
"""


@pytest.mark.parametrize(
    ("kind", "metadata", "words"),
    [
        ("nosuch", None, "nosuch"),
        ("PROMO", None, "PROMO"),
        ("promo", "{not json", "metadata"),
        ("promo", "[1]", "metadata"),
        ("promo", '"text"', "metadata"),
        ("promo", '{"priority": "high"}', "priority"),
        ("promo", '{"priority": true}', "priority"),
        ("promo", '{"days_before_event": 1.5}', "days_before_event"),
        ("promo", '{"enable_followups": "yes"}', "enable_followups"),
        ("promo", '{"respect_exclusion_windows": 2}', "respect_exclusion_windows"),
        ("promo", '{"followup_sms_template": 3}', "followup_sms_template"),
        ("promo", '{"priority": 100000000000000000000}', "priority"),
        ("promo", "[" * 5000, "metadata"),
    ],
)
def test_an_instance_that_cannot_be_understood_is_left_out_and_the_others_go_on(
    tmp_path: Path, kind: str, metadata: str | None, words: str
) -> None:
    path = build(tmp_path / "agency.sqlite3", contacts=5, sql=CAMPAIGNS)
    sql = "INSERT INTO campaign_instances VALUES (2, ?, 'bad one', ?, NULL, NULL, NULL)"
    change(path, sql, kind, metadata)
    summary = plan(path)
    assert [(one.instance_id, one.name) for one in summary.left_out] == [(2, "bad one")]
    assert words in summary.left_out[0].problem
    sql = "SELECT DISTINCT campaign_instance_id FROM email_schedules WHERE email_type = ?"
    assert change(path, sql, "campaign_promo") == [(1,)]


def test_an_instance_whose_spread_ends_before_it_starts_is_left_out(tmp_path: Path) -> None:
    path = build(tmp_path / "agency.sqlite3", contacts=5, sql=CAMPAIGNS)
    sql = """INSERT INTO campaign_instances
        VALUES (2, 'promo', 'backwards', '{"spread_evenly": true}', NULL, ?, ?)"""
    change(path, sql, "2027-04-02", "2027-04-01")
    summary = plan(path)
    assert [one.instance_id for one in summary.left_out] == [2]
    assert "spread" in summary.left_out[0].problem


def test_a_target_without_a_contact_is_counted(tmp_path: Path) -> None:
    sql = """;
        CREATE TABLE contact_campaigns (id INTEGER PRIMARY KEY, contact_id INTEGER,
            campaign_instance_id INTEGER, trigger_date TEXT, status TEXT);
        INSERT INTO contact_campaigns VALUES (1, 3, 1, '2027-04-01', 'pending'),
            (2, 999, 1, '2027-04-01', 'pending'), (3, 1000, 1, NULL, NULL)
    """
    path = build(tmp_path / "agency.sqlite3", contacts=5, sql=CAMPAIGNS + sql)
    assert plan(path).unknown_targets == 2


def test_two_planned_rows_of_one_identity_are_refused(tmp_path: Path) -> None:
    path = build(tmp_path / "agency.sqlite3", contacts=5)
    plan(path)
    change(path, "DROP INDEX almanac_planned_identity")
    change(
        path,
        """INSERT INTO email_schedules (contact_id, email_type, scheduled_send_date, status,
            event_year, event_month, event_day, ideal_send_date)
        SELECT contact_id, email_type, scheduled_send_date, status, event_year, event_month,
            event_day, ideal_send_date FROM email_schedules WHERE status = 'pre-scheduled'
            AND contact_id = 3""",
    )
    plan(path)
    sql = """SELECT count(*), count(DISTINCT email_type) FROM email_schedules
        WHERE contact_id = 3 AND status IN ('pre-scheduled', 'skipped')"""
    ((rows, types),) = change(path, sql)
    assert rows == types
