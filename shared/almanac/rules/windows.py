"""The days that rules exclude for contacts (semantics: Windows).

All operations are on vectors: `Exclusions` has one row for each contact, and the functions take a
day for each row. A contact has a *slot* for each rule that its state has.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from almanac import civil
from almanac.frames import Codes, Days, Frame, Index, Mask
from almanac.schedule_status import EXCLUSION_SKIPS, SkipReason

FAR = int(np.iinfo(np.int32).max)
LONG_AGO = -FAR

# why a day is excluded; of several causes the lowest is named
NOT_EXCLUDED, YEAR_ROUND, AGE, BIRTHDAY_WINDOW, EFFECTIVE_DATE_WINDOW, CALENDAR_WINDOW = range(6)


def exclusion_reason(cause: int, state: str) -> SkipReason:
    """Return the skip reason of a cause other than NOT_EXCLUDED in a state."""
    return SkipReason(EXCLUSION_SKIPS[cause - YEAR_ROUND], state)


@dataclass(frozen=True)
class DaySpan(Frame):
    """Consecutive days, both inclusive; FAR to LONG_AGO is none."""

    first: Days
    last: Days


@dataclass(frozen=True)
class RuleDates(Frame):
    """When a rule is law, for which windows, and how a calendar window ends."""

    pre: Codes  # days of `RuleSlot.before` that are ahead of the rule's own
    valid_from: Days
    valid_to: Days
    first_base: Days  # a window counts if its base is one of these days: the contact's age
    last_base: Days
    ends: Codes  # month and day of a calendar window's end, -1: the window has another kind


@dataclass(frozen=True)
class RuleSlot:
    """One rule of each contact's state, with the contact's dates."""

    closed: DaySpan  # the days of a year_round rule
    cause: Codes  # of days in a window; NOT_EXCLUDED without windows
    anchor: Codes  # month and day that windows are counted from (civil.month_day_of), -1: none
    before: Codes  # days from a window's start to its base
    after: Codes  # days from the base to the window's end; of a calendar window at most
    aged: DaySpan | None  # the days excluded by age; None: of no contact
    dates: RuleDates | None  # None: the rules hold at all times, for all ages

    def take(self, rows: Index | Mask | slice) -> RuleSlot:
        """Return the rows of an index array, in its order, of a mask or of a slice."""
        return RuleSlot(
            closed=self.closed.take(rows),
            cause=self.cause[rows],
            anchor=self.anchor[rows],
            before=self.before[rows],
            after=self.after[rows],
            aged=None if self.aged is None else self.aged.take(rows),
            dates=None if self.dates is None else self.dates.take(rows),
        )

    def of_rows(self, rows: Index) -> RuleSlot:
        """Return some of the rows, each once and in order; itself if these are all."""
        return self if len(rows) == len(self.cause) else self.take(rows)

    @property
    def spans(self) -> list[tuple[int, DaySpan]]:
        """The spans of excluded days that are no windows, with their causes."""
        spans = [(YEAR_ROUND, self.closed)]
        return spans if self.aged is None else [(AGE, self.aged), *spans]


@dataclass(frozen=True)
class Exclusions:
    """The rules of each contact's state, with the contact's dates."""

    contacts: int  # number of rows
    slots: tuple[RuleSlot, ...]  # row by row

    def __len__(self) -> int:
        return self.contacts

    def take(self, rows: Index) -> Exclusions:
        """Return the rows of an index array, in its order."""
        return Exclusions(len(rows), tuple(slot.take(rows) for slot in self.slots))


def causes(exclusions: Exclusions, days: Days) -> Codes:
    """Return why each row's day is excluded, or NOT_EXCLUDED; of several causes the lowest code."""
    result = np.zeros(len(days), np.int32)
    for number, slot in enumerate(exclusions.slots):
        found = _causes(slot, days)
        if number:
            rows = np.flatnonzero(found)
            rows = rows[(result[rows] == 0) | (found[rows] < result[rows])]
            result[rows] = found[rows]
        else:
            result = found
    return result


def _causes(slot: RuleSlot, days: Days) -> Codes:
    result = np.zeros(len(days), np.int32)
    rows = np.flatnonzero(slot.anchor >= 0)
    if len(rows):
        windowed, day = slot.of_rows(rows), days[rows]
        inside = np.zeros(len(rows), np.bool_)
        for start, end in _windows_about(windowed, civil.year_of(day)):
            inside |= (start <= day) & (day <= end)
        result[rows[inside]] = windowed.cause[inside]
    for cause, span in slot.spans:
        result[(days >= span.first) & (days <= span.last)] = cause
    return result


def excluded_days(exclusions: Exclusions, days: Days) -> Mask:
    """Return for each of the days, and in it for each row, whether it is excluded.

    The windows of a year are found once for all days of it.
    """
    found = np.zeros((len(days), len(exclusions)), np.bool_)
    years = civil.year_of(days)
    for slot in exclusions.slots:
        rows = np.flatnonzero((slot.anchor >= 0) & (slot.cause != NOT_EXCLUDED))
        windowed, inside = slot.of_rows(rows), np.zeros((len(days), len(rows)), np.bool_)
        for year in np.unique(years) if len(rows) else ():
            of_year = years == year
            day = days[of_year, np.newaxis]
            for start, end in _windows_about(windowed, np.full(len(rows), year, np.int32)):
                inside[of_year] |= (start <= day) & (day <= end)
        found[:, rows] |= inside
        for _, span in slot.spans:
            found |= (span.first <= days[:, np.newaxis]) & (days[:, np.newaxis] <= span.last)
    return found


def last_clear_day(exclusions: Exclusions, start: Days, deadline: Days) -> Days:
    """Return the last day up to the deadline with no excluded day since `start`, a clear day."""
    latest = deadline.copy()
    for slot in exclusions.slots:
        for _, span in slot.spans:
            ahead = span.first > start
            latest[ahead] = np.minimum(latest[ahead], span.first[ahead] - 1)
        rows = np.flatnonzero((slot.anchor >= 0) & (latest > start))
        if len(rows):
            windowed, day = slot.of_rows(rows), start[rows]
            year = civil.year_of(day)
            if windowed.dates is not None:  # its first window may be years ahead
                first = np.maximum(windowed.dates.valid_from, windowed.dates.first_base)
                year = np.maximum(year, civil.year_of(first))
            opening = np.full(len(rows), FAR, np.int32)
            for window_start, _ in _windows_about(windowed, year, ahead=1):
                later = window_start > day
                opening[later] = np.minimum(opening[later], window_start[later])
            latest[rows] = np.minimum(latest[rows], opening - 1)
    return latest


def first_clear_day(exclusions: Exclusions, start: Days, first: Days) -> Days:
    """Return the first day from `first` on with no excluded day up to `start`, a clear day."""
    earliest = first.copy()
    for slot in exclusions.slots:
        for _, span in slot.spans:
            over = span.last < start
            earliest[over] = np.maximum(earliest[over], span.last[over] + 1)
        rows = np.flatnonzero((slot.anchor >= 0) & (earliest < start))
        if len(rows):
            windowed, day = slot.of_rows(rows), start[rows]
            year = civil.year_of(day)
            if windowed.dates is not None:  # its last window may be years back
                last = np.minimum(windowed.dates.valid_to, windowed.dates.last_base)
                year = np.minimum(year, civil.year_of(last))
            for _, window_end in _windows_about(windowed, year, behind=1):
                over = window_end < day
                earliest[rows[over]] = np.maximum(earliest[rows[over]], window_end[over] + 1)
    return earliest


def window_in_year(slot: RuleSlot, years: Codes | int) -> tuple[Days, Days]:
    """Return start and end of the window with its base in the year; FAR, LONG_AGO without one.

    Only for rows that have windows (`anchor` >= 0).
    """
    years = np.broadcast_to(np.asarray(years, np.int32), slot.anchor.shape)
    base = civil.anniversary(slot.anchor, years)
    start, end = base - slot.before, base + slot.after
    dates = slot.dates
    if dates is None:
        return start, end
    rows = np.flatnonzero(dates.ends >= 0)
    if len(rows):
        this, following = dates.ends[rows], years[rows]
        in_year = civil.anniversary(this, following)
        in_next = civil.anniversary(this, following + np.int32(1))
        end[rows] = np.where(in_year >= base[rows], in_year, in_next)
    core = np.maximum(start + dates.pre, dates.valid_from)
    end = np.minimum(end, dates.valid_to)
    counts = (core <= end) & (dates.first_base <= base) & (base <= dates.last_base)
    start = np.where(counts, core - np.where(counts, dates.pre, 0), FAR).astype(np.int32)
    return start, np.where(counts, end, LONG_AGO).astype(np.int32)


def _windows_about(
    slot: RuleSlot, year: Codes, ahead: int = 0, behind: int = 0
) -> Iterator[tuple[Days, Days]]:
    """Yield the windows that may contain a day of the row's year; ahead, behind: more years."""
    past = -(-int(slot.after.max()) // 365) + behind
    future = -(-int(slot.before.max()) // 365) + ahead
    for offset in range(-past, future + 1):
        yield window_in_year(slot, year + np.int32(offset))


def first_anniversary(month_day: Codes, on_or_after: Days | int, not_before_year: Codes) -> Days:
    """Return the first anniversary on or after a day, in the given year or later."""
    threshold = np.broadcast_to(np.asarray(on_or_after, np.int32), month_day.shape)
    year = np.maximum(civil.year_of(threshold), not_before_year)
    day = civil.anniversary(month_day, year)
    return np.where(day < threshold, civil.anniversary(month_day, year + np.int32(1)), day)


def with_rules(exclusions: Exclusions) -> Mask:
    """Return which contacts can have an excluded day at all."""
    has = np.zeros(len(exclusions), np.bool_)
    for slot in exclusions.slots:
        has |= slot.anchor >= 0
        for _, span in slot.spans:
            has |= span.first <= span.last
    return has


def rows_with_windows(exclusions: Exclusions) -> Index:
    """Return the contacts that have windows."""
    has = np.zeros(len(exclusions), np.bool_)
    for slot in exclusions.slots:
        has |= slot.anchor >= 0
    return np.flatnonzero(has)
