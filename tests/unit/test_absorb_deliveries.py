"""Marks that come in as events, against rows that runs have changed meanwhile."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path
from typing import Any

import apsw
import pytest

from almanac.config import Config
from almanac.intake.absorb import absorb
from tests.support.intake_calls import NOW, absorbed, received, refused
from tests.support.tiny import Agency

CLAIM: dict[str, Any] = {
    "id": 7,
    "status": "processing",
    "message_id": "sender-1",
    "contact_id": 1,
    "email_type": "birthday",
    "event_date": "2026-12-07",
    "ideal_send_date": "2026-11-23",
    "scheduled_send_date": "2026-11-23",
    "priority": 10,
    "email_template": "birthday_template",
    "metadata": {"target": {"premium": 99}},
    "email": "user1@example.com",
    "contact": {"first_name": "Ada"},
}
PLANNED = "pre-scheduled"
ROW = "SELECT status, scheduled_send_date, skip_reason FROM email_schedules WHERE id = 7"


@pytest.fixture
def agency(tmp_path: Path) -> Agency:
    made = Agency(tmp_path / "agency.sqlite3")
    made.contact(1)
    made.contact(2)
    made.query("INSERT INTO sqlite_sequence (name, seq) VALUES ('email_schedules', 9)")
    return made


def planned(agency: Agency, row_id: int = 7, **columns: Any) -> None:
    """A planned birthday message, on the day of the claim unless something else is given."""
    row: dict[str, Any] = {"id": row_id, "status": PLANNED, "day": "2026-11-23"}
    row |= {"event_year": 2026, "event_month": 12, "event_day": 7, "ideal_send_date": "2026-11-23"}
    agency.sent("birthday", **row | columns)


@pytest.mark.parametrize(
    "columns",
    [
        pytest.param({}, id="unchanged"),
        pytest.param({"day": "2026-11-30"}, id="moved"),
        pytest.param({"status": "skipped", "skip_reason": "Daily volume cap"}, id="skipped"),
        pytest.param({"status": "skipped", "day": "2026-11-30"}, id="moved and skipped"),
    ],
)
def test_a_claim_gives_the_row_to_the_sender_on_the_claimed_day(
    agency: Agency, columns: dict[str, Any]
) -> None:
    planned(agency, **columns)
    done = absorbed(agency, received("deliveries", CLAIM))
    assert agency.query(ROW) == [("processing", "2026-11-23", None)]
    skipped = columns.get("status") == "skipped"
    assert (done.committed, done.pre_scheduled, done.skipped) == (1, not skipped, skipped)


def test_a_removed_row_is_put_back_as_it_was_claimed(agency: Agency) -> None:
    done = absorbed(agency, received("deliveries", CLAIM))
    who = "contact_id, email_type, event_year, event_month, event_day, metadata, priority"
    assert agency.query(f"SELECT {who}, email_template FROM email_schedules") == [
        (1, "birthday", 2026, 12, 7, '{"target": {"premium": 99}}', 10, "birthday_template")
    ]
    when = "scheduled_send_date, scheduled_send_time, ideal_send_date, scheduler_run_id"
    assert agency.query(f"SELECT id, status, {when} FROM email_schedules") == [
        (7, "processing", "2026-11-23", "08:30:00", "2026-11-23", "2026-11-21-daily")
    ]
    assert agency.query("SELECT schedule_id, status FROM message_deliveries") == [(7, "processing")]
    assert (done.committed, done.pre_scheduled) == (1, 0)


def test_a_row_that_is_put_back_replaces_the_planned_row_of_the_same_message(
    agency: Agency,
) -> None:
    planned(agency, 8, day="2026-11-25")
    planned(agency, 9, event_year=2027)
    done = absorbed(agency, received("deliveries", CLAIM))
    assert agency.query("SELECT id, status FROM email_schedules ORDER BY id") == [
        (7, "processing"),
        (9, "pre-scheduled"),
    ]
    assert (done.committed, done.pre_scheduled) == (1, 1)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"event_date": None}, "kept until a mark has its event_date"),
        ({"contact_id": ""}, "kept until a mark has its contact_id"),
        ({"email_type": "campaign_promo"}, "kept until a mark has its campaign_instance_id"),
        ({"id": 1 << 40}, "it never existed"),
        ({"id": -4}, "it never existed"),
        ({"status": "complaint"}, "it never existed"),
        ({"status": "retry"}, "it never existed"),
    ],
)
def test_a_row_that_is_gone_is_not_made_up(
    agency: Agency, change: dict[str, Any], why: str
) -> None:
    absorbed(agency, received("deliveries", CLAIM | change))
    ((index, reason),) = refused(agency)
    assert index == 0
    assert why in reason
    assert agency.query("SELECT count(*) FROM email_schedules") == [(0,)]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"contact_id": 2}, "is of contact 1, not 2"),
        ({"email_type": "aep"}, "is of type birthday, not aep"),
    ],
)
def test_a_claim_of_another_message_leaves_the_row_alone(
    agency: Agency, change: dict[str, Any], why: str
) -> None:
    planned(agency, day="2026-11-30")
    absorbed(agency, received("deliveries", CLAIM | change))
    assert refused(agency) == [(0, why)]
    assert agency.query(ROW) == [("pre-scheduled", "2026-11-30", None)]


@pytest.mark.parametrize(
    "order",
    [
        "claim sent delivered",
        "sent claim delivered",
        "delivered sent claim",
        "delivered claim sent",
    ],
)
@pytest.mark.parametrize("together", [True, False])
def test_marks_come_in_any_order(agency: Agency, order: str, together: bool) -> None:
    planned(agency, day="2026-11-30")
    marks = {
        "claim": CLAIM,
        "sent": CLAIM | {"status": "sent", "at": "2026-11-23T08:31:00"},
        "delivered": CLAIM | {"status": "delivered", "at": "2026-11-23T08:31:00"},
    }
    events = [
        received("deliveries", marks[word], event_id=word, minutes=minute)
        for minute, word in enumerate(order.split())
    ]
    if together:
        absorbed(agency, *reversed(events))  # they are sorted by publish time
    else:
        for event in events:
            absorbed(agency, event)
    assert refused(agency) == []
    sql = "SELECT status, scheduled_send_date, actual_send_datetime FROM email_schedules"
    assert agency.query(sql) == [("delivered", "2026-11-23", "2026-11-23 08:31:00")]


@pytest.mark.parametrize("order", list(permutations(("sent", "delivered", "bounced"))))
@pytest.mark.parametrize("together", [True, False])
def test_a_message_was_sent_when_its_first_mark_says(
    agency: Agency, order: tuple[str, ...], together: bool
) -> None:
    planned(agency)
    times = {"sent": "08:31", "delivered": "08:35", "bounced": "08:40"}
    marks = [{"id": 7, "status": word, "at": f"2026-11-23T{times[word]}"} for word in order]
    if together:
        absorbed(agency, received("deliveries", *marks))
    else:
        for number, mark in enumerate(marks):
            absorbed(agency, received("deliveries", mark, event_id=f"e{number}"))
    assert refused(agency) == []
    sql = "SELECT status, actual_send_datetime FROM email_schedules"
    assert agency.query(sql) == [("bounced", "2026-11-23 08:31:00")]


def test_a_short_mark_before_its_claim_does_not_take_the_day_from_it(agency: Agency) -> None:
    short = {"id": 7, "status": "sent"}
    absorbed(agency, received("deliveries", short, CLAIM))
    assert refused(agency) == []
    assert agency.query("SELECT status, scheduled_send_date FROM email_schedules") == [
        ("sent", "2026-11-23")
    ]


@pytest.mark.parametrize("state", ["moved", "skipped", "gone"])
def test_short_marks_that_were_absorbed_before_their_claim_count(
    agency: Agency, state: str
) -> None:
    if state != "gone":
        planned(agency, day="2026-11-30", status="skipped" if state == "skipped" else PLANNED)
    short = {"id": 7, "at": "2026-11-23T09:00:00"}
    marks = [short | {"status": status} for status in ("delivered", "complaint", "sent")]
    for number, mark in enumerate([*marks, CLAIM | {"at": "2026-11-23T08:00:00"}]):
        absorbed(agency, received("deliveries", mark, event_id=f"e{number}"))
    assert agency.query(ROW) == [("delivered", "2026-11-23", None)]
    assert agency.query("SELECT email, reason FROM suppressions") == [
        ("user1@example.com", "complaint")
    ]


def test_a_claim_that_is_later_than_other_reports_does_not_change_the_day(agency: Agency) -> None:
    planned(agency, day="2026-11-30")
    absorbed(agency, received("deliveries", {"id": 7, "status": "sent", "at": "2026-11-30T08:30"}))
    absorbed(agency, received("deliveries", CLAIM | {"at": "2026-12-01T08:00"}, event_id="e2"))
    assert refused(agency) == [(0, "is of 2026-11-30, not 2026-11-23")]


def test_another_sender_cannot_claim_the_row(agency: Agency) -> None:
    planned(agency)
    absorbed(agency, received("deliveries", CLAIM, CLAIM | {"message_id": "sender-2"}))
    assert refused(agency) == [(1, "claimed already, with the message id sender-1")]


def test_an_old_claim_does_not_take_back_a_retry(agency: Agency) -> None:
    planned(agency, day="2026-12-20", ideal_send_date="2026-12-20", event_year=2027, event_month=1)
    claim = CLAIM | {"scheduled_send_date": "2026-12-20", "at": "2026-11-20T09:00:00"}
    absorbed(agency, received("deliveries", claim, claim | {"status": "failed"}))
    absorbed(agency, received("deliveries", {"id": 7, "status": "retry"}, event_id="again"))
    agency.query("UPDATE email_schedules SET scheduled_send_date = '2026-12-22'")
    done = absorbed(agency, received("deliveries", claim, event_id="repeated"))
    assert agency.query(ROW) == [("pre-scheduled", "2026-12-22", None)]
    assert done.committed == 0


def test_providers_ids_go_into_their_columns(agency: Agency) -> None:
    planned(agency)
    agency.query("ALTER TABLE email_schedules ADD COLUMN twilio_sms_id TEXT")
    agency.query("UPDATE email_schedules SET twilio_sms_id = 'SM1'")
    mark = CLAIM | {"status": "sent", "sendgrid_message_id": "sg-1"}
    absorbed(agency, received("deliveries", mark))
    sql = "SELECT sendgrid_message_id, twilio_sms_id FROM email_schedules"
    assert agency.query(sql) == [("sg-1", "SM1")]


def test_a_late_complaint_suppresses_the_address(agency: Agency) -> None:
    planned(agency)
    absorbed(agency, received("deliveries", CLAIM, {"id": 7, "status": "complaint"}))
    assert agency.query("SELECT email, reason, source FROM suppressions") == [
        ("user1@example.com", "complaint", "mark")
    ]
    assert agency.query(ROW) == [("processing", "2026-11-23", None)]


def test_a_unique_index_of_the_agency_costs_the_claim_that_breaks_it(agency: Agency) -> None:
    agency.query("CREATE UNIQUE INDEX u ON email_schedules (contact_id, scheduled_send_date)")
    planned(agency, day="2026-11-30")
    agency.sent("aep", "2026-11-23")
    planned(agency, 9, contact_id=2)
    other = CLAIM | {"id": 9, "contact_id": 2}
    absorbed(agency, received("deliveries", CLAIM, CLAIM | {"id": 6}, other))
    assert [index for index, _ in refused(agency)] == [0, 1]
    assert agency.query("SELECT id, status FROM email_schedules WHERE id IN (7, 9)") == [
        (7, "pre-scheduled"),
        (9, "processing"),
    ]


def test_a_mark_reads_few_pages_of_many(agency: Agency) -> None:
    planned(agency)
    agency.query(
        "INSERT INTO email_schedules (contact_id, email_type, scheduled_send_date, metadata) "
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000) "
        "SELECT i, 'aep', '2026-12-01', hex(zeroblob(300)) FROM n"
    )
    ((pages,),) = agency.query("PRAGMA page_count")
    connection = apsw.Connection(str(agency.path))
    with connection:
        absorb(connection, [received("deliveries", CLAIM)], Config(), NOW, "run")
    read, _ = connection.status(apsw.SQLITE_DBSTATUS_CACHE_MISS)
    connection.close()
    assert agency.query(ROW) == [("processing", "2026-11-23", None)]
    assert read < 50 < pages / 8


def test_marks_that_are_written_in_several_steps_come_to_the_same_by_row(
    agency: Agency, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("almanac.intake.deliveries.STEP_MARKS", 2)
    for row in (1, 2, 3):
        planned(agency, row, event_year=2020 + row)
    marks = [(2, "processing"), (1, "sent"), (2, "sent"), (3, "failed"), (2, "bounced"), (99, "x")]
    events = [
        received("deliveries", {"id": row, "status": status}, event_id=f"e{n}", minutes=n)
        for n, (row, status) in enumerate(marks)
    ]
    done = absorbed(agency, *events)
    sql = "SELECT schedule_id, status FROM message_deliveries ORDER BY id"
    of_2 = [(2, "processing"), (2, "sent"), (2, "bounced")]
    assert agency.query(sql) == [(1, "sent"), *of_2, (3, "failed")]
    assert (done.events, done.entries) == ({"deliveries": 6}, {"deliveries": 5})
    assert (done.committed, done.pre_scheduled, done.refused) == (3, 3, 1)
    logged = "SELECT event_id FROM intake_log WHERE refused = '' ORDER BY id"
    assert agency.query(logged) == [(f"e{n}",) for n in range(5)]
