"""Progress of a command, and the duration of its steps."""

from __future__ import annotations

import time
from collections.abc import Callable

Progress = Callable[[str, int, int], None]  # step, units done, units in all


def silent(step: str, done: int, total: int) -> None:
    """Report nothing."""


class Stopwatch:
    """Forwards progress, and measures the time of each step."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._started = time.perf_counter()
        self._last = self._started
        self._step = "open"
        self._seconds: dict[str, float] = {}

    def __call__(self, step: str, done: int, total: int) -> None:
        now = time.perf_counter()
        if step != self._step:
            self._add(now)
            self._step = step
        self._progress(step, done, total)

    def _add(self, now: float) -> None:
        self._seconds[self._step] = self._seconds.get(self._step, 0.0) + now - self._last
        self._last = now

    def seconds(self) -> dict[str, float]:
        """Return seconds by step and in total."""
        self._add(time.perf_counter())
        total = self._last - self._started
        return {step: round(s, 3) for step, s in self._seconds.items()} | {"total": round(total, 3)}
