"""Who is protected on which days, and what a configuration lacks of the statutory rules."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pytest

from almanac import civil
from almanac.config import Config
from almanac.frames import NO_DAY
from almanac.rules.gaps import not_verified, rule_events, rules_line, unprotected_days
from almanac.rules.protected import protected_contacts
from almanac.rules.rule_table import RuleTable
from almanac.rules.states import USPS_STATES
from almanac.rules.windows import causes

TODAY = dt.date(2026, 11, 28)
HORIZON = dt.date(2027, 11, 28)


def config(**settings: Any) -> Config:
    return Config.model_validate(settings)


def vector(days: list[int]) -> np.ndarray:
    return np.array(days, np.int32)


# --- contacts ------------------------------------------------------------------------------------


def test_contacts_are_counted_as_if_each_was_looked_at() -> None:
    rng = np.random.default_rng(1)
    aged = {"state_rules": {"TX": {"kind": "birthday_window", "after": 9, "age": {"min": 65}}}}
    count = 400
    codes = [USPS_STATES.index(state) for state in ("CA", "NV", "MO", "NY", "TX", "OH")]
    state = rng.choice([*codes, -1], count).astype(np.int32)
    birth, effective = (rng.integers(-12_000, -2_000, count).astype(np.int32) for _ in range(2))
    birth[rng.random(count) < 0.1] = NO_DAY
    effective[rng.random(count) < 0.1] = NO_DAY
    days = civil.day_of(TODAY) + np.arange(0, 366, 7, dtype=np.int32)
    found = protected_contacts(config(**aged), state, birth, effective, days)
    exclusions = RuleTable(config(**aged)).exclusions(state, birth, effective)
    assert sorted(found) == ["CA", "MO", "NV", "NY", "TX"]
    for name, counts in found.items():
        mine = state == USPS_STATES.index(name)
        each = [causes(exclusions, np.full(count, day, np.int32)) != 0 for day in days.tolist()]
        assert counts == [int((inside & mine).sum()) for inside in each]


def test_without_contacts_in_states_with_rules_there_is_nothing_to_count() -> None:
    ohio = vector([USPS_STATES.index("OH"), -1])
    nothing = vector([NO_DAY, NO_DAY])
    assert protected_contacts(Config(), ohio, nothing, nothing, vector([0])) == {}


# --- compared with the statutory set --------------------------------------------------------------


def test_virginia_lacks_thirty_days_in_the_standard_set() -> None:
    assert unprotected_days(Config(), TODAY, HORIZON)["VA"] == 30


def test_days_ahead_of_a_window_cover_what_oregon_lacks_before_the_birthday() -> None:
    assert "OR" not in unprotected_days(Config(), TODAY, HORIZON)
    bare = config(timing={"pre_window_days": 0})
    assert unprotected_days(bare, TODAY, HORIZON)["OR"] == 30


def test_a_state_without_a_rule_lacks_all_days_that_the_statute_protects() -> None:
    assert unprotected_days(Config(), TODAY, HORIZON)["ME"] == 365


def test_a_wider_rule_lacks_nothing() -> None:
    lacking = unprotected_days(Config(), TODAY, HORIZON)
    assert not {"CA", "MO", "ID", "NV", "NY"} & lacking.keys()


def test_the_statutory_set_lacks_nothing() -> None:
    assert unprotected_days(config(rule_set="statutory"), TODAY, HORIZON) == {}


def test_a_rule_under_another_name_is_as_good() -> None:
    wide = {"kind": "birthday_window", "after": 90}
    lacking = unprotected_days(config(state_rules={"VA": wide}), TODAY, HORIZON)
    assert "VA" not in lacking


# --- dates and sources ----------------------------------------------------------------------------


def test_new_mexicos_rule_begins_within_the_year() -> None:
    (event,) = rule_events(config(rule_set="statutory"), TODAY, HORIZON)
    assert (event.state, event.day, event.begins) == ("NM", dt.date(2027, 1, 1), True)
    assert event.in_words("all year") == "begins: all year"


def test_a_rule_no_longer_holds_on_the_day_after_its_last() -> None:
    rule = {"kind": "year_round", "valid_to": "2026-12-31"}
    (event,) = rule_events(config(state_rules={"TX": rule}), TODAY, HORIZON)
    assert (event.state, event.day, event.begins) == ("TX", dt.date(2027, 1, 1), False)


@pytest.mark.parametrize(("day", "old"), [(dt.date(2027, 5, 27), 0), (dt.date(2027, 5, 28), 24)])
def test_a_source_is_old_after_180_days(day: dt.date, old: int) -> None:
    assert len(not_verified(config(rule_set="statutory"), day)) == old


def test_the_line_names_only_states_with_contacts() -> None:
    line = rules_line(Config(), TODAY, HORIZON, ["VA", "TX"])
    assert line == ("fewer protected days than by the statutory rules in VA (almanac rules check)")
    assert rules_line(Config(), TODAY, HORIZON, ["TX", "CA"]) == ""


def test_the_line_names_changes_and_old_sources() -> None:
    line = rules_line(config(rule_set="statutory"), dt.date(2026, 12, 1), HORIZON, ["NM", "VA"])
    assert line == "changes: NM 2027-01-01 (almanac rules check)"
    late = dt.date(2027, 8, 1)
    line = rules_line(config(rule_set="statutory"), late, late, ["NM", "VA"])
    assert line == "2 sources not verified for 180 days (almanac rules check)"
