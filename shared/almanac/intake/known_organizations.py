"""Whether an organization exists, asked for each request and looked up now and then."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from almanac.errors import RequestError
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

    def known(self, org: str) -> bool | None:
        """Return whether it is there, as far as that is remembered."""
        with self._lock:
            exists, until = self._found.get(org, (False, 0.0))
        return exists if self._clock() < until else None

    def look_up(self, org: str) -> bool:
        """Return whether the store has a database or a configuration of it, and remember that."""
        exists = is_organization(self._store, org)
        with self._lock:
            if len(self._found) >= _REMEMBERED:
                self._found.clear()
            seconds = KNOWN_SECONDS if exists else UNKNOWN_SECONDS
            self._found[org] = (exists, self._clock() + seconds)
        return exists


def is_organization(store: ObjectStore, org: str) -> bool:
    """Return whether the store has a database or a configuration of it."""
    try:
        names = (layout.current(org), layout.config(org))
    except RequestError:
        return False
    return any(store.stat(name) for name in names)
