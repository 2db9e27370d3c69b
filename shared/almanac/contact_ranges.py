"""Ranges of contact ids: the scope of a run and the ranges of its shards."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from almanac.frames import Ids

MAX_SHARDS = 10_000


def in_ranges(ids: Ids, ranges: Sequence[tuple[int, int]] | None) -> Ids:
    """The sorted ids that lie in any of the ranges (inclusive); all of them without ranges."""
    if ranges is None:
        return ids
    chosen = np.zeros(len(ids), np.bool_)
    for first, last in ranges:
        chosen[np.searchsorted(ids, first) : np.searchsorted(ids, last, side="right")] = True
    return ids[chosen]


def cut(ids: Ids, contacts: int, shard_contacts: int, shards: int | None) -> list[tuple[int, int]]:
    """First and last id of each shard: ranges that join, of as many of the ids as possible alike.

    There is one shard for each `shard_contacts` of the contacts (of which the ids may be a sample)
    unless `shards` says how many, and always one, also for no contacts at all.
    """
    if len(ids) == 0:
        return [(0, 0)]
    wanted = shards if shards is not None else -(-contacts // shard_contacts)
    count = max(1, min(wanted, len(ids), MAX_SHARDS))
    bounds = np.linspace(0, len(ids), count + 1).astype(np.intp)[:-1]
    firsts = [int(ids[bound]) for bound in bounds]
    lasts = [following - 1 for following in firsts[1:]] + [int(ids[-1])]
    return list(zip(firsts, lasts, strict=True))
