"""The day that each message aims at, room aside (semantics: Target, Smoothing)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from almanac.balancing.hashing import message_hashes
from almanac.balancing.occupancy import Limits, Occupancy, padded
from almanac.checksums import Hashes
from almanac.frames import Contenders, Days, Frame, Index, Mask


@dataclass(frozen=True)
class TargetDays(Frame):
    """The day that each contender aims at."""

    day: Days
    kept: Mask  # its planned row already has that day


def choose_targets(contenders: Contenders, fixed: Occupancy, limits: Limits) -> TargetDays:
    """Return the targets: kept days, x, catch-up, and smoothed effective dates."""
    x, before = contenders.x, contenders.previous_day
    kept = contenders.previous_ideal & (before >= contenders.floor) & (before <= contenders.ceiling)
    day = np.where(kept, before, np.maximum(x, np.int32(limits.t0))).astype(np.int32)

    late = np.flatnonzero(~kept & (x < limits.t0))
    late = late[~limits.is_followup[contenders.kind[late]]]
    room = np.minimum(limits.catch_up_days, contenders.ceiling[late] - limits.t0 + 1)
    day[late] += (_hashes(contenders, late, limits) % room.astype(np.uint64)).astype(np.int32)

    _smooth(contenders, day, kept, fixed, limits)
    return TargetDays(day, kept)


def _smooth(
    contenders: Contenders, day: Days, kept: Mask, fixed: Occupancy, limits: Limits
) -> None:
    """Smooth effective_date messages in place; days are counted once, before any moves."""
    mine = np.flatnonzero(limits.is_effective_date[contenders.kind])
    if len(mine) == 0:
        return
    offset = day[mine] - limits.t0
    size = int(offset.max()) + 1
    count = np.bincount(offset, minlength=size) + padded(fixed.effective_dates, size)
    crowded = count[offset] > limits.effective_date_limit
    moving = mine[crowded & ~kept[mine] & (day[mine] == contenders.ideal[mine])]
    window = limits.smoothing_window
    shift = (_hashes(contenders, moving, limits) % np.uint64(window)).astype(np.int32)
    moved = day[moving] + shift - np.int32(window // 2)
    allowed = (moved >= contenders.floor[moving]) & (moved <= contenders.ceiling[moving])
    day[moving[allowed]] = moved[allowed]


def _hashes(contenders: Contenders, rows: Index, limits: Limits) -> Hashes:
    return message_hashes(
        contenders.contact_id[rows], contenders.kind[rows], contenders.event[rows], limits.kinds
    )


def rank(contenders: Contenders, rows: Index, limits: Limits) -> Index:
    """Return the positions of the rows in rank order, best first.

    Rank is (priority, deadline, h, contact_id, email_type, instance, event date).
    """
    kind = contenders.kind[rows]
    first = (limits.priority_rank[kind].astype(np.int64) << 32) + contenders.deadline[rows]
    hashes = _hashes(contenders, rows, limits)
    order = np.lexsort((hashes, first))
    tied = (first[order[1:]] == first[order[:-1]]) & (hashes[order[1:]] == hashes[order[:-1]])
    if tied.any():  # practically never: the hash is one to one for a kind and year
        order = np.lexsort(
            (contenders.event[rows], kind, contenders.contact_id[rows], hashes, first)
        )
    return order
