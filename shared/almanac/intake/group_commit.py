"""Writing for many requests at once: those of an organization that come together share an object.

The first request of an organization waits a few milliseconds for others, then writes for all of
them. Those that come while it writes wait for it; the first of them writes next, for all of these.
So an organization has one writer at a time, the objects are few when requests are many, and a
request is answered when the object with its events is durable.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from almanac.errors import OutcomeUnknown

T = TypeVar("T")

WINDOW_SECONDS = 0.003
MAX_BYTES = 4 * 1024 * 1024  # of requests that share an object


@dataclass(eq=False)
class _Waiting(Generic[T]):
    """A request: it wakes when its events are written, could not be, or are its to write."""

    items: Sequence[T]
    size: int
    woken: threading.Event = field(default_factory=threading.Event)
    written: bool = False
    error: Exception | None = None


class GroupCommit(Generic[T]):
    """Calls write for each organization with the items of the requests that wait.

    write returns once they are durable. window: seconds for which the first request waits.
    """

    def __init__(
        self, write: Callable[[str, Sequence[T]], object], window: float = WINDOW_SECONDS
    ) -> None:
        self._write = write
        self._window = window
        self._lock = threading.Lock()
        # by organization with a writer: those who wait for it
        self._waiting: dict[str, list[_Waiting[T]]] = {}

    def put(self, org: str, items: Sequence[T], size: int) -> None:
        """Return once the items, of so many bytes, are durable; raise what write has raised."""
        mine = _Waiting(items, size)
        with self._lock:
            writes = org not in self._waiting
            self._waiting.setdefault(org, []).append(mine)
        if writes:
            time.sleep(self._window)
        else:
            mine.woken.wait()
        if not mine.written and mine.error is None:
            self._write_for_all(org)
        if mine.error is not None:
            raise mine.error

    def _write_for_all(self, org: str) -> None:
        """Write what waits, this request's first, and hand over to the next that waits."""
        with self._lock:
            together = self._taken(self._waiting[org])
        error: Exception | None = OutcomeUnknown(f"events of organization {org}")
        try:
            self._write(org, [item for each in together for item in each.items])
            error = None
        except Exception as raised:
            error = raised
        finally:  # also if this thread is ended
            for each in together:
                each.error, each.written = error, error is None
                each.woken.set()
            self._hand_over(org)

    def _taken(self, waiting: list[_Waiting[T]]) -> list[_Waiting[T]]:
        """Take the first from the list, and as many behind it as fit into an object."""
        size, count = waiting[0].size, 1
        while count < len(waiting) and size + waiting[count].size <= MAX_BYTES:
            size += waiting[count].size
            count += 1
        together = waiting[:count]
        del waiting[:count]
        return together

    def _hand_over(self, org: str) -> None:
        with self._lock:
            waiting = self._waiting[org]
            if waiting:
                waiting[0].woken.set()
            else:
                del self._waiting[org]
