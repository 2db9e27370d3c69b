"""`almanac explain --on DATE`: why not on this day."""

from __future__ import annotations

import datetime as dt
import random
from pathlib import Path
from typing import Any

import pytest

from almanac.errors import RequestError
from almanac.explain.model import DayAnswer, Explanation
from tests.oracle import merged
from tests.oracle.contacts import FIVE_ZIPS, read_contact
from tests.oracle.oracle import read
from tests.support.agencies import as_of_for, build, config_for
from tests.support.agreement import run
from tests.support.cli_calls import AS_OF, almanac
from tests.support.explanations import SECTIONS, day_of, decisions_of, explain_contact
from tests.support.sampling import sampled, shares
from tests.support.tiny import Agency

DAY = dt.timedelta(days=1)


@pytest.fixture
def tiny(tmp_path: Path) -> Agency:
    return Agency(tmp_path / "agency.sqlite3")


def asked(tiny: Agency, day: str, email_type: str | None = None, **config: Any) -> Explanation:
    """Plan the agency, and ask of contact 1 why not on the day."""
    tiny.plan(AS_OF, **config)
    return explain_contact(tiny.path, 1, on=dt.date.fromisoformat(day), email_type=email_type)


def answer(found: Explanation, email_type: str) -> DayAnswer:
    (each,) = (a for a in day_of(found).messages if a.email_type == email_type)
    return each


def days_to_ask(found: Explanation, rng: random.Random) -> set[dt.date]:
    """The days of the messages, those on both sides of where each may be, and some others."""
    days = {found.as_of + rng.randint(-60, 420) * DAY for _ in range(2)}
    for message in found.messages:
        days |= {message.ideal_date, message.day or message.ideal_date}
        if message.floor and message.hi:
            days |= {message.floor - DAY, message.floor, message.hi, message.hi + DAY}
    return set(rng.sample(sorted(days), min(7, len(days))))


@shares(8)
@pytest.mark.parametrize("seed", sampled(range(3), 1))
def test_a_day_is_answered_as_the_run_and_the_rules_decided(
    tmp_path: Path, seed: int, every: int
) -> None:
    as_of, config, rng = as_of_for(seed), config_for(seed), random.Random(seed)
    path = build(tmp_path / "agency.sqlite3", seed, 16, schema=("new", "old")[seed % 2])
    run(path, as_of, as_of, config)
    agency = read(path)
    for record in rng.sample(agency.contacts, 5)[::every]:
        contact, _ = read_contact(record, merged(config), as_of, agency.suppressions, FIVE_ZIPS)
        year = explain_contact(path, contact.id)
        for day in days_to_ask(year, rng):
            found = explain_contact(path, contact.id, on=day)
            on = day_of(found)
            assert {decision.section for decision in decisions_of(found)} <= SECTIONS
            if contact.eligible:
                reason = on.excluded.inputs["reason"] if on.excluded else None
                assert reason == contact.excluded(day)
            planned = {(m.name, m.event_date) for m in year.messages if m.day == day}
            said = {(a.name, a.event_date) for a in on.messages if a.answer == "planned"}
            assert said == planned
            assert on.verdict.startswith("On ") == bool(planned or on.committed)
            for message in year.messages:
                (said_of,) = (
                    a
                    for a in on.messages
                    if (a.name, a.event_date) == (message.name, message.event_date)
                )
                assert said_of.why.endswith(".")
                if (message.name, message.event_date) in planned:
                    continue
                within = message.floor and message.hi and message.floor <= day <= message.hi
                if not within:
                    assert said_of.answer == "not allowed"
                elif said_of.answer == "not allowed":
                    assert said_of.step in ("Daily cap", "Closed days", "Campaigns on one day")


def test_the_day_of_a_message_says_so_first(tiny: Agency) -> None:
    tiny.contact(birth_date="1950-06-01")
    found = asked(tiny, "2027-05-18")
    assert day_of(found).verdict == "On 2027-05-18 contact 1 gets birthday."
    answer_text = almanac("explain", tiny.path, "--contact", 1, "--on", "2027-05-18").out
    assert answer_text.startswith("On 2027-05-18 contact 1 gets birthday.\n")
    assert "asked 2027-05-18" in answer_text


def test_an_excluded_day_names_its_window_and_what_was_due(tiny: Agency) -> None:
    tiny.contact(state="CA", birth_date="1950-06-01", effective_date="2020-12-20")
    on = day_of(asked(tiny, "2027-05-18"))
    assert on.verdict == (
        "Contact 1 gets nothing on 2027-05-18: the day lies in the window 2027-03-03 to "
        "2027-07-31 of CA (birthday would be due)."
    )
    assert on.excluded is not None
    assert on.excluded.inputs == {
        "reason": "Birthday exclusion window for CA",
        "state": "CA",
        "rule": "birthday_window",
        "anchor": dt.date(1950, 6, 1),
        "anniversary": dt.date(2027, 6, 1),
        "before": 30,
        "after": 60,
        "pre_window_days": 60,
        "window start": dt.date(2027, 3, 3),
        "window end": dt.date(2027, 7, 31),
    }


@pytest.mark.parametrize(
    ("day", "step", "why"),
    [
        ("2026-11-20", "T0", "The day is past"),
        ("2027-05-17", "Range", "It is due on 2027-05-18, and not sent earlier."),
        ("2027-06-01", "Deadline", "The day is after its deadline, 2027-05-31."),
    ],
)
def test_the_first_rule_in_the_way_is_named(tiny: Agency, day: str, step: str, why: str) -> None:
    tiny.contact(birth_date="1950-06-01")
    found = answer(asked(tiny, day), "birthday")
    assert (found.answer, found.step) == ("not allowed", step)
    assert found.why.startswith(why)


def test_a_message_does_not_move_across_excluded_days(tiny: Agency) -> None:
    # due on 2027-02-27, then the window from 2027-03-03 on lies before the deadline
    tiny.contact(state="CA", birth_date="1950-06-01", effective_date="2020-03-29")
    found = asked(tiny, "2027-03-04")
    assert answer(found, "effective_date").step == "Exclusion"
    tiny.query("UPDATE contacts SET birth_date = '1950-04-10'")
    rule = {"CA": {"kind": "birthday_window", "before": 0, "after": 2}}
    found = asked(tiny, "2027-03-28", state_rules=rule, timing={"pre_window_days": 40})
    days = answer(found, "effective_date")
    assert days.step in ("Exclusion", "Exclusion between")
    tiny.query("UPDATE contacts SET birth_date = '1950-03-10'")
    rule["CA"]["after"] = 1
    found = asked(tiny, "2027-03-20", state_rules=rule, timing={"pre_window_days": 1})
    days = answer(found, "effective_date")
    assert days.step == "Exclusion between"
    assert "2027-03-09 lies in the window 2027-03-09 to 2027-03-11 of CA" in days.why


def test_room_for_a_later_message_is_named(tiny: Agency) -> None:
    tiny.contact(birth_date="1950-12-20", effective_date="2020-02-10")
    limit = {"max_emails": 1, "period_days": 30}
    found = answer(asked(tiny, "2026-12-14", frequency=limit), "birthday")
    assert (found.step, found.section) == ("Range", "Sifting")
    assert found.why == (
        "It must be sent by 2026-12-10, to leave room for effective_date, due on 2027-01-11: at "
        "most 1 message in 30 days."
    )
    assert [each.message for each in found.inputs["hi set by"]] == ["effective_date"]  # type: ignore[union-attr]


def test_two_campaigns_never_share_a_day(tiny: Agency) -> None:
    tiny.contact()
    tiny.campaign(1, name="first")
    tiny.campaign(2, name="second")
    tiny.target(1, "2026-12-01")
    tiny.target(2, "2026-12-05")
    found = answer(asked(tiny, "2026-12-05"), "campaign_first")
    assert (found.answer, found.step) == ("not allowed", "Campaigns on one day")
    assert found.why.startswith("campaign_second 'second 2' is on that day")


def test_a_full_day_says_how_full_it_is(tiny: Agency) -> None:
    for contact in range(1, 6):
        tiny.contact(contact, birth_date="1950-06-01")
    tight = {"daily_send_percentage_cap": 0.2, "overage_threshold": 1.0}
    found = explained = asked(tiny, "2027-05-18", load_balancing=tight)
    if found.messages[0].day == dt.date(2027, 5, 18):
        explained = explain_contact(tiny.path, 2, on=dt.date(2027, 5, 18))
    full = answer(explained, "birthday")
    assert (full.answer, full.step) == ("not allowed", "Daily cap")
    assert full.inputs == {"daily cap": 1, "ceiling": 1, "load now": 1}


def test_a_day_that_was_free_tells_why_the_run_chose_another(tiny: Agency) -> None:
    tiny.contact(birth_date="1950-06-01")
    found = answer(asked(tiny, "2027-05-20"), "birthday")
    assert found.answer == "allowed"
    assert found.why == "It could be sent on that day; the run chose 2027-05-18. On its ideal date."


def test_what_was_sent_on_the_day_is_told(tiny: Agency) -> None:
    tiny.contact()
    row = tiny.sent("BIRTHDAY", "2026-11-10")
    on = day_of(asked(tiny, "2026-11-10"))
    assert on.verdict == "On 2026-11-10 contact 1 has BIRTHDAY (sent)."
    assert [each.row_id for each in on.committed] == [row]
    assert day_of(asked(tiny, "2026-11-10", "birthday")).committed
    assert not day_of(asked(tiny, "2026-11-10", "aep")).committed


def test_a_type_chooses_the_message(tiny: Agency) -> None:
    tiny.contact(birth_date="1950-06-01", effective_date="2020-03-29")
    on = day_of(asked(tiny, "2027-01-01", "effective_date"))
    assert [each.email_type for each in on.messages] == ["effective_date"]
    assert on.verdict == (
        "Contact 1 does not get effective_date on 2027-01-01: it is due on 2027-02-27, and not "
        "sent earlier than 2027-02-25."
    )
    on = day_of(asked(tiny, "2027-01-01", "followup_1_cold"))
    assert on.verdict.endswith("nothing was sent to the contact in the last 35 days.")
    with pytest.raises(
        RequestError, match=r"--type: 'bithday' is not a message type .* aep, birthday, "
    ):
        asked(tiny, "2027-01-01", "bithday")


def test_a_day_on_which_nothing_can_be_due_names_what_is_near(tiny: Agency) -> None:
    tiny.contact(birth_date="1950-06-01", effective_date="2020-03-29")
    assert day_of(asked(tiny, "2027-04-15")).verdict == (
        "Contact 1 gets nothing on 2027-04-15: no message is due on that day; the last before is "
        "effective_date on 2027-02-27, the next is birthday on 2027-05-18."
    )
    assert "the plan goes up to 2027-11-21" in day_of(asked(tiny, "2029-01-01")).verdict


@pytest.mark.parametrize(
    ("columns", "why"),
    [
        ({"status": "bounced"}, "its status is 'bounced'"),
        ({}, "no message is due up to 2027-11-21"),
    ],
)
def test_a_contact_that_gets_nothing_at_all_is_told_so(
    tiny: Agency, columns: dict[str, Any], why: str
) -> None:
    tiny.contact(**columns)
    assert why in day_of(asked(tiny, "2027-05-18")).verdict


def test_a_suppressed_contact_is_told_so_before_anything_else(tiny: Agency) -> None:
    tiny.contact(state="NY", birth_date="1950-06-01")
    tiny.insert("suppressions", contact_id=1, reason="complaint", since="2026-10-01")
    on = day_of(asked(tiny, "2026-01-01"))
    assert [each.step for each in on.messages] == ["Suppression"]
    on = day_of(asked(tiny, "2027-05-18"))
    assert "the contact is suppressed (complaint, since 2026-10-01)" in on.verdict


def test_a_type_without_a_day_is_a_mistake(tiny: Agency) -> None:
    answer = almanac("explain", tiny.path, "--contact", 1, "--type", "birthday")
    assert (answer.code, answer.out) == (2, "")
    assert "--type goes with --on DATE" in answer.err
