"""Ranges of contact ids for a run over some contacts."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from almanac.contact_ranges import MAX_GAPS, cut_apart, in_ranges, ranges_of

IDS = st.sets(st.integers(-500, 500), max_size=60).map(sorted)


@given(IDS, st.integers(1, 40))
def test_shards_hold_the_chosen_contacts_and_leave_out_what_lies_between(
    chosen: list[int], size: int
) -> None:
    ids = np.array(chosen, np.int64)
    shards = cut_apart(ids, size)
    assert in_ranges(ids, shards).tolist() == chosen
    assert all(one.last < other.first for one, other in itertools.pairwise(shards))
    assert all(len(in_ranges(ids, [each])) <= size for each in shards)


def test_only_the_widest_gaps_are_left_out() -> None:
    ids = np.arange(0, 1000 * (MAX_GAPS + 50), 1000, dtype=np.int64)
    assert len(cut_apart(ids, 100)) < 2 * MAX_GAPS + 10


@given(IDS)
def test_ranges_hold_the_ids_and_no_others(chosen: list[int]) -> None:
    ranges = ranges_of(np.array(chosen, np.int64))
    held = [number for first, last in ranges for number in range(first, last + 1)]
    assert held == chosen
