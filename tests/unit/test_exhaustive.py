"""What decides by a kind, a status or a reason knows every one, and refuses any other."""

from __future__ import annotations

import pytest

from almanac.config import Config
from almanac.config_rules import StateRule
from almanac.delivery.status_order import NEXT
from almanac.planning.rule_text import one_rule_in_words
from almanac.rules.rule_table import RuleTable
from almanac.schedule_status import (
    DATE_UNKNOWN_SKIPS,
    EXCLUSION_SKIPS,
    INELIGIBLE_SKIPS,
    SkipCode,
    SkipStep,
    Status,
    skip_step,
)


def test_a_rule_kind_that_the_planner_does_not_know_stops_it_instead_of_excluding_nothing() -> None:
    known = Config().rules["CA"][0]
    rule = StateRule.model_construct(**dict(known) | {"kind": "moon_window"})
    config = Config().model_copy(update={"state_rules": {"TX": [rule]}})
    with pytest.raises(AssertionError, match="moon_window"):
        RuleTable(config)
    with pytest.raises(AssertionError, match="moon_window"):
        one_rule_in_words(rule)


def test_every_skip_code_belongs_to_one_step() -> None:
    steps = {code: skip_step(code) for code in SkipCode}
    assert set(steps.values()) == set(SkipStep)
    # in the order of `rules.windows`, whose causes are numbers
    assert [code.name for code in EXCLUSION_SKIPS] == [
        *("YEAR_ROUND", "AGE", "BIRTHDAY_WINDOW", "EFFECTIVE_DATE_WINDOW", "CALENDAR_WINDOW")
    ]
    assert len(INELIGIBLE_SKIPS) == 5
    assert len(DATE_UNKNOWN_SKIPS) == 2


def test_every_status_says_what_may_follow_it() -> None:
    assert set(NEXT) == set(Status)
