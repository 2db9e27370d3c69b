"""Who gets a day under the daily cap (semantics: Daily cap, step 3).

Messages are jobs of one day with a release day (target) and a due day (hi); a day has room for so
many. A set of them can be given days if and only if no span of days has more messages that must
lie within it than rooms (Hall). Such sets form a matroid, so admitting in rank order whatever
still fits gives both the most messages and the best ranked ones.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from almanac.balancing.occupancy import Counts
from almanac.frames import Codes, Index, Mask
from almanac.joins import counted

Offsets = npt.NDArray[np.int32]  # days from T0


def admitted(target: Offsets, due: Offsets, room: Counts, ranked: Callable[[Index], Index]) -> Mask:
    """Whom rank order admits, message by message.

    room: messages that each day has room for. ranked: puts messages in rank order, best first;
    it is asked only for those that lie within a span with more messages than rooms.
    """
    result = np.ones(len(target), np.bool_)
    if len(target) == 0:
        return result
    spans = _Spans(target, due, room)
    contested = spans.contested()
    if contested is None:
        return result
    messages = np.flatnonzero(contested[spans.cell])
    order = ranked(messages)
    result[order] = False
    spans = _Spans(target[order], due[order], room)
    result[order[_admit(spans)]] = True
    return result


class _Spans:
    """The spans from a first day to a last day, of which only those between a target (row) and a
    due day (column) can be the first to overflow.

    A message's cell is the span of its own target and due day; it counts in all spans around it.
    """

    def __init__(self, target: Offsets, due: Offsets, room: Counts) -> None:
        first, row = _distinct(target)
        last, column = _distinct(due)
        self.shape = len(first), len(last)
        self.cell: Codes = row[target]  # a table of so many cells that they need more has no room
        self.cell *= np.int32(len(last))
        self.cell += column[due]
        until = np.r_[0, np.cumsum(room)]
        self.rooms = np.maximum(until[last + 1][None, :] - until[first][:, None], 0)

    def count(self, cells: Codes) -> Counts:
        """Of each span how many of the messages must lie within it."""
        table = counted(cells, self.shape[0] * self.shape[1]).reshape(self.shape)
        return table[::-1].cumsum(axis=0)[::-1].cumsum(axis=1)

    def around(self, spans: Mask) -> Mask:
        """Of each cell whether any of these spans contains it."""
        covered = np.logical_or.accumulate(spans, axis=0)
        return np.logical_or.accumulate(covered[:, ::-1], axis=1)[:, ::-1].ravel()

    def contested(self) -> Mask | None:
        """The cells within a span that has too few rooms for all; None where there is room."""
        over = self.count(self.cell) > self.rooms
        return self.around(over) if over.any() else None


def _distinct(days: Offsets) -> tuple[Index, Codes]:
    """Return the days that occur, ascending, and of each day its place among them."""
    there = counted(days, int(days.max()) + 1) > 0
    return np.flatnonzero(there), np.cumsum(there, dtype=np.int32) - np.int32(1)


def _admit(spans: _Spans) -> Index:
    """Which messages, given in rank order, are admitted.

    The longest run of them that fits is admitted at once. The next one then lies within a span
    without slack, and so may many behind it: none of those can ever be admitted, since slack only
    shrinks. They are struck, and the rest goes on.
    """
    chosen = []
    left = np.arange(len(spans.cell))
    slack = spans.rooms
    while len(left):
        cells = spans.cell[left]
        fits = _longest_run(spans, cells, slack)
        chosen.append(left[:fits])
        slack = slack - spans.count(cells[:fits])
        left, cells = left[fits:], cells[fits:]
        left = left[~spans.around(slack == 0)[cells]]
    return np.concatenate(chosen)


def _longest_run(spans: _Spans, cells: Codes, slack: Counts) -> int:
    """How many of the first messages fit into the slack of the spans together."""
    # each message takes one of the slack of a span at most, so as many as the least always fit
    least = slack[spans.count(cells) > 0].min(initial=len(cells))
    low, step = min(int(least), len(cells)), 1 + int(least)
    while low < len(cells):
        high = min(low + step, len(cells))
        if (spans.count(cells[:high]) > slack).any():
            break
        low, step = high, 2 * step
    else:
        return low
    while high - low > 1:
        middle = (low + high) // 2
        if (spans.count(cells[:middle]) > slack).any():
            high = middle
        else:
            low = middle
    return low
