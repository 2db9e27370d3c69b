"""Each decision of an explanation comes with what it was made by."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from almanac.explain.model import MessageOnDay
from tests.support.cli_calls import almanac
from tests.support.explanations import explain, explain_contact, one
from tests.support.tiny import Agency


@pytest.fixture
def tiny(tmp_path: Path) -> Agency:
    return Agency(tmp_path / "agency.sqlite3")


def date(text: str) -> dt.date:
    return dt.date.fromisoformat(text)


def test_an_exclusion_tells_the_window_it_follows_from(tiny: Agency) -> None:
    tiny.contact(state="NV", birth_date="1950-06-15")
    decision = one(explain(tiny), "birthday").last
    assert (decision.step, decision.section) == ("Exclusion", "Windows")
    assert decision.inputs == {
        "state": "NV",
        "rule": "birthday_window",
        "anchor": date("1950-06-15"),
        "anniversary": date("2027-06-01"),
        "use_month_start": True,
        "before": 0,
        "after": 60,
        "pre_window_days": 60,
        "window start": date("2027-04-02"),
        "window end": date("2027-07-31"),
        "ideal date": date("2027-06-01"),
    }


def test_an_exclusion_by_age_tells_from_when(tiny: Agency) -> None:
    tiny.contact(state="TX", birth_date="1950-06-15")
    rule = {"kind": "birthday_window", "before": 0, "after": 0, "year_round_from_age": 76}
    decision = one(explain(tiny, state_rules={"TX": rule}), "birthday").last
    assert decision.inputs["excluded from"] == date("2026-06-15")
    assert decision.inputs["year_round_from_age"] == 76


def test_an_exclusion_names_the_rule_its_dates_and_its_source(tiny: Agency) -> None:
    tiny.contact(state="TX", birth_date="1960-06-15")
    source = {"cite": "Tex. Code 1", "url": "https://law.example/1", "verified": "2026-11-28"}
    calendar = {
        "kind": "calendar_window",
        "from": "05-20",
        "to": "06-10",
        "valid_from": "2026-01-01",
        "age": {"min": 65, "max": 70},
        "pre_window_days": 5,
        "id": "tx-1",
        "source": source,
    }
    after = {"kind": "calendar_window", "from": "06-11", "to": "06-20", "pre_window_days": 0}
    found = explain(tiny, state_rules={"TX": [calendar, after]})
    decision = one(found, "birthday").last
    assert decision.inputs == {
        "state": "TX",
        "rule": "calendar_window",
        "from": "05-20",
        "to": "06-10",
        "pre_window_days": 5,
        "window start": date("2027-05-15"),
        "window end": date("2027-06-10"),
        "joined with others from": date("2027-05-15"),
        "to the end of": date("2027-06-20"),
        "rule id": "tx-1",
        "valid_from": date("2026-01-01"),
        "age.min": 65,
        "age.max": 70,
        "source": "Tex. Code 1, https://law.example/1, verified 2026-11-28",
        "ideal date": date("2027-06-01"),
    }
    assert "the window 2027-05-15 to 2027-06-20 of TX" in decision.why
    assert found.contact.rule == (
        "TX excludes 20 May to 10 June, and 5 days ahead of that (from 2026-01-01 on, at the ages "
        "of 65 to 70) [Tex. Code 1, https://law.example/1, verified 2026-11-28]; 11 June to 20 June"
    )
    assert [w.rule for w in found.windows if w.source] == ["tx-1", "tx-1"]


def test_a_crowded_span_tells_what_fills_it(tiny: Agency) -> None:
    tiny.contact(birth_date="1950-12-20", effective_date="2020-12-10")  # of use to 9 December
    tiny.sent("invoice", "2026-11-20")
    tiny.sent("other", "2026-10-01")
    timing = {"effective_date_days_before": 5}
    found = explain(tiny, frequency={"max_emails": 2}, timing=timing)
    decision = one(found, "effective_date").last
    assert decision.inputs == {
        "max_emails": 2,
        "period_days": 30,
        "ideal date": date("2026-12-05"),
        "latest": date("2026-12-09"),
        "span from": date("2026-11-20"),
        "span to": date("2026-12-19"),
        "filled by": [
            MessageOnDay(message="invoice", day=date("2026-11-20"), status="sent"),
            MessageOnDay(message="birthday", day=date("2026-12-06"), status="planned"),
        ],
    }


def test_a_range_tells_which_later_message_ends_it(tiny: Agency) -> None:
    tiny.contact(birth_date="1950-12-20", effective_date="2020-02-10")
    found = explain(tiny, frequency={"max_emails": 1})
    (range_of,) = (d for d in one(found, "birthday").decisions if d.step == "Range")
    later = MessageOnDay(message="effective_date", day=date("2027-01-11"), status="planned")
    assert range_of.inputs["hi set by"] == [later]
    assert range_of.inputs["its lo"] == date("2027-01-09")
    assert range_of.inputs["hi"] == date("2026-12-10")
    (range_of,) = (d for d in one(found, "effective_date").decisions if d.step == "Range")
    assert "hi set by" not in range_of.inputs
    assert (
        range_of.why
        == "It may be sent from 2027-01-09 to 2027-02-09; the last day is its deadline."
    )


def test_a_follow_up_tells_its_parent_and_what_the_contact_did(tiny: Agency) -> None:
    tiny.contact()
    row = tiny.sent("aep", "2026-11-15")
    tiny.insert("tracking_clicks", contact_id=1, clicked_at="2026-11-16 10:00:00")
    origin = one(explain(tiny), "followup_2_clicked_no_hq").decisions[0]
    assert origin.section == "Follow-ups"
    assert origin.why == (
        f"It follows up aep (row {row}), sent on 2026-11-15: the contact has clicked since."
    )
    assert origin.inputs["parent row"] == row
    assert origin.inputs["followup_lookback_days"] == 35
    assert (origin.inputs["clicked"], origin.inputs["answered"]) == (True, False)


def test_a_make_up_message_tells_what_its_window_kept_back(tiny: Agency) -> None:
    tiny.contact(state="CA", birth_date="1950-06-01")
    origin = one(explain(tiny), "post_window").decisions[0]
    birthday = MessageOnDay(message="birthday", day=date("2027-05-18"), status="kept back")
    assert origin.inputs["kept back"] == [birthday]
    assert origin.inputs["window start"] == date("2027-03-03")


def test_of_two_campaigns_the_priority_of_the_winner_is_told(tiny: Agency) -> None:
    tiny.contact()
    tiny.campaign(1, name="first", priority=1)
    tiny.campaign(2, name="second", priority=9)
    tiny.target(1, "2026-12-01")
    tiny.target(2, "2026-12-01")
    assert one(explain(tiny), "campaign_second").last.inputs == {
        "ideal date": date("2026-12-01"),
        "priority": 9,
        "instance": 2,
        "winner": "campaign_first 'first 1'",
        "winner's priority": 1,
        "winner's instance": 1,
    }


def test_a_suppression_tells_its_row(tiny: Agency) -> None:
    tiny.contact(birth_date="1950-06-01")
    tiny.insert("suppressions", contact_id=1, reason="old", until="2026-01-01")
    tiny.insert("suppressions", email="USER1@example.com", reason="bounced", since="2026-05-01")
    decision = one(explain(tiny), "birthday").last
    assert decision.why == "The contact is suppressed (bounced, since 2026-05-01): nothing is sent."
    assert decision.inputs["email"] == "USER1@example.com"
    assert decision.inputs["since"] == date("2026-05-01")
    assert decision.inputs["until"] is None


def test_what_is_handled_tells_the_row_and_how_near_it_is(tiny: Agency) -> None:
    tiny.contact(birth_date="1950-12-01")
    row = tiny.sent("birthday", "2026-11-10")
    (absent,) = (a for a in explain(tiny).absent if a.name == "birthday")
    assert (absent.step, absent.section) == ("Handled already", "Candidates")
    assert absent.inputs == {
        "row": row,
        "status": "sent",
        "scheduled_send_date": date("2026-11-10"),
        "ideal date": date("2026-11-17"),
        "days between": 7,
        "at most": 180,
    }


def test_a_full_day_tells_caps_and_loads(tiny: Agency) -> None:
    for contact in range(1, 5):
        tiny.contact(contact, birth_date="1950-06-01")
    tight = {"daily_send_percentage_cap": 0.25, "overage_threshold": 1.0}
    explain(tiny, load_balancing=tight)
    messages = [one(explain_contact(tiny.path, n), "birthday") for n in range(1, 5)]
    waited = max(messages, key=lambda m: m.day or dt.date.min).last
    assert waited.step == "Daily cap"
    assert waited.inputs["aimed at"] == date("2027-05-18")
    assert (waited.inputs["daily cap"], waited.inputs["ceiling"]) == (1, 1)
    assert waited.inputs["load now"] == {date(f"2027-05-{day}"): 1 for day in (18, 19, 20, 21)}


def test_smoothing_tells_its_limit_and_how_many_want_the_day(tiny: Agency) -> None:
    for contact in range(1, 13):
        tiny.contact(contact, effective_date="2020-06-01")
    calm = {"daily_send_percentage_cap": 1.0, "ed_daily_soft_limit": 2}
    explain(tiny, load_balancing=calm)
    found = [one(explain_contact(tiny.path, n), "effective_date").last for n in range(1, 13)]
    smoothed = [decision for decision in found if decision.step == "Smoothing"]
    assert smoothed
    for decision in smoothed:
        assert decision.inputs["limit"] == 2
        assert decision.inputs["with that ideal date now"] == 12


def test_a_campaign_that_was_due_when_dates_begin_is_explained(tiny: Agency) -> None:
    tiny.contact(state="CA", birth_date="1950-01-10")
    tiny.campaign(1, days_before_event=1_000_000)
    tiny.target(1, "2027-05-01")
    message = one(explain(tiny), "campaign_promo")
    assert message.ideal_date == dt.date.min
    assert message.skip_reason == "Birthday exclusion window for CA"
    assert explain_contact(tiny.path, 1, on=date("2027-02-01")).on is not None


def test_what_decided_is_printed_with_its_section(tiny: Agency) -> None:
    tiny.contact(state="CA", birth_date="1950-06-01")
    tiny.plan("2026-11-21")
    words = " ".join(almanac("explain", tiny.path, "--contact", 1).out.split())
    assert "Exclusion [Windows] state = CA; rule = birthday_window;" in words
    assert "docs/semantics.md" in words
