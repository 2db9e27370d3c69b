"""Closed days, by examples that were worked out by hand: nothing is planned on one."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

from rich.console import Console

from almanac.config import Config, load_config
from almanac.explain.model import DayExplanation
from almanac.organizations.recorded_config import NamedConfig
from almanac.progress import silent
from almanac.report.charts import calendar
from almanac.report.headlines import alerts, cards, short_day
from almanac.report.page import render
from almanac.report.page_data import PageData, page_of_summary
from almanac.report.summary import RunSummary
from almanac.report.summary_text import print_summary
from almanac.runs.run_options import RunOptions
from almanac.runs.what_if import compare_plans
from almanac.statistics.file_report import overview
from tests.support.cli_calls import almanac
from tests.support.explanations import day_of, explain_contact
from tests.support.tiny import CALM, Agency

TODAY = "2027-03-01"
WEEKENDS = {"weekdays": ["sat", "sun"]}
SUNDAY, MONDAY = "2027-06-06", "2027-06-07"


def closing(**closed: Any) -> dict[str, Any]:
    """Settings under which days are closed, and none is ever full."""
    return {"closed": closed, "daily_send_percentage_cap": 1.0, "overage_threshold": 100.0}


def page(summary: RunSummary) -> PageData:
    return page_of_summary(summary, "agency", {}, dt.date(2028, 2, 29), settings=[])


def on_day(agency: Agency, day: str) -> DayExplanation:
    """Why contact 1 does not get more on the day."""
    return day_of(explain_contact(agency.path, 1, on=dt.date.fromisoformat(day)))


def test_what_is_due_on_a_closed_day_goes_on_the_next_open_one(agency: Agency) -> None:
    agency.contact(birth_date="1950-06-20")
    plan = agency.planned(TODAY, load_balancing=closing(**WEEKENDS))
    assert plan == [f"birthday 2027-06-20: {SUNDAY} -> {MONDAY}"]
    assert agency.planned(TODAY, load_balancing=closing()) == plan  # it keeps the day it has


def test_a_day_that_is_closed_later_loses_what_is_planned_on_it(agency: Agency) -> None:
    agency.contact(birth_date="1950-06-20")
    assert agency.planned(TODAY) == [f"birthday 2027-06-20: {SUNDAY}"]
    closed = closing(dates=[SUNDAY, "2027-06-08"])
    summary = agency.plan("2027-03-02", load_balancing=closed)
    assert agency.lines() == [f"birthday 2027-06-20: {SUNDAY} -> {MONDAY}"]
    (line,) = (each for each in summary.changes_by_reason if each.change == "moved")
    assert line.why == "its day is closed now"
    assert agency.plan("2027-03-02", load_balancing=closed).changes == {"unchanged": 1}


def test_a_public_holiday_is_closed_where_it_is_observed_too(agency: Agency) -> None:
    agency.contact(1, birth_date="1950-07-18")  # 4 July 2027 is a Sunday
    agency.contact(2, birth_date="1950-07-19")
    plan = agency.planned(TODAY, load_balancing=closing(holidays=["US"]))
    assert plan == [
        "1 birthday 2027-07-18: 2027-07-04 -> 2027-07-06",
        "2 birthday 2027-07-19: 2027-07-05 -> 2027-07-06",
    ]


def test_what_has_closed_days_only_is_skipped(agency: Agency) -> None:
    agency.contact()
    agency.campaign(3, days_before_event=2)  # Saturday 5 June and Sunday 6 June
    agency.target(3, MONDAY)
    assert agency.planned(TODAY, load_balancing=closing(**WEEKENDS)) == [
        "campaign_promo#3 2027-06-07: 2027-06-05 skipped, No sending day"
    ]
    # a run with the Sunday open plans it again
    assert agency.planned(TODAY, load_balancing=closing(weekdays=["sat"])) == [
        f"campaign_promo#3 2027-06-07: 2027-06-05 -> {SUNDAY}"
    ]


def test_with_an_open_day_that_is_full_the_reason_is_the_cap(agency: Agency) -> None:
    agency.contact()
    agency.campaign(3, days_before_event=3)  # Friday to Sunday
    agency.target(3, MONDAY)
    agency.sent("custom_note", "2027-06-04", status="scheduled")
    few = closing(**WEEKENDS) | {"daily_send_percentage_cap": 0.1, "overage_threshold": 1.0}
    assert agency.planned(TODAY, load_balancing=few) == [
        "campaign_promo#3 2027-06-07: 2027-06-04 skipped, Daily volume cap"
    ]


def test_committed_rows_stay_on_a_closed_day_which_is_named(agency: Agency) -> None:
    agency.contact(birth_date="1950-06-20")
    agency.sent("custom_note", SUNDAY, status="scheduled")
    summary = agency.plan(TODAY, load_balancing=closing(**WEEKENDS))
    assert summary.days_above_ceiling == [SUNDAY]
    assert summary.days_at_cap == [MONDAY]
    assert summary.days[SUNDAY].fixed == 1
    (alert,) = alerts(page(summary))
    assert alert.text == ("1 closed day has messages that a run may not move: Sun 6 Jun 2027.")


def test_smoothing_counts_and_aims_as_if_no_day_were_closed(agency: Agency) -> None:
    for contact in range(1, 41):
        agency.contact(contact, effective_date="2020-07-06")  # ideal: Sunday 6 June
    few = {"daily_send_percentage_cap": 1.0, "overage_threshold": 100.0, "ed_daily_soft_limit": 3}
    agency.plan(TODAY, load_balancing=few)
    open_days = agency.days()
    agency.query("DELETE FROM email_schedules")
    agency.plan(TODAY, load_balancing=few | {"closed": WEEKENDS})
    later = {"2027-06-05": MONDAY, SUNDAY: MONDAY}
    assert agency.days() == sorted(later.get(day, day) for day in open_days)
    assert len(set(open_days)) == 5


def test_the_summary_says_how_many_days_are_closed_and_what_was_moved(agency: Agency) -> None:
    agency.contact(1, birth_date="1950-06-20")
    agency.contact(2, birth_date="1950-06-19")  # Saturday
    agency.contact(3, birth_date="1950-06-21")  # Monday
    summary = agency.plan(TODAY, load_balancing=closing(**WEEKENDS))
    assert summary.closed_days[:2] == ["2027-03-06", "2027-03-07"]
    assert len(summary.closed_days) == 104
    assert (summary.moved_off_closed.messages, summary.moved_off_closed.days) == (2, 3)
    console = Console(width=200, record=True)
    print_summary(console, summary, database="agency", advice={})
    said = "104 days are closed up to the horizon; 2 messages are moved off their ideal dates on"
    assert f"{said} them, by 1.5 days on average." in console.export_text()
    facts = dict(page(summary).facts)
    assert facts["Closed days"] == "104"
    assert facts["Moved off closed days"] == "2 messages, by 1.5 days on average"
    of_file = dict(overview(agency.path).facts)
    assert {key: of_file[key] for key in facts if "losed days" in key} == {
        "Closed days": "104",
        "Moved off closed days": "2 messages, by 1.5 days on average",
    }


def test_explain_names_the_closed_day_that_moved_a_message(agency: Agency) -> None:
    agency.contact(birth_date="1950-06-19")
    agency.plan(TODAY, load_balancing=closing(weekdays=["sat"], dates=[SUNDAY]))
    (message,) = explain_contact(agency.path, 1).messages
    last = message.last
    assert (last.step, last.section) == ("Closed days", "Closed days")
    assert last.why == (
        "2027-06-05 to 2027-06-06 are closed, and 2027-06-07 is the next day on which messages "
        "are sent."
    )
    assert last.inputs["closed"] == f"2027-06-05, {SUNDAY}"


def test_explain_says_why_not_on_a_closed_day(agency: Agency) -> None:
    agency.contact(birth_date="1950-06-19")
    agency.plan(TODAY, load_balancing=closing(weekdays=["sat"], dates=[SUNDAY]))
    on = on_day(agency, SUNDAY)
    (answer,) = on.messages
    assert (answer.answer, answer.step) == ("not allowed", "Closed days")
    assert answer.why == f"Nothing is sent on that day: it is closed (dates: {SUNDAY})."
    assert on.closed is not None
    assert on_day(agency, MONDAY).closed is None


def test_explain_names_the_days_of_a_message_that_has_closed_days_only(agency: Agency) -> None:
    agency.contact()
    agency.campaign(3, days_before_event=2)
    agency.target(3, MONDAY)
    agency.plan(TODAY, load_balancing=closing(**WEEKENDS))
    (message,) = explain_contact(agency.path, 1).messages
    assert message.skip_reason == "No sending day"
    assert message.last.why == (
        f"Every day on which it may be sent, 2027-06-05 to {SUNDAY}, is closed."
    )


def test_a_sender_gets_nothing_on_a_day_that_was_closed_after_the_run(
    agency: Agency, tmp_path: Path
) -> None:
    agency.contact(birth_date="1950-06-20")
    agency.plan(TODAY)
    assert almanac("due", agency.path, "--on", SUNDAY).out.count("\n") == 1
    closed = load_config(f"load_balancing: {{closed: {{dates: [{SUNDAY}]}}}}")
    agency.query("UPDATE config_versions SET config_data = ?", closed.canonical())
    answer = almanac("due", agency.path, "--on", SUNDAY)
    assert answer.out == ""
    assert "left out: 1 (The day is closed: the next run moves the message)" in answer.err
    ((row,),) = agency.query("SELECT id FROM email_schedules")
    marks = tmp_path / "marks.csv"
    marks.write_text(f"id,status\n{row},processing\n")
    assert almanac("mark", agency.path, marks).code == 0
    claimed = almanac("due", agency.path, "--on", SUNDAY, "--claimed")
    assert claimed.out.count("\n") == 1  # it is the sender's


def test_check_names_committed_messages_on_closed_days(agency: Agency, tmp_path: Path) -> None:
    soon = dt.date.today() + dt.timedelta(days=30)
    agency.contact()
    agency.sent("custom_note", str(soon), status="scheduled")
    agency.sent("custom_note", str(soon), status="scheduled")
    agency.sent("custom_note", str(soon + dt.timedelta(days=1)), status="scheduled")
    config = tmp_path / "config.yaml"
    config.write_text(f"load_balancing: {{closed: {{dates: [{soon}]}}}}")
    found = almanac("check", agency.path, "--config", config, "--json")
    assert json.loads(found.out)["on_closed_days"] == {str(soon): 2}
    said = almanac("check", agency.path, "--config", config).out
    assert "Committed messages on closed days, which a run does not move" in said
    assert f"{short_day(str(soon))}  2" in said


def test_the_page_draws_closed_days_and_does_not_take_them_for_empty_ones(agency: Agency) -> None:
    agency.contact(birth_date="1950-06-19")
    agency.sent("custom_note", SUNDAY, status="scheduled")
    found = page(agency.plan(TODAY, load_balancing=closing(**WEEKENDS)))
    squares = {
        str(square.day): (square.css, square.words)
        for month in calendar(found)
        for week in month.weeks
        for square in week
        if square
    }
    assert squares["2027-06-05"] == ("closed", "Saturday 5 June 2027: closed")
    assert squares[SUNDAY] == ("over", "Sunday 6 June 2027: closed, 1 message")
    assert squares["2027-06-08"][0] == "l0"
    (week,) = (card for card in cards(found) if card.words == "in the next 7 days")
    assert week.detail == "the cap allows 5"
    assert '<span class="key closed"></span>closed' in render(found)
    assert overview(agency.path).closed_days == found.closed_days


def test_a_what_if_shows_what_closing_the_weekends_would_move(agency: Agency) -> None:
    agency.contact(1, birth_date="1950-06-20")
    agency.contact(2, birth_date="1950-06-22")
    agency.plan(TODAY)
    old, new = (
        NamedConfig(Config.model_validate(CALM | {"load_balancing": closing(**closed)}), "")
        for closed in ({}, WEEKENDS)
    )
    options = RunOptions(as_of=dt.date.fromisoformat(TODAY), workers=1)
    found = compare_plans(agency.path, old, new, options, silent).what_if
    assert found is not None
    assert [setting.key for setting in found.settings] == ["load_balancing.closed.weekdays"]
    assert (found.closed_days.old, found.closed_days.new) == (0, 104)
    assert found.days[SUNDAY].planned["birthday"].new == 0
    assert found.fates == {"same day": {"birthday": 1}, "later": {"birthday": 1}}
