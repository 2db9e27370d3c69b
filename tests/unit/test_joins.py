"""Joins by sorted keys, compared with plain loops."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from almanac.joins import (
    Identity,
    all_but,
    counted,
    dense,
    identity_keys,
    match,
    numbered,
    order_by,
    order_of_codes,
    packed,
    positions,
    rank_in_group,
)

SMALL = st.lists(st.integers(-3, 3), max_size=12)
ROWS = st.lists(st.tuples(*[st.integers(0, 2)] * 3), max_size=12)


def ids(values: list[int]) -> np.ndarray:
    return np.array(values, np.int64)


def side(rows: list[tuple[int, int, int]]) -> Identity:
    columns = np.array(rows, np.int64).reshape(len(rows), 3).T
    return Identity(columns[0], columns[1].astype(np.int32), (columns[2] - 1).astype(np.int32))


@given(st.lists(st.tuples(*[st.sampled_from([-1, 0, 1 << 20, 1 << 50])] * 3), max_size=12))
def test_rows_are_ordered_by_their_columns_however_wide_these_are(
    rows: list[tuple[int, int, int]],
) -> None:
    columns = np.array(rows, np.int64).reshape(len(rows), 3).T
    assert order_by(*columns).tolist() == sorted(range(len(rows)), key=rows.__getitem__)


@given(SMALL, SMALL, st.sampled_from([1, 1 << 60]))
def test_positions_are_those_of_a_loop(haystack: list[int], needles: list[int], step: int) -> None:
    haystack, needles = sorted(each * step for each in haystack), [each * step for each in needles]
    expected = [haystack.index(each) if each in haystack else -1 for each in needles]
    assert positions(ids(haystack), ids(needles)).tolist() == expected


@given(SMALL)
def test_ranks_count_within_a_run(groups: list[int]) -> None:
    groups.sort()
    expected = [groups[:at].count(each) for at, each in enumerate(groups)]
    assert rank_in_group(ids(groups)).tolist() == expected


@given(SMALL)
def test_equal_keys_are_numbered_in_the_order_of_their_ties(keys: list[int]) -> None:
    ties = list(range(len(keys), 0, -1))
    expected = [keys[at + 1 :].count(each) for at, each in enumerate(keys)]
    assert numbered(ids(keys), ids(ties)).tolist() == expected


@given(SMALL)
def test_dense_values_are_ranks(values: list[int]) -> None:
    assert dense(ids(values)).tolist() == [sorted(set(values)).index(each) for each in values]


@given(ROWS)
def test_packed_keys_are_ordered_as_tuples_are(rows: list[tuple[int, int, int]]) -> None:
    keys = packed(*np.array(rows, np.int64).reshape(len(rows), 3).T).tolist()
    assert [row for _, row in sorted(zip(keys, rows, strict=True))] == sorted(rows)
    assert len(set(keys)) == len(set(rows))


def test_keys_that_do_not_fit_are_refused() -> None:
    with pytest.raises(OverflowError):
        packed(ids([1 << 40]), ids([1 << 40]))


@given(ROWS, ROWS)
def test_rows_match_by_identity(
    left: list[tuple[int, int, int]], right: list[tuple[int, int, int]]
) -> None:
    pairs = match(*identity_keys(side(left), side(right)))
    expected = [(at, right.index(row)) for at, row in enumerate(left) if row in right]
    assert list(zip(*(each.tolist() for each in pairs), strict=True)) == expected
    unmatched = [row not in right for row in left]
    assert all_but(len(left), pairs.left).tolist() == unmatched


def test_rows_match_by_identity_where_the_ids_lie_far_apart() -> None:
    lowest, highest = -(1 << 63), (1 << 63) - 1
    left = [(lowest, 1, 2), (0, 9, 20_000), (highest, 1, 2)]
    right = [(highest, 1, 2), (lowest, 1, 3), (0, 9, 20_000)]
    pairs = match(*identity_keys(side(left), side(right)))
    assert (pairs.left.tolist(), pairs.right.tolist()) == ([1, 2], [2, 0])


def test_of_equal_keys_the_lowest_tie_matches() -> None:
    assert match(ids([5]), ids([5, 5, 5]), ids([3, 1, 2])).right.tolist() == [1]


@pytest.mark.parametrize("size", [4, 1 << 16, (1 << 16) + 1])
def test_codes_are_counted_and_ordered_however_many_rows_and_codes_there_are(size: int) -> None:
    codes = np.tile(np.array([3, size - 1, 0, size - 1], np.int32), 20_000)
    assert np.array_equal(counted(codes, size), np.bincount(codes, minlength=size))
    assert np.array_equal(order_of_codes(codes, size), np.argsort(codes, kind="stable"))
