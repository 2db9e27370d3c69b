"""How long a command, or the delivery of a message, goes on while its store does not answer.

One budget for all its requests, so that loops around retries do not multiply the time. See
docs/decisions/0055-one-deadline.md.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from almanac.plurals import plural

P = ParamSpec("P")
T = TypeVar("T")

_LONGEST_PAUSE = 16.0  # seconds
_LEAST_TIMEOUT = 5.0  # seconds that a request may take when the budget is used up
_REGAINED = 0.1  # of the time without failures: hours of work outlast many short faults


class Patience:
    """A budget of seconds in which requests fail: the failed attempts and the pauses after them.

    What several threads lose at the same time counts once, and successful requests do not count.
    Once it is used up, each request is made only once. As a function, it makes a call repeat
    itself while `passing` says of its errors that a retry may succeed; Google's client takes it
    as its `retry`. Pauses are random between 0 and a bound, first_pause seconds and then doubled.
    """

    def __init__(
        self,
        seconds: float,
        passing: Callable[[Exception], bool],
        *,
        first_pause: float = 0.5,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.seconds = seconds
        self._passing = passing
        self._first_pause = first_pause
        self._clock = clock
        self._sleep = sleep
        self.before_each: Callable[[], None] | None = None  # request; it may raise
        self._counting = threading.Lock()
        self.renew()

    def renew(self) -> None:
        """Begin with the whole budget: another command or delivery does."""
        with self._counting:
            self._used = self._lost = 0.0
            self._until = self._clock()  # what failed before this moment is counted

    def left(self) -> float:
        """Return for how many seconds more requests may fail."""
        return max(0.0, self.seconds - self._used)

    def timeout(self, longest: float) -> float:
        """Return how many seconds to wait for one answer."""
        return min(longest, max(_LEAST_TIMEOUT, self.left()))

    def __str__(self) -> str:
        """Return how long requests have been tried again, for messages."""
        if self._lost < 1:
            return "tried again for less than a second" if self._lost else "not tried again"
        return f"tried again for {plural(round(self._lost), 'second')}"

    def __call__(self, call: Callable[P, T]) -> Callable[P, T]:
        def repeated(*arguments: P.args, **named: P.kwargs) -> T:
            bound = self._first_pause
            while True:
                if self.before_each is not None:
                    self.before_each()
                began = self._clock()
                try:
                    return call(*arguments, **named)
                except Exception as error:
                    if not self._passing(error):
                        raise
                    self._count(began)
                    if self.left() == 0:
                        raise
                began = self._clock()
                self._sleep(min(random.uniform(0, bound), self.left()))
                self._count(began)
                bound = min(2 * bound, _LONGEST_PAUSE)

        return repeated

    def _count(self, began: float) -> None:
        """Count the time since began, without what is counted already."""
        with self._counting:
            now = self._clock()
            began = max(began, self._until)
            self._used = max(0.0, self._used - _REGAINED * (began - self._until)) + now - began
            self._lost += now - began
            self._until = now


def limit_patience(store: object, seconds: float) -> None:
    """Let requests of a process that answers programs fail for so long only."""
    if isinstance(found := getattr(store, "patience", None), Patience):
        found.seconds = seconds


def renew_patience(store: object) -> None:
    """Let a delivery that begins wait as long as any; a store without requests has no patience."""
    if isinstance(found := getattr(store, "patience", None), Patience):
        found.renew()


def check_before_requests(store: object, check: Callable[[], None] | None) -> None:
    """Have each request of the store begin with the check, which may raise; None: with none."""
    if isinstance(found := getattr(store, "patience", None), Patience):
        found.before_each = check
