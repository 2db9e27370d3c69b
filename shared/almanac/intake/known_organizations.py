"""Whether an organization has a database, asked for each request and looked up now and then.

Before its first push an organization takes no events: none of them could mean anything.
"""

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
    """Remembers for a minute that an organization has a database, for seconds that it has not."""

    def __init__(self, store: ObjectStore, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._clock = clock
        self._found: dict[str, tuple[bool, float]] = {}  # until when
        self._lock = threading.Lock()

    def known(self, org: str) -> bool | None:
        """Return whether it has one, as far as that is remembered."""
        with self._lock:
            exists, until = self._found.get(org, (False, 0.0))
        return exists if self._clock() < until else None

    def look_up(self, org: str) -> bool:
        """Return whether the store has a database of it, and remember that."""
        exists = has_database(self._store, org)
        with self._lock:
            if len(self._found) >= _REMEMBERED:
                self._found.clear()
            seconds = KNOWN_SECONDS if exists else UNKNOWN_SECONDS
            self._found[org] = (exists, self._clock() + seconds)
        return exists


def has_database(store: ObjectStore, org: str) -> bool:
    """Return whether the store has a database of the organization; False for no id of one."""
    try:
        return store.stat(layout.current(org)) is not None
    except RequestError:
        return False
