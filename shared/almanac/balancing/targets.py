"""The day that each message aims at, room aside (semantics: Target, Smoothing)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from almanac.balancing.hashing import message_hashes
from almanac.balancing.occupancy import Limits, Occupancy, padded
from almanac.checksums import Hashes
from almanac.frames import Codes, Contenders, Days, Frame, Ids, Index, Mask, Small
from almanac.joins import distinct_values, order_of_codes


@dataclass(frozen=True)
class Aims(Frame):
    """What competes for days; target and due are days from T0. Choosing days moves the targets."""

    contact_id: Ids
    kind: Codes
    event: Days
    deadline: Days
    due: Days  # last day
    target: Days
    kept: Mask  # its planned row already has that day
    shift: Small  # days by which it moves if its target is crowded


def aims_of(contenders: Contenders, limits: Limits) -> Aims:
    """Return the targets before smoothing: kept days, x, catch-up."""
    x, before = contenders.x, contenders.previous_day
    kept = contenders.previous_ideal & (before >= contenders.floor) & (before <= contenders.ceiling)
    t0 = np.int32(limits.t0)
    day = np.where(kept, before, np.maximum(x, t0)).astype(np.int32, copy=False)

    late = np.flatnonzero(~kept & (x < t0))
    late = late[~limits.is_followup[contenders.kind[late]]]
    room = np.minimum(limits.catch_up_days, contenders.ceiling[late] - t0 + 1)
    day[late] += (_hashes(contenders, late, limits) % room.astype(np.uint64)).astype(np.int32)
    return Aims(
        contact_id=contenders.contact_id,
        kind=contenders.kind,
        event=contenders.event,
        deadline=contenders.deadline,
        due=contenders.ceiling - t0,
        target=day - t0,
        kept=kept,
        shift=_shifts(contenders, day, kept, limits),
    )


def _shifts(contenders: Contenders, day: Days, kept: Mask, limits: Limits) -> Small:
    """Return by how many days smoothing moves each message; 0 where it must not."""
    shifts = np.zeros(len(day), np.int8)
    dated = limits.is_effective_date[contenders.kind]
    moving = np.flatnonzero(dated & ~kept & (day == contenders.ideal))
    window = limits.smoothing_window
    shift = (_hashes(contenders, moving, limits) % np.uint64(window)).astype(np.int8)
    shift -= np.int8(window // 2)
    moved = day[moving] + shift
    allowed = (moved >= contenders.floor[moving]) & (moved <= contenders.ceiling[moving])
    shifts[moving[allowed]] = shift[allowed]
    return shifts


def smooth(aims: Aims, fixed: Occupancy, limits: Limits) -> None:
    """Smooth effective_date messages in place; days are counted once, before any moves."""
    mine = np.flatnonzero(limits.is_effective_date[aims.kind])
    if len(mine) == 0:
        return
    target = aims.target[mine]
    size = int(target.max()) + 1
    count = np.bincount(target, minlength=size) + padded(fixed.effective_dates, size)
    crowded = mine[(count > limits.effective_date_limit)[target]]
    aims.target[crowded] += aims.shift[crowded]


def _hashes(messages: Contenders | Aims, rows: Index, limits: Limits) -> Hashes:
    return message_hashes(
        messages.contact_id[rows], messages.kind[rows], messages.event[rows], limits.kinds
    )


def rank(aims: Aims, rows: Index, limits: Limits) -> Index:
    """Return the positions of the rows in rank order, best first.

    Rank is (priority, deadline, h, contact_id, email_type, instance, event date).
    """
    first = limits.priority_rank[aims.kind[rows]].astype(np.int64)
    first <<= 32
    first += aims.deadline[rows]
    distinct = distinct_values(first)
    codes = np.searchsorted(distinct, first).astype(np.int32)
    del first  # 8 bytes of each
    hashes = _hashes(aims, rows, limits)
    order = np.argsort(hashes)
    order = order[order_of_codes(codes[order], len(distinct))]
    ordered = hashes[order]
    same = np.flatnonzero(ordered[1:] == ordered[:-1])
    if (codes[order[same]] == codes[order[same + 1]]).any():
        # practically never: the hash is one to one for a kind and year
        kind, contact = aims.kind[rows], aims.contact_id[rows]
        order = np.lexsort((aims.event[rows], kind, contact, hashes, codes))
    return order
