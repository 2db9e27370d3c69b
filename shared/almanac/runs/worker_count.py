"""How many processes plan a file: known before anything is imported that plans."""

from __future__ import annotations

import os

SMALL = 5_000  # contacts that are not worth starting worker processes for
SHARD_CONTACTS = 50_000


def workers_for(
    contacts: int, workers: int | None, shards: int | None, shard_contacts: int = SHARD_CONTACTS
) -> int:
    """Return how many processes plan so many contacts; up to 1, this one does.

    workers, shards: as a run is asked for, None for what it chooses.
    """
    if workers is None and contacts <= SMALL:
        return 1
    most = workers if workers is not None else os.cpu_count() or 1
    return min(most, shards or -(-contacts // shard_contacts))
