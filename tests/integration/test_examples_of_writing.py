"""What a run changes in the database and what it leaves alone, by examples."""

from __future__ import annotations

import datetime as dt
import json
import re
from pathlib import Path
from typing import Any

import apsw
import pytest

from almanac.config import Config, load_config
from almanac.runs.local import run_file
from almanac.runs.run_options import RunOptions
from tests.support.sampling import sampled
from tests.support.tiny import CALM, Agency

TODAY, TOMORROW = "2027-03-01", "2027-03-02"
ALL = "SELECT * FROM email_schedules ORDER BY id"
EXPIRED = "Not sent by its deadline"


def rows(agency: Agency, columns: str, where: str = "1") -> list[tuple[Any, ...]]:
    sql = f"SELECT {columns} FROM email_schedules WHERE {where} ORDER BY id"
    return agency.query(sql)


# Only what changes


def test_a_second_run_changes_no_row(agency: Agency) -> None:
    agency.contact(1, birth_date="1950-06-15", effective_date="2020-10-01")
    agency.contact(2, birth_date="1950-06-15", state="CA")
    agency.campaign(3, target_all_contacts=1, created_at=TODAY)
    agency.sent("aep", "2027-02-27", 2)
    agency.plan(TODAY)
    before = agency.query(ALL)
    summary = agency.plan(TODAY)
    assert agency.query(ALL) == before
    assert summary.changes["unchanged"] == len(before) - 1
    assert sum(summary.changes.values()) == summary.changes["unchanged"]


def test_only_rows_that_differ_are_written(agency: Agency) -> None:
    agency.contact(1, birth_date="1950-06-15")
    agency.contact(2, birth_date="1950-07-15", state="NY")
    agency.contact(3, birth_date="1950-08-15")
    agency.contact(4, birth_date="1950-09-15")
    sms = {"birthday": "birthday_sms"}
    first = agency.plan(TODAY, sms=sms).run_id
    agency.query("UPDATE email_schedules SET created_at = 'then', updated_at = 'then'")
    before = rows(agency, "*", "contact_id = 1")
    agency.query("UPDATE contacts SET state = 'TX' WHERE id = 2")  # planned again
    agency.query(
        "UPDATE contacts SET phone_number = '212-555-0100', sms_consent = 1 WHERE id = 3"
    )  # gets an sms
    agency.query("UPDATE contacts SET status = 'gone' WHERE id = 4")  # removed
    agency.contact(5, birth_date="1950-10-15")  # added
    summary = agency.plan(TODAY, sms=sms)
    assert rows(agency, "*", "contact_id = 1") == before
    columns = (
        "id, contact_id, status, sms_template, scheduler_run_id, batch_id, created_at = 'then'"
    )
    second = summary.run_id
    assert first != second
    assert rows(agency, columns) == [
        (1, 1, "pre-scheduled", None, first, first, 1),
        (2, 2, "pre-scheduled", None, second, second, 1),
        (3, 3, "pre-scheduled", "birthday_sms", second, second, 1),
        (5, 5, "pre-scheduled", None, second, second, 0),
    ]
    assert rows(agency, "updated_at = 'then'") == [(1,), (0,), (0,), (0,)]
    changes = {name: count for name, count in summary.changes.items() if count}
    assert changes == {"added": 1, "planned again": 1, "updated": 1, "removed": 1, "unchanged": 1}


def test_a_change_of_the_configuration_is_written_to_the_rows(agency: Agency) -> None:
    agency.contact(1, birth_date="1950-06-15")
    agency.contact(2, effective_date="2020-10-01")
    agency.plan(TODAY)
    agency.plan(TODAY, priorities={"birthday": 3}, templates={"birthday": "ours"})
    assert rows(agency, "email_type, priority, email_template") == [
        ("birthday", 3, "ours"),
        ("effective_date", 20, "effective_date_template"),
    ]


def test_committed_rows_and_the_agencys_own_tables_stay_as_they_are(agency: Agency) -> None:
    agency.contact(1, birth_date="1950-06-15")
    for status in ("scheduled", "processing", "sent", "failed", "PRE-SCHEDULED", ""):
        agency.sent("birthday", TODAY, status=status, priority=99, metadata="{own", batch_id="b")
    agency.insert("private_notes", k="keep", v=b"\x00\xff\x10")
    tables = ("contacts", "private_notes", "tracking_clicks", "suppressions")
    before = [agency.query(f"SELECT * FROM {table}") for table in tables]
    committed = agency.query(ALL)
    agency.plan(TODAY)
    agency.plan("2027-06-20")
    assert [agency.query(f"SELECT * FROM {table}") for table in tables] == before
    assert rows(agency, "*", "batch_id = 'b'") == committed


# History


def test_what_was_not_sent_in_time_becomes_history(agency: Agency) -> None:
    agency.contact(1, birth_date="1950-06-15")
    agency.contact(2, birth_date="1950-06-15", state="NY")
    agency.plan(TODAY)
    summary = agency.plan("2027-06-15")
    assert rows(agency, "contact_id, event_year, status, skip_reason") == [
        (1, 2027, "skipped", EXPIRED),
        (2, 2027, "skipped", "Year-round exclusion for NY"),
        (1, 2028, "pre-scheduled", None),
        (2, 2028, "skipped", "Year-round exclusion for NY"),
    ]
    assert summary.changes["expired"] == 1
    assert rows(agency, "scheduler_run_id", "id = 1") == [(summary.run_id,)]
    before = agency.query(ALL)
    agency.plan("2027-06-15")
    assert agency.query(ALL) == before


def test_what_is_no_longer_planned_goes_if_it_was_to_come(agency: Agency) -> None:
    agency.contact(1, birth_date="1950-06-15")
    agency.contact(2, birth_date="1950-06-15")
    agency.plan(TODAY)
    agency.query("UPDATE contacts SET birth_date = NULL")
    agency.query("UPDATE email_schedules SET scheduled_send_date = '2027-02-28' WHERE id = 1")
    agency.plan(TODAY)
    assert rows(agency, "id, status, skip_reason") == [(1, "skipped", EXPIRED)]


def test_rows_of_contacts_that_are_not_there_are_nobodys(agency: Agency) -> None:
    agency.contact(1, birth_date="1950-06-15")
    agency.contact(2, birth_date="1950-06-15")
    agency.plan(TODAY)
    before = rows(agency, "*", "contact_id = 2")
    agency.query("DELETE FROM contacts WHERE id = 2")
    summary = agency.plan(TODAY)
    assert rows(agency, "*", "contact_id = 2") == before
    assert summary.days["2027-06-01"].fixed == 1  # it takes room all the same


# Scope


def test_a_run_over_some_contacts_leaves_the_others_alone(agency: Agency) -> None:
    for contact in (1, 2, 3, 900_000_000_000):
        agency.contact(contact, birth_date="1950-06-15")
    agency.plan(TODAY)
    before = rows(agency, "*", "contact_id NOT IN (2, 900000000000)")
    agency.query("UPDATE contacts SET birth_date = '1950-07-15'")
    summary = agency.plan(TODAY, scope=[(2, 2), (5, 2**62)])
    assert summary.contacts_in_scope == 2
    assert rows(agency, "*", "contact_id NOT IN (2, 900000000000)") == before
    assert rows(agency, "DISTINCT event_month", "contact_id IN (2, 900000000000)") == [(7,)]


def test_ids_may_be_sparse_and_large(agency: Agency) -> None:
    ids = [-5, 0, 1, 7_000, 2**31, 2**53 + 1, 2**62]
    for contact in ids:
        agency.contact(contact, birth_date="1950-06-15", email=f"user{ids.index(contact)}@x.com")
    agency.plan(TODAY)
    assert sorted(c for (c,) in rows(agency, "contact_id")) == ids
    before = agency.query(ALL)
    agency.plan(TODAY)
    assert agency.query(ALL) == before


# Migration


def test_contacts_with_id_and_email_are_enough(tmp_path: Path) -> None:
    path = tmp_path / "bare.sqlite3"
    connection = apsw.Connection(str(path))
    connection.execute(
        "CREATE TABLE contacts (id INTEGER PRIMARY KEY, email TEXT);"
        "INSERT INTO contacts VALUES (5, 'ann@example.com'), (9, 'nobody')"
    )
    summary = run_file(path, Config(), RunOptions(as_of=dt.date(2027, 3, 1), workers=1))
    sql = "SELECT contact_id, email_type, scheduled_send_date, status FROM email_schedules"
    assert connection.execute(sql).fetchall() == [(5, "aep", "2027-09-15", "pre-scheduled")]
    assert connection.execute("SELECT * FROM contacts").fetchall() == [
        (5, "ann@example.com"),
        (9, "nobody"),
    ]
    connection.close()
    assert "created the table email_schedules" in summary.migrations
    again = run_file(path, Config(), RunOptions(as_of=dt.date(2027, 3, 1), workers=1))
    assert again.migrations == []


def test_a_dry_run_changes_nothing_and_says_what_would(agency: Agency) -> None:
    agency.contact(1, birth_date="1950-06-15")
    before = agency.path.read_bytes()
    text = json.dumps(CALM)
    options = RunOptions(as_of=dt.date(2027, 3, 1), workers=1, dry_run=True)
    summary = run_file(agency.path, load_config(text), options)
    assert (summary.dry_run, summary.changes["added"]) == (True, 1)
    assert agency.path.read_bytes() == before


# Books


def test_every_run_has_a_checkpoint_and_they_form_a_chain(agency: Agency) -> None:
    agency.contact(1, birth_date="1950-06-15")
    agency.contact(2, birth_date="1950-06-15", state="NY")
    runs = [agency.plan(TODAY), agency.plan(TODAY)]
    agency.contact(3, birth_date="1950-08-15")
    runs += [agency.plan(TODAY), agency.plan("2027-06-15")]
    sql = """SELECT scheduler_run_id, contacts_processed, emails_scheduled, emails_skipped, status,
        contacts_checksum, schedules_before_checksum, schedules_after_checksum
        FROM scheduler_checkpoints ORDER BY id"""
    books = agency.query(sql)
    counts = [(2, 1, 1), (2, 1, 1), (3, 2, 1), (3, 2, 1)]
    assert [row[:5] for row in books] == [
        (run.run_id, *count, "completed") for run, count in zip(runs, counts, strict=True)
    ]
    contacts, before, after = zip(*(row[5:] for row in books), strict=True)
    assert before[1:] == after[:-1]
    assert after[0] == after[1]
    assert len({after[1], after[2], after[3]}) == 3
    assert (contacts[0] == contacts[1], contacts[1] == contacts[2]) == (True, False)
    assert all(re.fullmatch("v4-[0-9a-f]{16}", checksum) for checksum in contacts)
    assert all(re.fullmatch("[0-9a-f]{16}", checksum) for checksum in before + after)


@pytest.mark.parametrize(
    "sql",
    sampled(
        [
            "UPDATE email_schedules SET scheduled_send_date = '2027-06-02' WHERE id = 1",
            "UPDATE email_schedules SET priority = 11 WHERE id = 1",
            "UPDATE email_schedules SET email_template = 'x' WHERE id = 1",
            "UPDATE email_schedules SET status = 'sent' WHERE id = 1",
            "UPDATE email_schedules SET skip_reason = 'x' WHERE id = 2",
            "DELETE FROM email_schedules WHERE id = 2",
        ],
        2,
    ),
)
def test_a_row_that_somebody_changed_breaks_the_chain(agency: Agency, sql: str) -> None:
    agency.contact(1, birth_date="1950-06-15")
    agency.contact(2, birth_date="1950-06-15", state="NY")
    after = agency.plan(TODAY).checksums.schedules_after
    agency.query(sql)
    assert agency.plan(TODAY).checksums.schedules_before != after


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE contacts SET email = 'other@example.com' WHERE id = 1",
        "UPDATE contacts SET birth_date = '1950-06-16' WHERE id = 1",
        "UPDATE contacts SET state = 'FL' WHERE id = 1",
        "DELETE FROM contacts WHERE id = 2",
    ],
)
def test_the_checksum_of_contacts_tells_a_change(agency: Agency, sql: str) -> None:
    agency.contact(1, birth_date="1950-06-15")
    agency.contact(2, birth_date="1950-06-15", state="NY")
    before = agency.plan(TODAY).checksums.contacts
    agency.query(sql)
    assert agency.plan(TODAY).checksums.contacts != before


def test_the_configuration_is_recorded_whenever_it_changes(agency: Agency) -> None:
    agency.contact()
    for horizon in (365, 365, 200, 365):
        agency.plan(TODAY, horizon_days=horizon)
    sql = """SELECT json_extract(config_data, '$.horizon_days'), config_type, valid_to IS NULL,
        created_by FROM config_versions ORDER BY id"""
    assert agency.query(sql) == [
        (365, "organization", 0, "almanac"),
        (200, "organization", 0, "almanac"),
        (365, "organization", 1, "almanac"),
    ]
    spans = agency.query("SELECT valid_from, valid_to FROM config_versions ORDER BY id")
    assert [to for _, to in spans[:-1]] == [since for since, _ in spans[1:]]


def test_campaign_targets_say_what_became_of_them(agency: Agency) -> None:
    agency.contact(1)
    agency.contact(2, state="NY")
    agency.campaign(3, enable_followups=0)
    ids = [
        agency.target(3, "2027-06-20", 1, status="pending", updated_at="then"),
        agency.target(3, "2027-06-20", 2, status="pending", updated_at="then"),
        agency.target(3, "2029-06-20", 1, status="pending", updated_at="then"),  # too far away
        agency.target(3, "2027-06-20", 77, status="pending", updated_at="then"),  # nobody
        agency.target(3, "2027-01-10", 1, status="scheduled", updated_at="then"),  # over
    ]
    agency.plan(TODAY)
    sql = "SELECT id, status, updated_at = 'then' FROM contact_campaigns ORDER BY id"
    assert agency.query(sql) == [
        (ids[0], "scheduled", 0),
        (ids[1], "skipped", 0),
        (ids[2], "pending", 1),
        (ids[3], "pending", 1),
        (ids[4], "scheduled", 1),
    ]
    agency.query("UPDATE contact_campaigns SET updated_at = 'then'")
    agency.plan(TODAY)
    assert agency.query("SELECT DISTINCT updated_at FROM contact_campaigns") == [("then",)]
    agency.query("UPDATE email_schedules SET status = 'sent' WHERE contact_id = 1")
    agency.plan("2027-06-20")
    assert agency.query(sql)[0] == (ids[0], "sent", 0)
