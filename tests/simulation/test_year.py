"""A year in the life (semantics: Promises, 9), with and without failures.

On every day the rows of email_schedules are the oracle's, and the ledger follows each live event
from the day that it is first a candidate: it is sent once, lawfully and in time, or its row says
why not, or the agency has changed so that nobody wants it any more. See ledger.py.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.support.simulation.year import Plan, Year

WEEKS = ((10, 24, 2), (12, 60, 10))  # contacts, days, events that must have happened


def lived(plan: Plan, folder: Path) -> Year:
    """The year, gone by."""
    year = Year(plan, folder / "agency.sqlite3")
    year.live()
    return year


def check_eventful(year: Year, events: int = 50) -> None:
    """Check that enough has happened for the year to have shown anything."""
    over, happened = year.ledger.over, year.happened
    assert over["sent"] > events
    assert sum(number for end, number in over.items() if end.startswith("skipped")) > events
    assert over["withdrawn: the contact is another"] > events // 5
    assert {key[1].partition("_")[0] for key in year.ledger.seen} >= {
        "birthday", "effective", "post", "campaign", "followup",
    }  # fmt: skip
    if year.plan.failures:
        assert happened["days on which the run failed"] > events // 20
        assert happened["days on which the sender failed"] > events // 20
        assert happened["runs disturbed"] > 0
    else:
        assert not year.ledger.broken


def check_nothing_left(year: Year) -> None:
    """Check that no event has missed its deadline."""
    assert not {end for end in year.ledger.over if "Not sent" in end or end.startswith("unsent")}


@pytest.mark.slow
@pytest.mark.parametrize(("days", "events"), [(28, 7), (42, 10)])
def test_in_some_weeks_every_event_is_sent_once_or_its_row_says_why_not(
    tmp_path: Path, days: int, events: int
) -> None:
    year = lived(Plan(seed=9, contacts=16, days=days), tmp_path)
    check_eventful(year, events)
    check_nothing_left(year)


@pytest.mark.slow
def test_in_a_year_every_event_is_sent_once_or_its_row_says_why_not(tmp_path: Path) -> None:
    year = lived(Plan(seed=2, contacts=40), tmp_path)
    check_eventful(year)
    check_nothing_left(year)


@pytest.mark.slow
def test_in_a_year_with_closed_weekends_and_a_new_rule_nothing_is_lost(tmp_path: Path) -> None:
    plan = Plan(seed=2, contacts=40, closed=("sat", "sun"), new_rule=True)
    year = lived(plan, tmp_path)
    check_eventful(year)
    check_nothing_left(year)


@pytest.mark.parametrize(
    ("seed", "contacts", "days", "events"),
    [(24, 8, 11, 2), *(pytest.param(4, *how, marks=pytest.mark.slow) for how in WEEKS)],
)
def test_some_weeks_with_failures_and_closed_sundays_lose_nothing(
    tmp_path: Path, seed: int, contacts: int, days: int, events: int
) -> None:
    plan = Plan(seed=seed, contacts=contacts, days=days, failures=True, closed=("sun",))
    year = lived(plan, tmp_path)
    check_eventful(year, events)


@pytest.mark.slow
def test_runs_and_senders_that_fail_lose_nothing(tmp_path: Path) -> None:
    check_eventful(lived(Plan(seed=4, contacts=30, days=150, failures=True), tmp_path))


@pytest.mark.slow
def test_in_a_tight_year_what_waits_what_repeats_and_what_is_split_is_sent_once(
    tmp_path: Path,
) -> None:
    """400 days with little room, and days on which the run or the sender fails."""
    year = lived(Plan(seed=105, contacts=40, failures=True, tight=True), tmp_path)
    check_eventful(year)
    ledger = year.ledger
    dates = Counter(key[:3] for key in ledger.seen if key in ledger.sent and key[2])
    assert sum(number > 1 for number in dates.values()) > 9  # several dates of one campaign
    assert len(ledger.waited & ledger.sent.keys()) > 3
    assert ledger.over["skipped: Outside campaign split"] > 20
    assert ledger.over["skipped: Daily volume cap"] > 20


@pytest.mark.slow
@pytest.mark.parametrize(
    "plan",
    [
        Plan(seed=101, contacts=100, schema="old"),
        Plan(seed=102, contacts=100, schema="new"),
        Plan(seed=103, contacts=100, schema="old", failures=True),
        Plan(seed=104, contacts=100, schema="new", failures=True),
        Plan(seed=201, contacts=1000, failures=True, compare_every=7),
    ],
    ids=lambda plan: f"{plan.contacts} contacts, seed {plan.seed}",
)
def test_years_of_larger_agencies(plan: Plan, tmp_path: Path) -> None:
    check_eventful(lived(plan, tmp_path))
