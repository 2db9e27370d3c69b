"""Worker processes for the shards of a run on one machine."""

from __future__ import annotations

import functools
import multiprocessing
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
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


@contextmanager
def worker_pool(workers: int, warm: Callable[[], None] = warm_up) -> Iterator[ProcessPoolExecutor]:
    """Processes that begin at once with `warm`, and end with the context."""
    # spawned, not forked: the parent has threads by now
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"))
    try:
        with _without_interrupts():
            for _ in range(workers):
                pool.submit(warm)
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """Processes started within ignore Ctrl-C: it is for the parent, which stops its workers."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may change handlers, and only it is interrupted
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
