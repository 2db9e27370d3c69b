"""The rules of all states as columns, and what they mean for contacts (semantics: Windows)."""

from __future__ import annotations

import datetime as dt
from typing import Literal, assert_never

import numpy as np

from almanac import civil
from almanac.config import Config
from almanac.config_rules import RuleKind, StateRule
from almanac.frames import NO_DAY, Codes, Days
from almanac.rules.states import USPS_STATES
from almanac.rules.windows import (
    BIRTHDAY_WINDOW,
    CALENDAR_WINDOW,
    EFFECTIVE_DATE_WINDOW,
    FAR,
    LONG_AGO,
    NOT_EXCLUDED,
    DaySpan,
    Exclusions,
    RuleDates,
    RuleSlot,
)

SIZE = len(USPS_STATES) + 1  # the last row, index -1, is for the unknown state


def cause_of(kind: RuleKind) -> int:
    """Return the cause of days in the windows of a kind of rule, NOT_EXCLUDED if it has none."""
    match kind:
        case "birthday_window":
            return BIRTHDAY_WINDOW
        case "effective_date_window":
            return EFFECTIVE_DATE_WINDOW
        case "calendar_window":
            return CALENDAR_WINDOW
        case "year_round":
            return NOT_EXCLUDED
        case _:
            assert_never(kind)


def anchor_of(kind: RuleKind) -> Literal["birth", "effective"] | None:
    """Return which date of a contact the windows of a kind of rule are counted from, if any."""
    match kind:
        case "birthday_window":
            return "birth"
        case "effective_date_window":
            return "effective"
        case "calendar_window" | "year_round":
            return None
        case _:
            assert_never(kind)


class RuleTable:
    """All rules of a configuration as columns: of each slot a row for each USPS state.

    Slot n has the n-th rule of every state that has so many.
    """

    def __init__(self, config: Config) -> None:
        slots = max((len(rules) for rules in config.rules.values()), default=0)
        self._slots = [_SlotTable(config, number) for number in range(slots)]

    def exclusions(self, state: Codes, birth: Days, effective: Days) -> Exclusions:
        """Return the exclusions of contacts by state code, -1 for unknown, and their dates."""
        slots = [slot.of_contacts(state, birth, effective) for slot in self._slots]
        return Exclusions(len(state), tuple(slots))

    def lacking_date(self, state: Codes, birth: Days, effective: Days) -> Codes:
        """Return what a window of each contact's state is counted from and is missing: 0 the birth
        date, 1 the effective date, -1 nothing. Of two missing dates the birth date is named."""
        lacking = np.full(len(state), -1, np.int32)
        for slot in self._slots:
            cause = slot.cause[state]
            lacking[(cause == EFFECTIVE_DATE_WINDOW) & (effective == NO_DAY) & (lacking < 0)] = 1
            lacking[(cause == BIRTHDAY_WINDOW) & (birth == NO_DAY)] = 0
        return lacking


class _SlotTable:
    """One rule of each state as columns."""

    def __init__(self, config: Config, number: int) -> None:
        self.cause = np.zeros(SIZE, np.int32)
        self.before = np.zeros(SIZE, np.int32)
        self.after = np.zeros(SIZE, np.int32)
        self.pre = np.zeros(SIZE, np.int32)
        self.month_start = np.zeros(SIZE, np.bool_)
        self.begins = np.full(SIZE, -1, np.int32)
        self.ends = np.full(SIZE, -1, np.int32)
        self.year_round = np.zeros(SIZE, np.bool_)
        self.year_round_age = np.full(SIZE, -1, np.int32)
        self.valid_from = np.full(SIZE, LONG_AGO, np.int32)
        self.valid_to = np.full(SIZE, FAR, np.int32)
        self.least_age = np.full(SIZE, -1, np.int32)
        self.greatest_age = np.full(SIZE, -1, np.int32)
        for state, rules in config.rules.items():
            if number < len(rules):
                row = USPS_STATES.index(state)
                self._add(row, rules[number], config.timing.pre_window_days)
        dated = (self.valid_from != LONG_AGO) | (self.valid_to != FAR) | (self.ends >= 0)
        self.has_dates = bool(np.any(dated | (self.least_age >= 0) | (self.greatest_age >= 0)))
        self.has_ages = bool(np.any(self.year_round_age >= 0))

    def _add(self, row: int, rule: StateRule, pre_window_days: int) -> None:
        self.cause[row] = cause_of(rule.kind)
        self.year_round[row] = rule.kind == "year_round"
        self.pre[row] = pre_window_days if rule.pre_window_days is None else rule.pre_window_days
        self.before[row] = rule.before + self.pre[row]
        self.after[row] = rule.after
        self.month_start[row] = rule.use_month_start
        if rule.begins is not None and rule.ends is not None:
            self.begins[row], self.ends[row] = _month_day(rule.begins), _month_day(rule.ends)
            # in a leap year, when it is longest
            self.after[row] = (_in_leap_year(rule.ends) - _in_leap_year(rule.begins)) % 366
        if rule.year_round_from_age is not None:
            self.year_round_age[row] = rule.year_round_from_age
        if rule.valid_from is not None:
            self.valid_from[row] = civil.day_of(rule.valid_from)
        if rule.valid_to is not None:
            self.valid_to[row] = civil.day_of(rule.valid_to)
        if rule.age is not None:
            self.least_age[row] = -1 if rule.age.min is None else rule.age.min
            self.greatest_age[row] = -1 if rule.age.max is None else rule.age.max

    def of_contacts(self, state: Codes, birth: Days, effective: Days) -> RuleSlot:
        """Return the rule of each contact's state, with the contact's dates."""
        old_enough = too_old = None
        if self.has_dates:
            old_enough = _turning(birth, self.least_age[state], LONG_AGO)
            too_old = _turning(birth, _next(self.greatest_age[state]), FAR)
        aged = None
        if self.has_ages:
            since = _turning(birth, self.year_round_age[state], FAR)
            aged = self._while_valid(state, since, None)
        return RuleSlot(
            closed=self._closed(state, old_enough, too_old),
            cause=self.cause[state],
            anchor=self._anchor(state, birth, effective),
            before=self.before[state],
            after=self.after[state],
            aged=aged,
            dates=self._dates(state, old_enough, too_old),
        )

    def _anchor(self, state: Codes, birth: Days, effective: Days) -> Codes:
        """Return month and day that windows are counted from, -1 for contacts without windows."""
        cause = self.cause[state]
        day = np.where(cause == BIRTHDAY_WINDOW, birth, effective)
        counted = (cause == BIRTHDAY_WINDOW) | (cause == EFFECTIVE_DATE_WINDOW)
        counted &= day != NO_DAY
        anchor = self.begins[state]
        anchor[counted] = civil.month_day_of(day[counted])
        first_of_month = counted & self.month_start[state]
        anchor[first_of_month] -= anchor[first_of_month] % 31
        return anchor

    def _closed(self, state: Codes, old_enough: Days | None, too_old: Days | None) -> DaySpan:
        """Return the days that a year_round rule excludes."""
        closed = self.year_round[state]
        first = np.where(closed, LONG_AGO if old_enough is None else old_enough, FAR)
        return self._while_valid(state, first.astype(np.int32), too_old)

    def _while_valid(self, state: Codes, first: Days, too_old: Days | None) -> DaySpan:
        """Return the days from `first` on, before `too_old`, on which the rule is law."""
        first = np.maximum(first, self.valid_from[state])
        last = self.valid_to[state]
        if too_old is not None:
            last = np.minimum(last, too_old - 1)
        none = first > last
        first[none], last[none] = FAR, LONG_AGO
        return DaySpan(first, last)

    def _dates(
        self, state: Codes, old_enough: Days | None, too_old: Days | None
    ) -> RuleDates | None:
        if old_enough is None or too_old is None:
            return None
        return RuleDates(
            pre=self.pre[state],
            valid_from=self.valid_from[state],
            valid_to=self.valid_to[state],
            first_base=old_enough,
            last_base=too_old - 1,
            ends=self.ends[state],
        )


def _month_day(text: str) -> int:
    """Return the key of a day of the year, MM-DD, under which `civil.anniversary` finds it."""
    return (int(text[:2]) - 1) * 31 + int(text[3:]) - 1


def _in_leap_year(text: str) -> int:
    """Return the days from 1 January 2000 to the day of that year, MM-DD."""
    return (dt.date.fromisoformat(f"2000-{text}") - dt.date(2000, 1, 1)).days


def _next(ages: Codes) -> Codes:
    """Return the age that follows each, -1 for none."""
    return np.where(ages < 0, -1, ages + 1).astype(np.int32)


def _turning(birth: Days, age: Codes, otherwise: int) -> Days:
    """Return the day on which each contact reaches an age; `otherwise` without birth date or age
    (-1)."""
    day = np.full(len(birth), otherwise, np.int32)
    rows = np.flatnonzero((age >= 0) & (birth != NO_DAY))
    if len(rows):
        year = civil.year_of(birth[rows]) + age[rows]
        day[rows] = civil.anniversary(civil.month_day_of(birth[rows]), year)
    return day
