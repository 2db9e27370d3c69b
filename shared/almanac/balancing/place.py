"""Days for messages under the daily caps (semantics: Daily cap).

Days are offsets from T0 here. Only what competes for room is ranked: on a day with room for all,
nothing needs an order.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from almanac.balancing.admission import admitted
from almanac.balancing.board import Board
from almanac.balancing.calendar import place_admitted
from almanac.balancing.occupancy import Limits, Occupancy
from almanac.balancing.targets import Aims, smooth
from almanac.frames import NO_DAY, PLACEMENT_STEPS, Codes, Days, Index, Placement
from almanac.joins import counted, rank_in_group

BLOCK = 200_000  # late messages that are looked at together
KEPT, LATE, SKIPPED = (
    PLACEMENT_STEPS.index(step) for step in ("kept", "late, above the cap", "skipped")
)


@dataclass(frozen=True)
class NoDayCodes:
    """Reason codes that balancing gives."""

    daily_cap: int
    conflict: int
    no_sending_day: int


def place(aims: Aims, fixed: Occupancy, limits: Limits, skip: NoDayCodes) -> Placement:
    """Steps 7 to 9 for all candidates that may be sent, sorted by contact.

    The targets are smoothed in place.
    """
    if len(aims) == 0:
        return Placement.empty()
    smooth(aims, fixed, limits)
    board = Board(aims, fixed, limits)
    _place_kept(board, np.flatnonzero(aims.kept))
    place_admitted(board, _admitted(board))
    _place_late(board, board.ranked(np.flatnonzero(board.placed < 0)))
    skipped = np.flatnonzero(board.placed < 0)
    reason = np.zeros(len(aims), np.int32)
    reason[skipped] = _reasons(board, skipped, skip)
    day, step = board.placed, board.step
    day += np.int32(limits.t0)
    day[skipped], step[skipped] = NO_DAY, SKIPPED
    return Placement(day, reason, step)


def _admitted(board: Board) -> Index:
    """Return the messages without a day whom rank order admits."""
    new = board.placed < 0
    may = admitted(
        board.target[new],
        board.due[new],
        board.room(),
        lambda some: some[board.order(np.flatnonzero(new)[some])],
    )
    new[new] = may
    return np.flatnonzero(new)


def _place_kept(board: Board, messages: Index) -> None:
    """What has its day stays on it, in rank order while the load is below X."""
    messages = messages[board.placeable(messages, board.target[messages])]
    room = board.room()
    full = (counted(board.target[messages], board.days) > room)[board.target[messages]]
    if full.any():
        crowd = board.ranked(messages[full])
        crowd = crowd[np.argsort(board.target[crowd], kind="stable")]
        nth = rank_in_group(board.target[crowd])
        crowd = crowd[nth < room[board.target[crowd]]]
        messages = np.concatenate([messages[~full], crowd])
    board.put(messages, board.target[messages], KEPT)


def _place_late(board: Board, left: Index) -> None:
    """In rank order, each message gets the first day from its target on that is free.

    A day is free while its occupancy is below X. Placing one message at a time would look for
    a free day millions of times, so one look serves a stretch of messages:

        in rank order    a   b   c   d   e
        first free day   2   2   3   2   3      day 2 has room for two messages
                         --stretch--            d is the third on day 2: it needs another look

    Occupancies only grow, so a day before the first free one stays full. Within the stretch
    no day fills up before the turn of a message that wants it: each gets the day that it
    would get if it were placed by itself.
    """
    while len(left):
        next_free = board.next_free()
        left = left[next_free[board.target[left]] <= board.due[left]]
        block = left[:BLOCK]
        want = _wanted(board, block, next_free)
        length = _stretch(board, want)
        stretch, day = block[:length], want[:length]
        found = day < board.days
        board.put(stretch[found], day[found], LATE)
        left = left[length:]


def _stretch(board: Board, want: Days) -> int:
    """Return how many of the messages, in rank order, find room on the days that they want.

    Those without a day, `board.days`, need none.
    """
    room = np.append(board.ceiling - board.occupancy, len(want))
    order = np.argsort(want, kind="stable")
    nth = np.empty(len(want), np.intp)  # of the messages that want the same day
    nth[order] = rank_in_group(want[order])
    full = nth >= room[want]
    return int(np.argmax(full)) if full.any() else len(want)


def _wanted(board: Board, block: Index, next_free: Days) -> Days:
    """Return for each message of the block, in rank order, the first free day from its target
    on from which no campaign message of its contact bars it, neither one that has been placed
    nor a better one of the block; `board.days` where that is past its last day."""
    want: Days = next_free[board.target[block]]
    campaigns = np.flatnonzero(board.entangled[block])
    while len(campaigns):
        messages, days = block[campaigns], want[campaigns]
        barred = board.barred(messages, days) | board.seconds(messages, days)
        moving = campaigns[barred]
        if len(moving) == 0:
            break
        want[moving] = next_free[want[moving] + 1]
        # one past its last day bars no other
        campaigns = campaigns[want[campaigns] <= board.due[block[campaigns]]]
    want[want > board.due[block]] = board.days
    return want


def _reasons(board: Board, messages: Index, skip: NoDayCodes) -> Codes:
    """Why these found no day: the days are closed or full, or those with room have a campaign
    e-mail of the contact. Judged by the final loads, so that the next run finds the same reason."""
    target, due = board.target[messages], board.due[messages]
    all_closed, room = board.next_open()[target] > due, board.next_free()[target] <= due
    full = np.where(all_closed, skip.no_sending_day, skip.daily_cap)
    return np.where(room, skip.conflict, full).astype(np.int32)
