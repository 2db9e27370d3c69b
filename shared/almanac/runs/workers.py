"""Worker processes for the shards of a run on one machine."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from almanac.database.piece_file import pieces_in
from almanac.messaging.bus import Delivery
from almanac.messaging.messages import ShardTask, parse
from almanac.organizations.snapshots import FileSnapshots, Snapshots
from almanac.runs.run_plan import read_plan
from almanac.runs.shard import run_shard
from almanac.storage.folder import FolderStore
from almanac.tracing import Span, in_worker, root


@functools.lru_cache(maxsize=1)
def store_at(root: Path) -> FolderStore:
    """Return the store of plan and fragments, one per process."""
    return FolderStore(root, durable=False)


@functools.lru_cache(maxsize=1)
def snapshots_at(
    database: Path, cached: Path | None = None, parts: Path | None = None
) -> FileSnapshots:
    """Return the snapshots of the private copy, one per process, as `live_snapshots_at`."""
    return FileSnapshots(database, pieces_in(cached), parts)


@dataclass(frozen=True)
class ShardWorker:
    """Plans shards, in this process or in a worker process."""

    root: Path  # of the store
    opened: Callable[[], Snapshots]  # of the process that plans the shard

    def __call__(self, delivery: Delivery) -> list[Span]:
        """Plan the shard; return the spans of a worker process, if the run is traced."""
        task = parse(ShardTask, delivery.data)
        store = store_at(self.root)
        with (
            in_worker(delivery.attributes) as spans,
            root("shard", run_shard, delivery.attributes, shard=task.shard),
        ):
            plan = read_plan(store, task.org_id, task.run_id)
            run_shard(store, plan, task, self.opened())
        return spans


def write_out(path: Path) -> None:
    """Have the system write to the disk what it holds of a database, and of its log.

    In a worker process: to close the file would drop the locks of the process that commits.
    """
    for name in (path, f"{path.resolve()}-wal"):
        with suppress(OSError):  # the commit meets it too
            file = os.open(name, os.O_RDONLY)
            try:
                os.fsync(file)
            finally:
                os.close(file)


def warm_up() -> None:
    """Do nothing: importing this module is what takes time in a new process."""
