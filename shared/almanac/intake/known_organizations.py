"""Whether an organization exists, asked for each request and looked up now and then."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from almanac.errors import RequestError
from almanac.intake.answers import HttpProblem
from almanac.storage import layout
from almanac.storage.store import ObjectStore

KNOWN_SECONDS, UNKNOWN_SECONDS = 60.0, 5.0
_REMEMBERED = 10_000


class KnownOrganizations:
    """Remembers for a minute that an organization exists, and for seconds that it does not."""

    def __init__(self, store: ObjectStore, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._clock = clock
        self._found: dict[str, tuple[bool, float]] = {}  # until when
        self._lock = threading.Lock()

    def require(self, org: str) -> None:
        """Raise HttpProblem (404) unless it has a database or a configuration."""
        now = self._clock()
        with self._lock:
            exists, until = self._found.get(org, (False, now))
        if until <= now:
            exists = self._look_up(org)
            with self._lock:
                if len(self._found) >= _REMEMBERED:
                    self._found.clear()
                until = now + (KNOWN_SECONDS if exists else UNKNOWN_SECONDS)
                self._found[org] = (exists, until)
        if not exists:
            raise HttpProblem(404, "there is no such organization")

    def _look_up(self, org: str) -> bool:
        try:
            names = (layout.current(org), layout.config(org))
        except RequestError:
            return False
        return any(self._store.stat(name) for name in names)
