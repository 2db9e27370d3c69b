"""Joins of frames by sorted integer keys, without hash tables and independent of row order.

Several columns become one integer by mixed radix, as hours, minutes and seconds become seconds:
((hour * 60) + minute) * 60 + second. Two such keys are equal if and only if all parts are, and
they are ordered as the tuples of their parts are.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from almanac.frames import NO_DAY, Codes, Days, Ids, Index, Mask

_DENSE = 4  # times as many values from the first to the last: a table of them beats a search
_AT_ONCE = 1 << 16
_DAY_BITS = 24
_DAY_OFFSET = 1 << 20  # days before 1970 are negative; dates of the years 1 to 9999 fit easily

Integers = npt.NDArray[np.integer[Any]]


def positions(haystack: Integers, needles: Integers) -> Index:
    """Return the index of each needle in the sorted haystack, -1 where it is missing.

    Of equal values in the haystack the first counts.
    """
    if len(haystack) == 0:
        return np.full(len(needles), -1, np.intp)
    low, high = int(haystack[0]), int(haystack[-1])
    if high - low < _DENSE * len(haystack) and len(needles) > len(haystack) // _DENSE:
        table = np.full(high - low + 2, -1, np.intp)  # the last is for needles outside
        table[haystack[::-1].astype(np.int64) - low] = np.arange(len(haystack))[::-1]
        inside = (needles >= low) & (needles <= high)
        return table[np.where(inside, needles.astype(np.int64) - low, high - low + 1)]
    found = np.searchsorted(haystack, needles)
    found = np.minimum(found, len(haystack) - 1)
    return np.where(haystack[found] == needles, found, -1)


def group_starts(groups: Integers) -> Mask:
    """Return which rows begin a run of equal groups."""
    starts = np.ones(len(groups), np.bool_)
    starts[1:] = groups[1:] != groups[:-1]
    return starts


def distinct_values(values: Ids) -> Ids:
    """Return the values, each once, sorted; for millions ten times as fast as np.unique."""
    ordered = np.sort(values)
    return ordered[group_starts(ordered)]


def rank_in_group(groups: Integers) -> Index:
    """Return 0, 1, 2, ... within each run of equal groups."""
    starts = np.flatnonzero(group_starts(groups))
    lengths = np.diff(starts, append=len(groups))
    return np.arange(len(groups)) - np.repeat(starts, lengths)


def numbered(keys: Ids, ties: Ids) -> Index:
    """Return 0, 1, 2, ... among the rows with equal keys, in the order of `ties`."""
    order = order_by(keys, ties)
    result = np.empty(len(keys), np.intp)
    result[order] = rank_in_group(keys[order])
    return result


def order_by(*columns: Integers) -> Index:
    """Return the order of the rows by their columns, the first one first; equal rows stay in order.

    Several times as fast as np.lexsort where one key holds all columns and parts are in order.
    """
    spans = [_span([values]) for values in columns]
    if math.prod(size for _, size in spans) >= 1 << 63:
        return np.lexsort(columns[::-1])
    keys = np.zeros(len(columns[0]), np.int64)
    for values, (low, size) in zip(columns, spans, strict=True):
        keys *= size
        keys += values
        keys -= low
    return np.argsort(keys, kind="stable")


def order_of_codes(codes: Integers, size: int) -> Index:
    """Return the order of the rows by codes from 0 to size - 1; equal rows stay in order."""
    narrow = codes.astype(np.uint16) if size <= 1 << 16 else codes  # then numpy sorts by radix
    return np.argsort(narrow, kind="stable")


def counted(codes: Integers, size: int) -> Ids:
    """Return how often each code from 0 to size - 1 occurs.

    np.bincount makes a copy of 8 bytes a row: in blocks that stays in the processor's cache.
    """
    counts = np.zeros(size, np.int64)
    for start in range(0, len(codes), _AT_ONCE):
        counts += np.bincount(codes[start : start + _AT_ONCE], minlength=size)
    return counts


def dense(values: Integers) -> Ids:
    """Return each value's rank among the distinct values."""
    return np.unique(values, return_inverse=True)[1].astype(np.int64)


def packed(*columns: Integers) -> Ids:
    """Return one key for each row of the columns of codes, which are not negative."""
    keys, size = columns[0].astype(np.int64), int(columns[0].max(initial=0)) + 1
    for codes in columns[1:]:
        radix = int(codes.max(initial=0)) + 1
        keys, size = keys * radix + codes, size * radix
    if size > 1 << 63:
        raise OverflowError("the keys of a join do not fit into 64 bits")
    return keys


class Identity(NamedTuple):
    """What identifies a planned message (semantics: Writing), row by row."""

    contact: Integers  # id, or position among the contacts
    kind: Codes | Ids  # not negative
    event: Days | Ids  # not NO_DAY


def identity_keys(*sides: Identity) -> list[Ids]:
    """Return one key for each row of each side: equal keys, equal identities."""
    low, days = _span([side.event for side in sides])
    kinds = max(int(side.kind.max(initial=0)) for side in sides) + 1
    contacts = _numbers([side.contact for side in sides], (1 << 63) // (kinds * days))
    return [
        (contact * kinds + side.kind) * days + (side.event.astype(np.int64) - low)
        for contact, side in zip(contacts, sides, strict=True)
    ]


def _numbers(columns: Sequence[Integers], most: int) -> list[Ids]:
    """Return numbers from 0 to below `most` in place of the values, in the same order."""
    low, size = _span(columns)
    if size <= most:
        return [values.astype(np.int64) - low for values in columns]
    distinct = np.unique(np.concatenate(columns))  # ids that lie far apart
    if len(distinct) > most:
        raise OverflowError("the keys of a join do not fit into 64 bits")
    return [np.searchsorted(distinct, values) for values in columns]


def _span(columns: Sequence[Integers]) -> tuple[int, int]:
    """Return the lowest value, and how many lie from it to the highest."""
    filled = [values for values in columns if len(values)]
    low = min((int(values.min()) for values in filled), default=0)
    return low, max((int(values.max()) for values in filled), default=0) - low + 1


class Pairs(NamedTuple):
    """Rows of two sides that have the same key, pair by pair, in the order of the left side."""

    left: Index
    right: Index


def match(left: Ids, right: Ids, ties: Ids | None = None) -> Pairs:
    """Match the rows of two sides by key.

    Of equal keys on the right the first row counts, or with `ties` the one with the lowest.
    """
    if np.all(right[1:] > right[:-1]):  # sorted, and none twice
        found = positions(right, left)
        rows = np.flatnonzero(found >= 0)
        return Pairs(rows, found[rows])
    order = np.argsort(right, kind="stable") if ties is None else order_by(right, ties)
    found = positions(right[order], left)
    rows = np.flatnonzero(found >= 0)
    return Pairs(rows, order[found[rows]])


def all_but(size: int, rows: Index) -> Mask:
    """Return a mask of that size that is false for the given rows."""
    mask = np.ones(size, np.bool_)
    mask[rows] = False
    return mask


def day_keys(groups: Integers, days: Days) -> Ids:
    """Return one key for each (group, day); days are not NO_DAY."""
    return (groups.astype(np.int64) << _DAY_BITS) + (days.astype(np.int64) + _DAY_OFFSET)


def groups_of(keys: Ids) -> Ids:
    """Return the groups of keys that `day_keys` made."""
    return keys >> _DAY_BITS


class DaysByGroup:
    """Days by group number, for the question whether a group has any in a span."""

    def __init__(self, groups: Integers, days: Days) -> None:
        known = (groups >= 0) & (days != NO_DAY)
        self._keys = np.sort(day_keys(groups[known], days[known]))

    def any_between(self, groups: Integers, first: Days, last: Days) -> Mask:
        """Return whether each group has a day in [first, last]."""
        if len(self._keys) == 0:
            return np.zeros(len(groups), np.bool_)
        limit = 1 << (_DAY_BITS - 1)
        low = day_keys(groups, np.maximum(first, -_DAY_OFFSET))
        high = day_keys(groups, np.minimum(last, limit))
        at = np.searchsorted(self._keys, low)
        return self._keys[np.minimum(at, len(self._keys) - 1)] <= np.where(
            at < len(self._keys), high, np.int64(-1) << 62
        )
