"""Rules that begin, end, hold for some ages or are of the calendar, by examples worked out by hand.

Windows start `pre_window_days` early; most examples set that to 0, so that only the rule counts.
"""

from __future__ import annotations

import datetime as dt
import itertools
from typing import Any

import numpy as np
import pytest

from almanac import civil
from almanac.config import Config, load_config
from almanac.frames import NO_DAY
from almanac.rules.rule_table import RuleTable
from almanac.rules.states import USPS_STATES
from almanac.rules.windows import causes, exclusion_reason
from tests.support.sampling import sampled
from tests.support.tiny import Agency

BIRTHDAY = "Birthday exclusion window"


def excluded(
    config: Config, state: str, first: str, last: str, birth: str = "", effective: str = ""
) -> list[str]:
    """Return the spans of excluded days among some, with their reasons."""
    days = np.arange(np.datetime64(first), np.datetime64(last) + 1).astype("datetime64[D]")
    dates = [
        np.full(len(days), civil.day_of(dt.date.fromisoformat(text)) if text else NO_DAY, np.int32)
        for text in (birth, effective)
    ]
    codes = np.full(len(days), USPS_STATES.index(state), np.int32)
    exclusions = RuleTable(config).exclusions(codes, *dates)
    found = causes(exclusions, days.astype(np.int32))
    bounds = [0, *(np.flatnonzero(np.diff(found)) + 1), len(days)]
    return [
        f"{days[start]} to {days[stop - 1]}: {exclusion_reason(int(found[start]), state).text}"
        for start, stop in itertools.pairwise(bounds)
        if found[start]
    ]


def config(set_name: str = "standard", **rules: Any) -> Config:
    return Config.model_validate(
        {"rule_set": set_name, "timing": {"pre_window_days": 0}, "state_rules": rules}
    )


def test_virginia_has_thirty_days_in_the_standard_set_and_sixty_by_law_since_july_2025() -> None:
    both = [
        excluded(config(name), "VA", "2025-01-01", "2026-12-31", birth="1950-06-15")
        for name in ("standard", "statutory")
    ]
    assert both == [
        [
            "2025-06-15 to 2025-07-15: Birthday exclusion window for VA",
            "2026-06-15 to 2026-07-15: Birthday exclusion window for VA",
        ],
        [
            # the law begins in the middle of the window
            "2025-07-01 to 2025-08-14: Birthday exclusion window for VA",
            "2026-06-15 to 2026-08-14: Birthday exclusion window for VA",
        ],
    ]


def test_the_days_ahead_of_a_window_come_before_the_rule_is_law() -> None:
    ahead = load_config("rule_set: statutory")
    assert excluded(ahead, "VA", "2025-01-01", "2025-12-31", birth="1950-06-15") == [
        "2025-05-02 to 2025-08-14: Birthday exclusion window for VA"
    ]


def test_new_mexico_begins_in_2027_for_those_who_are_65() -> None:
    law = config("statutory")
    assert excluded(law, "NM", "2026-01-01", "2027-12-31", birth="1950-12-20") == [
        # the first of December 2026 and 60 days: what is left of it in 2027
        "2027-01-01 to 2027-01-30: Birthday exclusion window for NM",
        "2027-12-01 to 2027-12-31: Birthday exclusion window for NM",
    ]
    # 64 on the first of June, the base of the window, though 65 before it ends
    assert excluded(law, "NM", "2027-01-01", "2027-12-31", birth="1962-06-20") == []
    assert excluded(law, "NM", "2027-01-01", "2027-12-31", birth="1962-06-01") == [
        "2027-06-01 to 2027-07-31: Birthday exclusion window for NM"
    ]


@pytest.mark.parametrize(("age", "protected"), [(64, False), (65, True), (75, True), (76, False)])
def test_illinois_protects_from_65_to_75(age: int, protected: bool) -> None:
    birth = f"{2027 - age}-06-15"
    window = ["2027-06-15 to 2027-07-30: Birthday exclusion window for IL"]
    found = excluded(config("statutory"), "IL", "2027-01-01", "2027-12-31", birth=birth)
    assert found == (window if protected else [])


@pytest.mark.parametrize(
    ("birth", "protected"),
    sampled(
        [
            ("1962-10-15", True),  # 65 on the day it opens
            ("1962-10-16", False),
            ("1956-10-16", True),  # 70 then, 71 the day after
            ("1956-10-15", False),
            ("", True),  # taken to be within
        ],
        2,
    ),
)
def test_minnesotas_window_is_of_the_calendar_for_the_ages_65_to_70(
    birth: str, protected: bool
) -> None:
    window = ["2027-10-15 to 2027-12-07: Calendar exclusion window for MN"]
    found = excluded(config("statutory"), "MN", "2027-01-01", "2027-12-31", birth=birth)
    assert found == (window if protected else [])


def test_minnesotas_window_opens_once_a_year_from_2026_on() -> None:
    found = excluded(config("statutory"), "MN", "2024-01-01", "2027-12-31")
    assert [span[:24] for span in found] == [
        "2026-10-15 to 2026-12-07",
        "2027-10-15 to 2027-12-07",
    ]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({"kind": "birthday_window"}, ["2027-02-28 to 2027-02-28", "2028-02-29 to 2028-02-29"]),
        (
            {"kind": "effective_date_window"},
            ["2027-02-28 to 2027-02-28", "2028-02-29 to 2028-02-29"],
        ),
        (
            {"kind": "calendar_window", "from": "02-29", "to": "02-29"},
            ["2027-02-28 to 2027-02-28", "2028-02-29 to 2028-02-29"],
        ),
        # of the age of 76 on 28 February 2028, since that day is not yet the birthday
        ({"kind": "year_round", "age": {"min": 76}}, ["2028-02-29 to 2028-12-31"]),
    ],
)
def test_one_born_on_a_leap_day_has_windows_in_every_year(
    rule: dict[str, Any], expected: list[str]
) -> None:
    leap = {"birth": "1952-02-29", "effective": "2020-02-29"}
    found = excluded(config(TX=rule), "TX", "2027-01-01", "2028-12-31", **leap)
    assert [span.split(":")[0] for span in found] == expected


def test_a_calendar_window_crosses_new_year() -> None:
    rule = {"kind": "calendar_window", "from": "12-20", "to": "01-10"}
    assert excluded(config(FL=rule), "FL", "2026-01-01", "2027-06-30") == [
        "2026-01-01 to 2026-01-10: Calendar exclusion window for FL",
        "2026-12-20 to 2027-01-10: Calendar exclusion window for FL",
    ]


def test_a_rule_that_ends_in_the_middle_of_a_window_cuts_it() -> None:
    rule = {"kind": "birthday_window", "after": 30, "valid_to": "2027-06-20"}
    assert excluded(config(TX=rule), "TX", "2026-01-01", "2028-12-31", birth="1950-06-15") == [
        "2026-06-15 to 2026-07-15: Birthday exclusion window for TX",
        "2027-06-15 to 2027-06-20: Birthday exclusion window for TX",
    ]


def test_a_rule_for_all_year_begins_and_ends_with_its_law_and_its_ages() -> None:
    rule = {"kind": "year_round", "valid_from": "2027-03-01", "age": {"min": 60, "max": 60}}
    reason = "Year-round exclusion for PA"
    for birth, span in (
        ("1967-01-15", "2027-03-01 to 2028-01-14"),
        ("1967-05-15", "2027-05-15 to 2028-05-14"),
        ("", "2027-03-01 to 2028-12-31"),
    ):
        found = excluded(config(PA=rule), "PA", "2027-01-01", "2028-12-31", birth=birth)
        assert found == [f"{span}: {reason}"]


@pytest.mark.parametrize(
    "rule",
    [
        {"kind": "year_round", "valid_from": "2027-06-15"},
        {"kind": "year_round", "age": {"min": 76}},  # on 15 June
        {"kind": "calendar_window", "from": "01-01", "to": "01-01", "year_round_from_age": 76},
    ],
)
def test_a_message_is_not_moved_into_an_age_or_a_rule_that_begins(
    agency: Agency, rule: dict[str, Any]
) -> None:
    agency.contact(birth_date="1951-06-15", effective_date="2020-07-02")
    for period, expected in ((13, "-> 2027-06-14"), (14, "skipped, Frequency limit exceeded")):
        limits = {"max_emails": 1, "period_days": period}
        found = agency.planned("2027-03-01", state_rules={"TX": rule}, frequency=limits)
        assert found[:2] == [
            "birthday 2027-06-15: 2027-06-01",
            f"effective_date 2027-07-02: 2027-06-02 {expected}",
        ]


def test_windows_that_touch_are_one_and_are_made_up_for_once(agency: Agency) -> None:
    agency.contact(state="TX", birth_date="1950-06-15")
    rules: list[dict[str, Any]] = [
        {"kind": "birthday_window", "before": 20, "after": 5},  # to 20 June
        {"kind": "calendar_window", "from": "06-21", "to": "06-30"},
    ]
    settings: dict[str, Any] = {"timing": {"pre_window_days": 0}}
    assert agency.planned("2027-03-01", state_rules={"TX": rules}, **settings) == [
        f"birthday 2027-06-15: 2027-06-01 skipped, {BIRTHDAY} for TX",
        "post_window 2027-06-30: 2027-07-01",
    ]
    rules[1]["from"] = "06-22"
    assert agency.planned("2027-03-01", state_rules={"TX": rules}, **settings) == [
        f"birthday 2027-06-15: 2027-06-01 skipped, {BIRTHDAY} for TX",
        "post_window 2027-06-20: 2027-06-21",
    ]


def test_of_two_windows_on_a_day_the_birthdays_gives_the_reason(agency: Agency) -> None:
    agency.contact(state="TX", birth_date="1950-06-15")
    rules = [
        {"kind": "calendar_window", "from": "05-20", "to": "06-10"},
        {"kind": "birthday_window", "before": 14},
    ]
    found = agency.planned("2027-03-01", state_rules={"TX": rules}, timing={"pre_window_days": 0})
    assert found[0] == f"birthday 2027-06-15: 2027-06-01 skipped, {BIRTHDAY} for TX"


def test_a_calendar_window_needs_no_date_and_the_others_of_the_state_do(agency: Agency) -> None:
    agency.contact(1, birth_date="1950-06-15")
    agency.contact(2, birth_date="1950-06-15", effective_date="2020-01-15")
    calendar = {"kind": "calendar_window", "from": "12-20", "to": "01-10"}
    policy = {"kind": "effective_date_window", "after": 20}
    silent: dict[str, Any] = {"organization": {"send_without_window_date": False}}
    assert agency.planned("2027-03-01", state_rules={"TX": [calendar, policy]}, **silent)[:1] == [
        "1 birthday 2027-06-15: 2027-06-01 skipped, Effective date unknown for TX"
    ]
    assert agency.planned("2027-03-01", state_rules={"TX": calendar}, **silent)[:1] == [
        "1 birthday 2027-06-15: 2027-06-01"
    ]
