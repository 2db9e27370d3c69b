"""The state rules applied to contacts and days (semantics: Windows).

All operations are on vectors: an `Exclusions` frame has one row for each contact, and the functions
take a day for each row.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from almanac import civil
from almanac.config import Config
from almanac.frames import NO_DAY, Codes, Days, Frame, Index, Mask
from almanac.rules.states import USPS_STATES
from almanac.schedule_status import EXCLUSION_SKIPS, SkipReason

FAR = int(np.iinfo(np.int32).max)

NOT_EXCLUDED, YEAR_ROUND, AGE, BIRTHDAY_WINDOW, EFFECTIVE_DATE_WINDOW = range(5)


def exclusion_reason(cause: int, state: str) -> SkipReason:
    """Return the skip reason of a cause other than NOT_EXCLUDED in a state."""
    return SkipReason(EXCLUSION_SKIPS[cause - YEAR_ROUND], state)


@dataclass(frozen=True)
class Exclusions(Frame):
    """The rule of each contact's state, with the contact's dates."""

    year_round: Mask
    age_from: Days  # first day excluded by age, FAR without
    anchor: Codes  # month and day that windows are counted from (civil.month_day_of), -1: none
    before: Codes  # days from a window's start to its anniversary
    after: Codes  # days from the anniversary to the window's end
    cause: Codes  # BIRTHDAY_WINDOW or EFFECTIVE_DATE_WINDOW


class RuleTable:
    """All state rules of a configuration as columns, one row for each USPS state.

    The last row, index -1, is for the unknown state, which has no rule.
    """

    def __init__(self, config: Config) -> None:
        size = len(USPS_STATES) + 1
        self.year_round = np.zeros(size, np.bool_)
        self.cause = np.zeros(size, np.int32)
        self.before = np.zeros(size, np.int32)
        self.after = np.zeros(size, np.int32)
        self.month_start = np.zeros(size, np.bool_)
        self.age = np.full(size, -1, np.int32)
        for state, (rule, *_) in config.rules.items():
            row = USPS_STATES.index(state)
            self.year_round[row] = rule.kind == "year_round"
            if rule.kind == "birthday_window":
                self.cause[row] = BIRTHDAY_WINDOW
            elif rule.kind == "effective_date_window":
                self.cause[row] = EFFECTIVE_DATE_WINDOW
            self.before[row] = rule.before + config.timing.pre_window_days
            self.after[row] = rule.after
            self.month_start[row] = rule.use_month_start
            self.age[row] = -1 if rule.year_round_from_age is None else rule.year_round_from_age

    def window_kind(self, state: Codes) -> Codes:
        """Return what the windows of states are counted from: 0 the birth date, 1 the effective
        date, -1 for states without windows."""
        cause = self.cause[state]
        return np.select(
            [cause == BIRTHDAY_WINDOW, cause == EFFECTIVE_DATE_WINDOW], [0, 1], -1
        ).astype(np.int32)

    def exclusions(self, state: Codes, birth: Days, effective: Days) -> Exclusions:
        """Return the exclusions of contacts by state code, -1 for unknown, and their dates."""
        cause = self.cause[state]
        anchor_day = np.where(cause == BIRTHDAY_WINDOW, birth, effective)
        windowed = (cause != NOT_EXCLUDED) & (anchor_day != NO_DAY)
        anchor = np.full(len(state), -1, np.int32)
        anchor[windowed] = civil.month_day_of(anchor_day[windowed])
        first_of_month = windowed & self.month_start[state]
        anchor[first_of_month] -= anchor[first_of_month] % 31
        age_from = np.full(len(state), FAR, np.int32)
        aged = np.flatnonzero((self.age[state] >= 0) & (birth != NO_DAY))
        if len(aged):
            year = civil.year_of(birth[aged]) + self.age[state[aged]]
            age_from[aged] = civil.anniversary(civil.month_day_of(birth[aged]), year)
        return Exclusions(
            year_round=self.year_round[state],
            age_from=age_from,
            anchor=anchor,
            before=self.before[state],
            after=self.after[state],
            cause=cause,
        )


def causes(exclusions: Exclusions, days: Days) -> Codes:
    """Return why each row's day is excluded, or NOT_EXCLUDED; of several causes the lowest code."""
    result = np.zeros(len(days), np.int32)
    rows = np.flatnonzero(exclusions.anchor >= 0)
    if len(rows):
        windowed, day = exclusions.take(rows), days[rows]
        inside = np.zeros(len(rows), np.bool_)
        for start, end in _windows_about(windowed, day):
            inside |= (start <= day) & (day <= end)
        result[rows[inside]] = windowed.cause[inside]
    result[days >= exclusions.age_from] = AGE
    result[exclusions.year_round] = YEAR_ROUND
    return result


def last_clear_day(exclusions: Exclusions, start: Days, deadline: Days) -> Days:
    """Return the last day up to the deadline with no excluded day since `start`, a clear day."""
    latest = np.minimum(deadline, exclusions.age_from - 1)
    rows = np.flatnonzero((exclusions.anchor >= 0) & (deadline > start))
    if len(rows):
        windowed, day = exclusions.take(rows), start[rows]
        opening = np.full(len(rows), FAR, np.int32)
        for window_start, _ in _windows_about(windowed, day, ahead=1):
            later = window_start > day
            opening[later] = np.minimum(opening[later], window_start[later])
        latest[rows] = np.minimum(latest[rows], opening - 1)
    return latest


def first_clear_day(exclusions: Exclusions, start: Days, first: Days) -> Days:
    """Return the first day from `first` on with no excluded day up to `start`, a clear day."""
    earliest = first.copy()
    rows = np.flatnonzero((exclusions.anchor >= 0) & (first < start))
    if len(rows):
        windowed, day = exclusions.take(rows), start[rows]
        for _, window_end in _windows_about(windowed, day, behind=1):
            closed = window_end < day
            earliest[rows[closed]] = np.maximum(earliest[rows[closed]], window_end[closed] + 1)
    return earliest


def window_in_year(exclusions: Exclusions, years: Codes | int) -> tuple[Days, Days]:
    """Return start and end of the window of the anniversary in the year.

    Only for rows that have windows (`anchor` >= 0).
    """
    base = civil.anniversary(exclusions.anchor, np.broadcast_to(years, exclusions.anchor.shape))
    return base - exclusions.before, base + exclusions.after


def _windows_about(
    exclusions: Exclusions, days: Days, ahead: int = 0, behind: int = 0
) -> Iterator[tuple[Days, Days]]:
    """Yield the windows of the years that may contain the row's day; ahead, behind: more years."""
    year = civil.year_of(days)
    past = -(-int(exclusions.after.max()) // 365) + behind
    future = -(-int(exclusions.before.max()) // 365) + ahead
    for offset in range(-past, future + 1):
        yield window_in_year(exclusions, year + np.int32(offset))


def first_anniversary(month_day: Codes, on_or_after: Days | int, not_before_year: Codes) -> Days:
    """Return the first anniversary on or after a day, in the given year or later."""
    threshold = np.broadcast_to(np.asarray(on_or_after, np.int32), month_day.shape)
    year = np.maximum(civil.year_of(threshold), not_before_year)
    day = civil.anniversary(month_day, year)
    return np.where(day < threshold, civil.anniversary(month_day, year + np.int32(1)), day)


def rows_with_windows(exclusions: Exclusions) -> Index:
    """Return the contacts that have windows and are not excluded all year."""
    return np.flatnonzero((exclusions.anchor >= 0) & ~exclusions.year_round)
