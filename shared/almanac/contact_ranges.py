"""Ranges of contact ids: the scope of a run and the ranges of its shards."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from almanac.frames import Ids
from almanac.names import MAX_ID, MIN_ID

MAX_SHARDS = 10_000
MAX_GAPS = 100  # that the shards of a run for some contacts leave out


class ContactRange(NamedTuple):
    """The ids from first to last, both included. In JSON: [first, last]."""

    first: int
    last: int


EVERYONE = ContactRange(MIN_ID, MAX_ID)


def merged(ranges: Iterable[ContactRange]) -> list[ContactRange]:
    """Return the ranges in order, those that overlap or adjoin as one."""
    result: list[ContactRange] = []
    for each in sorted(ranges):
        if result and each.first <= result[-1].last + 1:
            result[-1] = ContactRange(result[-1].first, max(result[-1].last, each.last))
        else:
            result.append(each)
    return result


def in_ranges(ids: Ids, ranges: Sequence[ContactRange] | None) -> Ids:
    """Return the sorted ids that lie in any of the ranges; all of them without ranges."""
    if ranges is None:
        return ids
    chosen = np.zeros(len(ids), np.bool_)
    for first, last in ranges:
        chosen[np.searchsorted(ids, first) : np.searchsorted(ids, last, side="right")] = True
    return ids[chosen]


def without_ids(ids: Ids, ranges: Sequence[ContactRange]) -> list[ContactRange]:
    """Return the ranges in which none of the sorted ids lies."""
    firsts, lasts = zip(*ranges, strict=True)
    start, end = np.searchsorted(ids, firsts), np.searchsorted(ids, lasts, side="right")
    return [ranges[n] for n in np.flatnonzero(start == end).tolist()]


def cut(ids: Ids, contacts: int, shard_contacts: int, shards: int | None) -> list[ContactRange]:
    """Return the range of each shard: they adjoin, and have about equally many of the sorted ids.

    There is one shard for each `shard_contacts` of the contacts (of which the ids may be a sample)
    unless `shards` says how many, and always one, also for no contacts at all.
    """
    if len(ids) == 0:
        return [ContactRange(0, 0)]
    wanted = shards if shards is not None else -(-contacts // shard_contacts)
    count = max(1, min(wanted, len(ids), MAX_SHARDS))
    bounds = np.linspace(0, len(ids), count + 1).astype(np.intp)[:-1]
    firsts = [int(ids[bound]) for bound in bounds]
    return list(ranges_between([*firsts, int(ids[-1]) + 1]))


def cut_apart(ids: Ids, shard_contacts: int) -> list[ContactRange]:
    """Return the range of each shard for some contacts, whose sorted ids these are.

    Ranges of at most `shard_contacts` of them, which leave out the widest gaps between them.
    """
    gaps = np.diff(ids)
    wide = np.flatnonzero(gaps > shard_contacts)
    widest = wide[np.argsort(-gaps[wide], kind="stable")[:MAX_GAPS]]
    pieces = np.split(ids, np.sort(widest) + 1)
    return [each for piece in pieces for each in cut(piece, len(piece), shard_contacts, None)]


def ranges_of(ids: Ids) -> list[ContactRange]:
    """Return the ranges that hold the sorted ids and no others."""
    if len(ids) == 0:
        return []
    starts = np.flatnonzero(np.diff(ids, prepend=ids[0] - 2) != 1)
    ends = np.append(starts[1:], len(ids)) - 1
    pairs = zip(ids[starts].tolist(), ids[ends].tolist(), strict=True)
    return [ContactRange(*pair) for pair in pairs]


def ranges_between(starts: Sequence[int]) -> Iterator[ContactRange]:
    """Yield the ranges from each start to the id before the next; the last start is only an end."""
    for first, following in pairwise(starts):
        yield ContactRange(first, following - 1)


def covering(starts: Sequence[int]) -> Iterator[ContactRange]:
    """Yield ranges that together hold every possible id and are divided at the ascending starts."""
    return ranges_between([MIN_ID, *starts, MAX_ID + 1])
