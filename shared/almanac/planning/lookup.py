"""Sorted keys: the joins of the planner, without hash tables and independent of row order."""

from __future__ import annotations

import numpy as np

from almanac.frames import NO_DAY, Days, Ids, Index, Mask

_DAY_BITS = 24
_DAY_OFFSET = 1 << 20  # days before 1970 are negative; dates of the years 1 to 9999 fit easily


def positions(haystack: Ids, needles: Ids) -> Index:
    """Index in the sorted, unique haystack of each needle, -1 where it is not there."""
    if len(haystack) == 0:
        return np.full(len(needles), -1, np.intp)
    found = np.searchsorted(haystack, needles)
    found = np.minimum(found, len(haystack) - 1)
    return np.where(haystack[found] == needles, found, -1)


def day_keys(groups: Index | Ids, days: Days) -> Ids:
    """One integer for (group, day), ordered like the pair; days are not NO_DAY."""
    return (groups.astype(np.int64) << _DAY_BITS) + (days.astype(np.int64) + _DAY_OFFSET)


def groups_of(keys: Ids) -> Ids:
    """The groups of keys that `day_keys` made."""
    return keys >> _DAY_BITS


class DaysByGroup:
    """Days filed under a group number, asked whether a group has any in a span."""

    def __init__(self, groups: Index | Ids, days: Days) -> None:
        known = (groups >= 0) & (days != NO_DAY)
        self._keys = np.sort(day_keys(groups[known], days[known]))

    def any_between(self, groups: Index | Ids, first: Days, last: Days) -> Mask:
        """Whether each group has a day in [first, last]."""
        if len(self._keys) == 0:
            return np.zeros(len(groups), np.bool_)
        limit = 1 << (_DAY_BITS - 1)
        low = day_keys(groups, np.maximum(first, -_DAY_OFFSET))
        high = day_keys(groups, np.minimum(last, limit))
        at = np.searchsorted(self._keys, low)
        return self._keys[np.minimum(at, len(self._keys) - 1)] <= np.where(
            at < len(self._keys), high, np.int64(-1) << 62
        )
