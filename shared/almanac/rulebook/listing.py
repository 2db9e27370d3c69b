"""The rules in force on a day, and those of one state over a year."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import numpy as np

from almanac import civil
from almanac.config import Config
from almanac.config_rules import StateRule
from almanac.planning.rule_text import one_rule_in_words
from almanac.rulebook.model import DrawnContact, RuleChange, RuleLine, RuleList, StateYear
from almanac.rulebook.states import name_of
from almanac.rules.gaps import AGE, days_of, rule_events, statutory
from almanac.rules.protected import protection, spans_of
from almanac.rules.rule_table import anchor_of
from almanac.rules.states import USPS_STATES

YEAR = dt.timedelta(days=364)  # 52 weeks, after the first day
DAY_OF_MONTH = 15


def list_rules(config: Config, on: dt.date, configuration: str) -> RuleList:
    """Return the rules that are in force on a day, by state."""
    rules = [
        RuleLine.of(state, rule)
        for state in sorted(config.rules)
        for rule in config.rules[state]
        if rule.is_law_on(on)
    ]
    there = {line.state for line in rules}
    return RuleList(
        on=on,
        configuration=configuration,
        rule_set=config.rule_set,
        pre_window_days=config.timing.pre_window_days,
        rules=rules,
        without=[state for state in sorted(config.rules) if state not in there],
    )


def state_year(config: Config, state: str, first: dt.date, configuration: str) -> StateYear:
    """Return a state's rules, a year of protected days, and its past and coming changes."""
    rules, law = config.rules.get(state, ()), statutory().rules.get(state, ())
    last = first + YEAR
    return StateYear(
        state=state,
        name=name_of(state),
        first=first,
        last=last,
        configuration=configuration,
        rule_set=config.rule_set,
        pre_window_days=config.timing.pre_window_days,
        rules=[RuleLine.of(state, rule) for rule in rules],
        contacts=_drawn(config, state, first, last),
        changes=[
            RuleChange(
                day=event.day, state=state, words=event.in_words(one_rule_in_words(event.rule))
            )
            for event in rule_events(config, dt.date.min, dt.date.max)
            if event.state == state
        ],
        statutory=[] if law == rules else [RuleLine.of(state, rule) for rule in law],
    )


def _drawn(config: Config, state: str, first: dt.date, last: dt.date) -> list[DrawnContact]:
    """Return contacts with anniversaries in different months; one for all if none counts."""
    rules = config.rules.get(state, ())
    if not rules:
        return []
    age = _age(rules)
    months = range(1, 13)
    if not any(anchor_of(rule.kind) for rule in rules):
        months = range(first.month, first.month + 1)
    dates = [dt.date(first.year - age, month, DAY_OF_MONTH) for month in months]
    days = np.array([civil.day_of(date) for date in dates], np.int32)
    states = np.full(len(days), USPS_STATES.index(state), np.int32)
    inside = protection(config, states, days, days, days_of(first, last))
    return [
        DrawnContact(
            words="every contact" if len(months) == 1 else f"{date.day} {date:%b}",
            days=[
                (first + dt.timedelta(days=start), first + dt.timedelta(days=end))
                for start, end in spans_of(inside[:, number])
            ],
        )
        for number, date in enumerate(dates)
    ]


def _age(rules: Sequence[StateRule]) -> int:
    """Return an age at which all of the rules hold, if there is one."""
    bands = [rule.age for rule in rules if rule.age is not None]
    least = max((band.min or 0 for band in bands), default=0)
    most = min((band.max for band in bands if band.max is not None), default=AGE + 1)
    return max(least, min(AGE, most - 1))
