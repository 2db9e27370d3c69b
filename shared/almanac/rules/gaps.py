"""A configuration's rules compared with the statutory set: days, changes and old sources."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np

from almanac import civil
from almanac.config import Config
from almanac.config_rules import StateRule
from almanac.frames import Days
from almanac.plurals import plural
from almanac.rules.protected import protection
from almanac.rules.states import USPS_STATES

OLD = 180  # days after which a source should be looked up again
AGE = 70  # of the contacts that stand for all, where no rule depends on the age
YEAR = 365  # days
NAMED = 6  # states in a line
DAY_OF_MONTH = 15


@dataclass(frozen=True)
class RuleEvent:
    """A day from which on a rule is law, or no longer is."""

    day: dt.date
    state: str
    begins: bool
    rule: StateRule

    def in_words(self, rule: str) -> str:
        """Return what happens on the day; rule: what it excludes, in words."""
        return f"{'begins' if self.begins else 'no longer holds'}: {rule}"


@cache
def statutory() -> Config:
    """Return the statutory rules alone, without the days ahead of windows.

    These days are the agency's own: they may cover what its rules lack.
    """
    return Config.model_validate({"rule_set": "statutory", "timing": {"pre_window_days": 0}})


def unprotected_days(
    config: Config, first: dt.date, last: dt.date, states: Collection[str] = USPS_STATES
) -> dict[str, int]:
    """Return by state the most days in a year of [first, last] that a contact lacks: statutory
    rules protect it on them, and the configuration does not. Only those of `states` that lack any.

    The contacts are made up: one for each month of a birth and a policy date, and for each age at
    which a rule begins or ends to hold.
    """
    law = statutory()
    dates_of = {
        state: _dates(first.year, [*rules, *config.rules.get(state, ())])
        for state, rules in law.rules.items()
        if state in states and rules != config.rules.get(state)
    }
    if not dates_of:
        return {}
    dates = np.concatenate(list(dates_of.values()))
    codes = np.array([USPS_STATES.index(state) for state in dates_of], np.int32)
    code = np.repeat(codes, [len(each) for each in dates_of.values()])
    days = days_of(first, last)
    lacking = protection(law, code, dates, dates, days)
    lacking &= ~protection(config, code, dates, dates, days)
    years = [lacking[n : n + YEAR].sum(axis=0) for n in range(0, len(days), YEAR)]
    most = np.max(years, axis=0)
    by_state = {USPS_STATES[each]: int(most[code == each].max()) for each in codes.tolist()}
    return {state: days for state, days in by_state.items() if days}


def days_of(first: dt.date, last: dt.date) -> Days:
    """Return the days from first to last."""
    return np.arange(civil.day_of(first), civil.day_of(last) + 1, dtype=np.int32)


def rule_events(config: Config, first: dt.date, last: dt.date) -> list[RuleEvent]:
    """Return the rules that begin or end after `first`, up to `last`, in order."""
    events = [
        RuleEvent(day, state, begins, rule)
        for state, rules in config.rules.items()
        for rule in rules
        for day, begins in _bounds(rule)
        if first < day <= last
    ]
    return sorted(events, key=lambda event: (event.day, event.state, event.begins))


def not_verified(config: Config, day: dt.date) -> list[tuple[str, StateRule]]:
    """Return the rules, by state, whose source was last looked up more than OLD days ago."""
    return [
        (state, rule)
        for state, rules in sorted(config.rules.items())
        for rule in rules
        if rule.source is not None
        and rule.source.verified is not None
        and (day - rule.source.verified).days > OLD
    ]


def rules_line(config: Config, first: dt.date, last: dt.date, states: Collection[str]) -> str:
    """Return in one line what `almanac rules check` finds for the states that contacts live in.

    Empty if it finds nothing.
    """
    lacking = list(unprotected_days(config, first, last, states))
    events = [each for each in rule_events(config, first, last) if each.state in states]
    old = [state for state, _ in not_verified(config, first) if state in states]
    parts = []
    if lacking:
        parts.append(f"fewer protected days than by the statutory rules in {_listed(lacking)}")
    if events:
        days = [f"{each.state} {each.day}" for each in events]
        parts.append(f"changes: {_listed(days)}")
    if old:
        parts.append(f"{plural(len(old), 'source')} not verified for {OLD} days")
    return f"{'; '.join(parts)} (almanac rules check)" if parts else ""


def _dates(year: int, rules: list[StateRule]) -> Days:
    """Return dates in each month of the years in which those were born who are now of each age."""
    ages = {AGE}
    for rule in rules:
        limits = [rule.year_round_from_age]
        if rule.age is not None:
            limits += [rule.age.min, None if rule.age.max is None else rule.age.max + 1]
        ages |= {age + n for age in limits if age is not None for n in (-1, 0)}
    dates = [dt.date(year - age, month, DAY_OF_MONTH) for age in ages for month in range(1, 13)]
    return np.array([civil.day_of(date) for date in dates], np.int32)


def _bounds(rule: StateRule) -> Iterator[tuple[dt.date, bool]]:
    """Yield the day from which on the rule is law, and the first on which it no longer is."""
    if rule.valid_from is not None:
        yield rule.valid_from, True
    if rule.valid_to is not None:
        yield rule.valid_to + dt.timedelta(days=1), False


def _listed(names: list[str]) -> str:
    some = ", ".join(names[:NAMED])
    return some if len(names) <= NAMED else f"{some} and {len(names) - NAMED} more"
