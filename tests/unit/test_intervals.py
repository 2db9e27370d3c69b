"""Intervals of shares, by published examples."""

from __future__ import annotations

import pytest

from almanac.intervals import newcombe, wilson


@pytest.mark.parametrize(
    ("count", "of", "low", "high"),
    [
        # Newcombe, Statistics in Medicine 17 (1998) 857-872, table I, method 3
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_the_interval_of_a_share(count: int, of: int, low: float, high: float) -> None:
    assert wilson(count, of)[1:] == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize(
    ("numbers", "low", "high"),
    [
        # Newcombe, Statistics in Medicine 17 (1998) 873-890, table II, method 10
        ((56, 70, 48, 80), 0.0524, 0.3339),
        ((9, 10, 3, 10), 0.1705, 0.8090),
        ((10, 10, 0, 20), 0.6791, 1.0),
    ],
)
def test_the_interval_of_a_difference(
    numbers: tuple[int, int, int, int], low: float, high: float
) -> None:
    assert newcombe(*numbers)[1:] == pytest.approx((low, high), abs=5e-5)
