"""Worker processes for the shards of a run on one machine."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path

from almanac.messaging.bus import Delivery
from almanac.messaging.messages import ShardTask, parse
from almanac.organizations.snapshots import FileSnapshots
from almanac.runs.shard import run_shard
from almanac.storage.folder import FolderStore


@functools.lru_cache(maxsize=1)
def store_at(root: Path) -> FolderStore:
    """One store a process, since a store verifies a database once only."""
    return FolderStore(root, durable=False)


@functools.lru_cache(maxsize=1)
def snapshots_at(root: Path, workspace: Path) -> FileSnapshots:
    """The snapshots of the store, one open at a time."""
    return FileSnapshots(store_at(root), workspace)


@dataclass(frozen=True)
class ShardWorker:
    """Plans shards in whichever process it is called."""

    root: Path
    workspace: Path

    def __call__(self, delivery: Delivery) -> None:
        task = parse(ShardTask, delivery.data)
        run_shard(store_at(self.root), task, snapshots_at(self.root, self.workspace))


def warm_up() -> None:
    """Importing this module is what takes time in a new process."""
