"""Intervals of 95% for shares, and for the difference of two shares."""

from __future__ import annotations

import math
from typing import NamedTuple

Z = 1.959963984540054  # of the normal distribution, for 95%
MINIMUM = 10  # a share of fewer has no interval: it would say nothing


class Interval(NamedTuple):
    """A share, or a difference of two, with its interval; all as fractions."""

    value: float
    low: float
    high: float


def wilson(count: int, of: int) -> Interval:
    """Return the share of `count` in `of`, above 0, with its interval (Wilson 1927)."""
    share, square = count / of, Z * Z
    middle = (share + square / (2 * of)) / (1 + square / of)
    half = Z / (1 + square / of) * math.sqrt(share * (1 - share) / of + square / (4 * of * of))
    low = 0.0 if count == 0 else max(0.0, middle - half)
    high = 1.0 if count == of else min(1.0, middle + half)
    return Interval(share, low, high)


def newcombe(count: int, of: int, other_count: int, other_of: int) -> Interval:
    """Return a share minus another one, with the interval of their difference.

    Source: Newcombe 1998, method 10, from the two intervals of Wilson.
    """
    one, other = wilson(count, of), wilson(other_count, other_of)
    difference = one.value - other.value
    below = math.hypot(one.value - one.low, other.high - other.value)
    above = math.hypot(one.high - one.value, other.value - other.low)
    return Interval(difference, difference - below, difference + above)
