"""Windows that overlap or touch are one, of whatever rule and year (semantics: Windows)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from almanac import civil
from almanac.frames import Codes, Days, Frame, Ids, Mask
from almanac.rules.windows import Exclusions, RuleSlot, window_in_year

# two windows of a rule are at least 365 days apart by their bases
_APART = 363
_TEN_YEARS = 3653
_ERA = civil.day_of(civil.EPOCH.replace(year=1900))  # no date of a contact is older


@dataclass(frozen=True)
class Windows(Frame):
    """Windows of contacts, each of one rule and year."""

    row: Ids  # of the contacts' exclusions
    start: Days
    end: Days
    slot: Codes  # which of its state's rules
    base: Days  # the anniversary or the first day that it is counted from


@dataclass(frozen=True)
class MergedWindows(Frame):
    """Windows of contacts, no two of a contact overlapping or touching."""

    row: Ids
    start: Days
    end: Days


def windows_between(exclusions: Exclusions, first: int, last: int) -> Windows:
    """Return every window that shares a day with [first, last], one of a rule and year each."""
    parts = [Windows.empty()]
    for number, slot in enumerate(exclusions.slots):
        rows = np.flatnonzero(slot.anchor >= 0)
        if len(rows) == 0:
            continue
        windowed = slot.take(rows)
        for year in _years(windowed, first, last):
            start, end = window_in_year(windowed, year)
            meets = np.flatnonzero((start <= last) & (end >= first))
            years = np.full(len(meets), year, np.int32)
            parts.append(
                Windows(
                    row=rows[meets],
                    start=start[meets],
                    end=end[meets],
                    slot=np.full(len(meets), number, np.int32),
                    base=civil.anniversary(windowed.anchor[meets], years),
                )
            )
    return Windows.concat(parts)


def windows_ending_in(exclusions: Exclusions, first: int, last: int) -> MergedWindows:
    """Return the merged windows with an end in [first, last]."""
    stacked = stacked_rows(exclusions)
    plain = np.flatnonzero(~stacked)
    alone = windows_between(exclusions.take(plain), first, last)
    alone = alone.take(alone.end <= last)
    parts = [MergedWindows(plain[alone.row], alone.start, alone.end)]
    rows, since = np.flatnonzero(stacked), first - 366
    while len(rows):
        merged = merge(windows_between(exclusions.take(rows), since, last + 1))
        merged = merged.take((merged.end >= first) & (merged.end <= last))
        # what starts that early may touch a window that was not looked at
        longer = np.unique(merged.row[merged.start <= since]) if since > _ERA else rows[:0]
        done = merged.take(~np.isin(merged.row, longer))
        parts.append(MergedWindows(rows[done.row], done.start, done.end))
        rows, since = rows[longer], first - 2 * (first - since)
    return MergedWindows.concat(parts)


def windows_about(exclusions: Exclusions, first: int, last: int) -> list[tuple[int, int]]:
    """Return the merged windows of one contact that share a day with [first, last], in order.

    What goes on for more than ten years before or after them is cut there.
    """
    merged = merge(windows_between(exclusions, first - _TEN_YEARS, last + _TEN_YEARS))
    near = (merged.start <= last) & (merged.end >= first)
    return list(zip(merged.start[near].tolist(), merged.end[near].tolist(), strict=True))


def merge(windows: Windows) -> MergedWindows:
    """Return the windows with those of a contact that overlap or touch made one, in order."""
    order = np.lexsort((windows.start, windows.row))
    row, start, end = windows.row[order], windows.start[order], windows.end[order]
    # the furthest end so far within each contact: contacts are set apart by more than all days
    apart = row.astype(np.int64) << 32
    reach = np.maximum.accumulate(end + apart) - apart
    opens = np.ones(len(row), np.bool_)
    opens[1:] = (row[1:] != row[:-1]) | (start[1:] > reach[:-1] + 1)
    closes = np.append(opens[1:], True)[: len(row)]
    return MergedWindows(row[opens], start[opens], reach[closes].astype(np.int32))


def _years(slot: RuleSlot, first: int, last: int) -> range:
    """Return the years whose windows may share a day with [first, last]."""
    bounds = np.array([first - int(slot.after.max()), last + int(slot.before.max())], np.int32)
    first_year, last_year = civil.year_of(bounds)
    return range(int(first_year), int(last_year) + 1)


def stacked_rows(exclusions: Exclusions) -> Mask:
    """Return the contacts of whom two windows may overlap or touch."""
    stacked = np.zeros(len(exclusions), np.bool_)
    windowed = np.zeros(len(exclusions), np.bool_)
    for slot in exclusions.slots:
        has = slot.anchor >= 0
        stacked |= has & (windowed | (slot.before + slot.after > _APART))
        windowed |= has
    return stacked
