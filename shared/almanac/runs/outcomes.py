"""What each fragment comes to, once balancing has chosen the days of all messages."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from almanac.errors import Corrupt
from almanac.frames import PLACEMENT_STEPS, Codes, Days, Mask, Small
from almanac.processes import ahead
from almanac.runs.balance import Balanced
from almanac.runs.fragment_validation import check_fragment, judged
from almanac.runs.fragments import Fragment
from almanac.storage.beside import TransfersBeside
from almanac.storage.store import ObjectStore

T = TypeVar("T")


@dataclass(frozen=True)
class Outcome:
    """A fragment with the final day and skip reason of each of its candidates."""

    fragment: Fragment
    day: Days
    reason: Codes
    step: Small
    changed: Mask  # differs from the snapshot, or is not in it


@dataclass
class OutcomeReader:
    """Makes the outcomes of a run's fragments, one after the other in contact order."""

    store: ObjectStore
    balanced: Balanced
    _placed: int = field(default=0, init=False)

    def read(self, shard: int) -> bytes:
        """Read a fragment; raise BadFragment."""
        info = self.balanced.fragments[shard]
        with judged(shard, info.name):
            found = self.store.read(info.name)
            if found.generation != info.generation:
                raise Corrupt(f"{info.name}: replaced while the run was merged")
        return found.data

    def of(self, shard: int, data: bytes) -> Outcome:
        """Return the outcome of the next fragment; raise BadFragment, and Corrupt after the last.

        data: what was read of it.
        """
        balanced, name = self.balanced, self.balanced.fragments[shard].name
        with judged(shard, name):
            fragment = Fragment.from_parquet(data, name, balanced.plan.fragment_mark(shard))
            check_fragment(fragment, balanced.plan, shard, balanced.kind_table)
        candidates = fragment.candidates
        alive = candidates.reason == 0
        start = self._placed
        self._placed += int(alive.sum())
        part = balanced.placement.take(slice(start, self._placed))
        day, reason = candidates.ideal.copy(), candidates.reason.copy()
        day[alive] = np.where(part.reason == 0, part.day, day[alive])
        reason[alive] = part.reason
        step = np.full(len(candidates), PLACEMENT_STEPS.index("skipped"), np.int8)
        step[alive] = part.step
        same = candidates.previous_same & (candidates.previous_day == day)
        same &= candidates.previous_reason == reason
        return Outcome(fragment, day, reason, step, ~same)

    def end(self) -> None:
        """Raise Corrupt unless that was all that balancing has placed."""
        if self._placed != len(self.balanced.placement):
            raise Corrupt(
                f"run {self.balanced.plan.run_id}: its fragments are not those that were placed"
            )


def outcomes(store: ObjectStore, balanced: Balanced) -> Iterator[Outcome]:
    """Yield the outcome of each fragment in contact order; raise BadFragment, Corrupt."""
    found = OutcomeReader(store, balanced)
    for shard in range(len(balanced.fragments)):
        yield found.of(shard, found.read(shard))
    found.end()


@contextmanager
def outcomes_ahead(
    store: ObjectStore, balanced: Balanced, then: Callable[[Outcome], T]
) -> Iterator[Iterator[T]]:
    """Yield what `then` makes of each outcome, in a thread, one ahead of what is used.

    Raises as `outcomes`, in the same order. What reads the store is the caller's thread, unless it
    is a store that transfers in the background.
    """
    found, beside = OutcomeReader(store, balanced), isinstance(store, TransfersBeside)

    def contents() -> Iterator[tuple[int, bytes | None]]:
        for shard in range(len(balanced.fragments)):
            yield shard, None if beside else found.read(shard)

    def made(item: tuple[int, bytes | None]) -> T:
        shard, data = item
        return then(found.of(shard, found.read(shard) if data is None else data))

    with ahead(contents(), made) as results:
        yield results
    found.end()
