"""The days that the statutory rules protect, about their first days and at their ages."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest

from almanac import civil
from almanac.config import Config
from almanac.frames import NO_DAY
from almanac.rules.gaps import days_of
from almanac.rules.protected import protection, spans_of
from almanac.rules.states import USPS_STATES

# without days ahead of windows, which are the agency's
STATUTORY = Config.model_validate({"rule_set": "statutory", "timing": {"pre_window_days": 0}})
STANDARD = Config.model_validate({"timing": {"pre_window_days": 0}})


def protected(state: str, birth: str | None, year: int, config: Config = STATUTORY) -> list[str]:
    """The protected spans of a year, such as `01-31 to 03-02`."""
    first, last = dt.date(year, 1, 1), dt.date(year, 12, 31)
    day = NO_DAY if birth is None else civil.day_of(dt.date.fromisoformat(birth))
    born, nothing = np.array([day], np.int32), np.array([NO_DAY], np.int32)
    codes = np.array([USPS_STATES.index(state)], np.int32)
    inside = protection(config, codes, born, nothing, days_of(first, last))
    return [
        f"{first + dt.timedelta(days=start):%m-%d} to {first + dt.timedelta(days=end):%m-%d}"
        for start, end in spans_of(inside[:, 0])
    ]


def test_virginia_has_sixty_days_since_july_2025_and_the_standard_set_thirty() -> None:
    assert protected("VA", "1955-06-15", 2024) == []
    assert protected("VA", "1955-06-15", 2025) == ["07-01 to 08-14"]
    assert protected("VA", "1955-06-15", 2026) == ["06-15 to 08-14"]
    assert protected("VA", "1955-06-15", 2026, STANDARD) == ["06-15 to 07-15"]


def test_virginias_days_ahead_are_counted_from_the_first_day_of_the_law() -> None:
    ahead = Config.model_validate({"rule_set": "statutory"})
    assert protected("VA", "1955-06-15", 2025, ahead) == ["05-02 to 08-14"]


def test_new_mexico_begins_in_2027_with_what_is_left_of_a_birth_month() -> None:
    assert protected("NM", "1955-12-20", 2026) == []
    assert protected("NM", "1955-12-20", 2027) == ["01-01 to 01-30", "12-01 to 12-31"]
    assert protected("NM", "1965-03-10", 2029) == []
    assert protected("NM", "1965-03-10", 2031) == ["03-01 to 04-30"]


@pytest.mark.parametrize(("age", "there"), [(64, False), (65, True), (75, True), (76, False)])
def test_illinois_protects_from_65_to_75(age: int, there: bool) -> None:
    found = protected("IL", f"{2026 - age}-06-15", 2026)
    assert found == (["06-15 to 07-30"] if there else [])


def test_minnesota_has_the_same_days_for_everyone_of_65_to_70() -> None:
    weeks = ["10-15 to 12-07"]
    assert protected("MN", "1961-10-15", 2026) == weeks
    assert protected("MN", "1961-10-16", 2026) == []  # 64 on the first day
    assert protected("MN", "1955-10-16", 2026) == weeks  # 70
    assert protected("MN", "1955-10-15", 2026) == []
    assert protected("MN", None, 2026) == weeks  # of unknown age
    assert protected("MN", "1958-01-01", 2025) == []  # before it was law


def test_a_leap_day_counts_as_the_28th_in_a_common_year() -> None:
    assert protected("WY", "1956-02-29", 2027) == ["02-28 to 05-02"]
    assert protected("WY", "1956-02-29", 2028) == ["02-29 to 05-02"]


def test_maine_and_vermont_are_protected_all_year() -> None:
    for state in ("ME", "VT"):
        assert protected(state, None, 2026) == ["01-01 to 12-31"]
        assert protected(state, None, 2026, STANDARD) == []
