"""`almanac mark` with retry: a failed message is planned again while its deadline allows."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.support.cli_calls import almanac, check_import
from tests.support.sampling import sampled
from tests.support.tiny import Agency

TODAY = dt.datetime.now(ZoneInfo("America/Chicago")).date()


def day(offset: int) -> dt.date:
    return TODAY + dt.timedelta(days=offset)


@pytest.fixture
def agency(tmp_path: Path) -> Agency:
    made = Agency(tmp_path / "agency.sqlite3")
    made.contact(1)
    return made


def failed(agency: Agency, kind: str, event: int, ideal: int, **columns: Any) -> int:
    """A failed row of a contact with no dates, by days from today; its id."""
    at = day(event)
    parts = {"event_year": at.year, "event_month": at.month, "event_day": at.day}
    row = parts | {"ideal_send_date": str(day(ideal)), "status": "failed"} | columns
    return agency.sent(kind, str(day(ideal)), **row)


def mark(agency: Agency, *marks: dict[str, Any]) -> dict[str, Any]:
    file = agency.path.with_name("marks.json")
    file.write_text(json.dumps(marks))
    given = almanac("mark", agency.path, file, "--json")
    found: dict[str, Any] = json.loads(given.out)
    taken = sum(found["changed"].values()) + found["unchanged"]
    check_import(given, taken, len(found["refused"]))
    return found


def status(agency: Agency, row: int) -> str:
    ((found,),) = agency.query("SELECT status FROM email_schedules WHERE id = ?", row)
    return str(found)


def why(agency: Agency, row: int) -> str:
    (refused,) = mark(agency, {"id": row, "status": "retry"})["refused"]
    assert status(agency, row) == "failed"
    return str(refused["why"])


@pytest.mark.parametrize(
    ("kind", "event", "ideal", "last"),
    sampled(
        [
            ("birthday", 3, -11, 2),
            ("birthday", 0, -14, -1),
            ("effective_date", 3, -27, 2),
            ("effective_date", -1, -31, -2),
            ("aep", -20, -20, 10),
            ("aep", -40, -40, -10),
            ("post_window", -25, -24, 6),
            ("post_window", -45, -44, -14),
            ("followup_1_cold", -20, -18, 15),
            ("followup_4_hq_with_yes", -50, -48, -15),
            ("campaign_promo", 5, -9, 4),
            ("campaign_promo", -2, -16, -3),
        ],
        4,
    ),
)
def test_a_failed_message_is_planned_again_until_its_deadline(
    agency: Agency, kind: str, event: int, ideal: int, last: int
) -> None:
    agency.campaign(1, "promo", days_before_event=14)
    campaign = {"campaign_instance_id": 1} if kind == "campaign_promo" else {}
    row = failed(agency, kind, event, ideal, actual_send_datetime="2020-01-01", **campaign)
    if last > 1:
        assert mark(agency, {"id": row, "status": "retry"})["changed"] == {"retry": 1}
        assert status(agency, row) == "pre-scheduled"
        sql = "SELECT actual_send_datetime FROM email_schedules WHERE id = ?"
        assert agency.query(sql, row) == [(None,)]
        sql = "SELECT status FROM message_deliveries WHERE schedule_id = ?"
        assert agency.query(sql, row) == [("retry",)]
    else:
        assert f"cannot be sent any more: its last day was {day(last)}, and the" in why(agency, row)


def test_the_next_run_gives_it_a_day_and_the_sender_sends_it(agency: Agency) -> None:
    born = day(6)
    birth = f"1950-{born.month:02d}-{min(born.day, 28):02d}"
    agency.query("UPDATE contacts SET birth_date = ? WHERE id = 1", birth)
    event = dt.date(born.year, born.month, min(born.day, 28))
    row = failed(agency, "birthday", (event - TODAY).days, (event - TODAY).days - 14)
    assert almanac("run", agency.path, "--as-of", TODAY).code == 0
    sql = "SELECT id FROM email_schedules WHERE email_type = 'birthday'"
    assert agency.query(sql) == [(row,)], "a failed message is not planned by itself"
    mark(agency, {"id": row, "status": "retry"})
    assert almanac("run", agency.path, "--as-of", TODAY).code == 0
    assert agency.query(sql) == [(row,)]
    assert status(agency, row) == "pre-scheduled"
    ((on,),) = agency.query("SELECT scheduled_send_date FROM email_schedules WHERE id = ?", row)
    assert on >= str(TODAY)
    for word in ("processing", "sent"):
        assert mark(agency, {"id": row, "status": word})["changed"] == {word: 1}


def test_only_what_failed_is_retried(agency: Agency) -> None:
    for word in ("sent", "bounced", "processing", "pre-scheduled", "skipped"):
        row = failed(agency, "birthday", 5, -9, status=word, campaign_instance_id=len(word))
        (refused,) = mark(agency, {"id": row, "status": "retry"})["refused"]
        assert refused["why"] == f"is {word}: only what failed is retried"


def test_a_message_of_another_scheduler_is_not_planned_again(agency: Agency) -> None:
    row = failed(agency, "birthday", 5, -9, ideal_send_date=None)
    assert why(agency, row) == "was planned by another scheduler, so that no run plans it again"


def test_a_campaign_that_is_over_says_so(agency: Agency) -> None:
    agency.campaign(1, "promo", active_end_date=str(day(-1)))
    row = failed(agency, "campaign_promo", 5, 0, campaign_instance_id=1)
    assert why(agency, row) == "its campaign, instance 1: is not active"
    gone = failed(agency, "campaign_promo", 5, 0, campaign_instance_id=9)
    assert why(agency, gone) == "its campaign, instance 9: does not exist"
    agency.campaign(2, "promo", active_end_date=str(day(3)))
    soon = failed(agency, "campaign_promo", 5, 0, campaign_instance_id=2)
    assert mark(agency, {"id": soon, "status": "retry"})["changed"] == {"retry": 1}


def test_no_message_gets_two_planned_rows(agency: Agency) -> None:
    first, second = (failed(agency, "birthday", 5, -9) for _ in range(2))
    sent = failed(agency, "aep", -5, -5, status="sent")
    third = failed(agency, "aep", -5, -5)
    marks = ({"id": row, "status": "retry"} for row in (first, second, third))
    found = mark(agency, *marks)
    assert found["changed"] == {"retry": 1}
    assert [refused["why"] for refused in found["refused"]] == [
        f"its message has another row, {first}, which is planned again",
        f"its message has another row, {sent}, which is sent",
    ]
    (refused,) = mark(agency, {"id": second, "status": "retry"})["refused"]
    assert refused["why"] == f"its message has another row, {first}, which is pre-scheduled"


def test_the_same_files_again_change_nothing(agency: Agency) -> None:
    row = failed(agency, "birthday", 5, -9, status="processing")
    first = {"id": row, "status": "failed", "at": f"{day(0)}T09:00:00"}
    again = {"id": row, "status": "retry", "at": f"{day(0)}T10:00:00"}
    for each in (first, again):
        assert mark(agency, each)["changed"] == {each["status"]: 1}
    for each in (first, again):
        assert mark(agency, each)["unchanged"] == 1, "it is about the attempt that failed"
        assert status(agency, row) == "pre-scheduled"
    mark(agency, {"id": row, "status": "processing"})
    assert mark(agency, {"id": row, "status": "retry"})["unchanged"] == 1
    assert mark(agency, first | {"at": f"{day(0)}T11:00:00"})["changed"] == {"failed": 1}
    assert mark(agency, again)["unchanged"] == 1
    assert status(agency, row) == "failed"
    assert mark(agency, again | {"at": f"{day(0)}T12:00:00"})["changed"] == {"retry": 1}
