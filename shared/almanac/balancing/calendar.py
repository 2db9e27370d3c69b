"""Days for the admitted, one day after the other (semantics: Daily cap, step 4).

All that wait on a day are taken with the earliest last day first, so that as long as enough of
them go on each day, none of them misses its last day.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from almanac.balancing.board import Board
from almanac.frames import PLACEMENT_STEPS, Days, Index, Mask
from almanac.joins import counted, order_of_codes

ON_TARGET, WAITED = (PLACEMENT_STEPS.index(step) for step in ("on target", "waited for room"))

OfDay = Callable[[int], npt.NDArray[Any]]


def place_admitted(board: Board, messages: Index) -> None:
    """Place the messages, which can all be given a day; campaign emails of one contact that meet
    may leave some of them without."""
    busy = _busy_days(board, messages)
    calendar = _Calendar(board, messages, busy)
    contested = busy[board.target[messages]]
    at_ease, messages = messages[~contested], messages[contested]
    leaving = _put_at_ease(board, at_ease)
    del at_ease  # of millions: each row number has 8 bytes
    own = _by_day(board.target[messages], messages, board.days)
    del messages
    calendar.fill(own, leaving)


def _put_at_ease(board: Board, messages: Index) -> OfDay:
    """Place messages on their targets; return the last days of those of each target."""
    target = board.target[messages]
    board.put(messages, target, ON_TARGET)
    return _by_day(target, board.due[messages], board.days)


def _busy_days(board: Board, messages: Index) -> Mask:
    """Return the days on which messages may have to wait; on any other all go to their target.

    An upper bound of how many wait is carried from day to day: at least as many go as fit below C,
    but for campaign emails that others keep from the day.
    """
    ceiling, cap = board.ceiling.tolist(), board.cap.tolist()
    target = board.target[messages]
    own = counted(target, board.days)
    barred = counted(target[~board.placeable(messages, target)], board.days)
    entangled = messages[board.entangled[messages]]
    arriving = np.bincount(board.target[entangled], minlength=board.days)
    last = int(board.due[entangled].max(initial=-1))
    busy = np.zeros(board.days, np.bool_)
    waiting, kept_away = 0, 0
    for day in range(board.days):
        load = int(board.occupancy[day])
        busy[day] = waiting + kept_away + barred[day] > 0 or own[day] + load > ceiling[day]
        if busy[day]:
            waiting = max(0, waiting + int(own[day]) - max(0, cap[day] - load))
            kept_away += int(arriving[day])
        if day >= last:
            kept_away = 0
    return busy


class _Queue:
    """Messages with one last day that wait, put in rank order only when some must be chosen."""

    def __init__(self) -> None:
        self.ranked: Index = np.empty(0, np.intp)
        self.fresh: Index = np.empty(0, np.intp)  # in no order

    def __len__(self) -> int:
        return len(self.ranked) + len(self.fresh)

    def add(self, messages: Index) -> None:
        self.fresh = np.concatenate([self.fresh, messages]) if len(self.fresh) else messages

    def all(self, board: Board, most: int) -> Index:
        """Return all of them; in rank order where that decides which `most` of them go."""
        if not len(self.fresh):
            return self.ranked
        together = np.concatenate([self.ranked, self.fresh]) if len(self.ranked) else self.fresh
        if len(together) <= most:
            return together
        self.ranked, self.fresh = board.ranked(together), self.fresh[:0]
        return self.ranked

    def keep(self, left: Index) -> None:
        """Keep only these of those that `all` has returned, in their order."""
        self.ranked, self.fresh = (self.ranked[:0], left) if len(self.fresh) else (left, self.fresh)

    def drop_placed(self, board: Board) -> None:
        self.ranked = self.ranked[board.placed[self.ranked] < 0]
        self.fresh = self.fresh[board.placed[self.fresh] < 0]


class _Calendar:
    """The day that is being filled, and who waits for one."""

    def __init__(self, board: Board, messages: Index, busy: Mask) -> None:
        self._board, self._busy = board, busy
        # admitted messages without a day, by last day
        self._unplaced = counted(board.due[messages], board.days)
        self._rooms_until = np.cumsum(board.room())
        self._waiting: dict[int, _Queue] = {}  # by last day

    def fill(self, own: OfDay, leaving: OfDay) -> None:
        """Fill the days, one after the other.

        own: the messages that aim at each, but for those at ease; leaving: the last days of these.
        """
        board = self._board
        for day in range(board.days):
            if self._busy[day]:
                self._fill_day(day, own(day))
            else:
                self._leave(leaving(day))
            self._unplaced[day] = 0
            self._waiting.pop(day, None)  # they are late

    def _fill_day(self, day: int, own: Index) -> None:
        """What must go on the day; then those that aim at it, if all of them fit below X; then as
        many as fit below C."""
        board = self._board
        if not self._waiting and self._fit(own, day):  # all go, whichever must
            self._put_all(own, day)
            self._wait(own[board.placed[own] < 0])
            return
        self._wait(own)
        self._take(day, self._must(day))
        left = own[board.placed[own] < 0]
        if len(left) and self._fit(left, day):
            self._put_all(left, day)
            for due in np.unique(board.due[left]).tolist():
                self._waiting[due].drop_placed(board)
        self._take(day, int(board.cap[day] - board.occupancy[day]))

    def _fit(self, messages: Index, day: int) -> bool:
        """Return whether all of them fit below X."""
        board = self._board
        return bool(len(messages) + board.occupancy[day] <= board.ceiling[day])

    def _wait(self, messages: Index) -> None:
        for due, some in _groups(self._board.due[messages], messages, self._board.days):
            self._waiting.setdefault(due, _Queue()).add(some)

    def _must(self, day: int) -> int:
        """Return how many must go on the day so that all others can go later."""
        due = np.cumsum(self._unplaced[day:])
        later = self._rooms_until[day:] - self._rooms_until[day]
        return int((due - later).max(initial=0))

    def _take(self, day: int, most: int) -> None:
        """Place up to so many of those that wait, by last day and rank."""
        board = self._board
        most = min(most, int(board.ceiling[day] - board.occupancy[day]))
        for due in sorted(self._waiting):
            if most <= 0:
                return
            queue = self._waiting[due]
            left = self._put_some(queue.all(board, most), day, most)
            most -= len(queue) - len(left)
            queue.keep(left)
            if not len(left):
                del self._waiting[due]

    def _put_some(self, messages: Index, day: int, most: int) -> Index:
        """Place the first `most` of the messages that are not kept away, and return the others;
        they have one last day, and come in rank order where they are more than that."""
        board = self._board
        if len(messages) <= most:
            self._put_all(messages, day)
        elif not board.entangled[messages[:most]].any():  # as nearly always: none is kept away
            self._put(messages[:most], day)
            return messages[most:]
        else:
            self._put_able(messages, day, most)
        return messages[board.placed[messages] < 0]

    def _put_able(self, messages: Index, day: int, most: int) -> None:
        left, at = most, 0
        while left > 0 and at < len(messages):
            some = messages[at : at + 2 * left]  # more than a few are kept away only in rare cases
            able = self._able(some, day)[:left]
            self._put(able, day)
            at += 2 * left
            left -= len(able)

    def _put_all(self, messages: Index, day: int) -> None:
        """Place all of the messages that are not kept away."""
        board = self._board
        entangled = board.entangled[messages]
        if entangled.any():
            some = messages[entangled]
            if board.seconds(some, day).any():  # their order decides
                some = board.ranked(some)
                some = some[np.argsort(board.due[some], kind="stable")]
            messages = np.concatenate([messages[~entangled], self._able(some, day)])
        self._put(messages, day)

    def _able(self, ordered: Index, day: int) -> Index:
        """Return those that no campaign email of their contact keeps from the day, neither one
        that is on it nor one before them."""
        able = ordered[~self._board.barred(ordered, day)]
        return able[~self._board.seconds(able, day)]

    def _put(self, messages: Index, day: int) -> None:
        board = self._board
        board.put(
            messages,
            day,
            np.where(board.target[messages] == day, np.int8(ON_TARGET), np.int8(WAITED)),
        )
        self._leave(board.due[messages])

    def _leave(self, due: Days) -> None:
        self._unplaced -= counted(due, len(self._unplaced))


def _by_day(days: Days, rows: npt.NDArray[Any], size: int) -> OfDay:
    """Return a function that gives the rows of a day."""
    ordered = rows[order_of_codes(days, size)]
    bounds = np.r_[0, np.cumsum(counted(days, size))]
    return lambda day: ordered[bounds[day] : bounds[day + 1]]


def _groups(days: Days, rows: Index, size: int) -> list[tuple[int, Index]]:
    """Return the rows of each day that has any, in the order of the days."""
    of_day = _by_day(days, rows, size)
    return [(day, of_day(day)) for day in np.unique(days).tolist()]
