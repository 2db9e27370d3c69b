"""The stores that the shared behaviour tests run against, and one with faults."""

from __future__ import annotations

import atexit
import datetime as dt
import functools
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from almanac.errors import OutcomeUnknown
from almanac.storage.cloud import CloudStore
from almanac.storage.folder import FolderStore
from almanac.storage.memory import MemoryStore
from almanac.storage.publish import NewVersion, publish
from almanac.storage.store import ObjectInfo, ObjectStore
from almanac.storage.versions import Current, current
from almanac_emulation.cloud_storage.emulator import StorageEmulator

_BUCKETS = itertools.count(1)


@functools.cache
def storage_emulator() -> tuple[StorageEmulator, Any]:
    """The emulator of all tests of this process, and a client of it."""
    emulator = StorageEmulator()
    emulator.start()
    atexit.register(emulator.stop)
    return emulator, emulator.client()


def cloud_store(prefix: str = "", **sizes: int) -> CloudStore:
    """A store in a new bucket that does not wait long before it tries again."""
    emulator, client = storage_emulator()
    bucket = f"bucket-{next(_BUCKETS)}"
    emulator.create_bucket(bucket)
    return CloudStore(bucket, prefix, client, patience=5, first_pause=0.01, **sizes)


STORES: dict[str, Callable[[Path], ObjectStore]] = {
    "folder": lambda path: FolderStore(path / "store", durable=False),
    "durable folder": lambda path: FolderStore(path / "store"),
    "memory": lambda path: MemoryStore(),
    "cloud": lambda path: cloud_store("stores/of the south"),
}

Fault = Literal["dies before", "dies after", "answer lost", "never arrives"]
FAULTS: tuple[Fault, ...] = ("dies before", "dies after", "answer lost", "never arrives")


class Death(BaseException):
    """Stands for the death of the process: nothing in the product catches it."""


class FaultyStore(MemoryStore):
    """A store of which the at-th write or deletion (from 0) meets the fault, once."""

    def __init__(self) -> None:
        super().__init__()
        self.at: int | None = None
        self.fault: Fault = "dies before"
        self.changes: list[str] = []

    def at_was_met(self) -> bool:
        return self.at is not None and self.at < len(self.changes)

    def write(self, name: str, data: bytes, if_generation: int | None) -> ObjectInfo:
        after = self._meet(name)
        info = super().write(name, data, if_generation)
        after()
        return info

    def delete(self, name: str, if_generation: int | None) -> None:
        after = self._meet(name)
        super().delete(name, if_generation)
        after()

    def _meet(self, name: str) -> Callable[[], None]:
        met = self.at == len(self.changes)
        self.changes.append(name)
        if met and self.fault == "dies before":
            raise Death(name)
        if met and self.fault == "never arrives":
            raise OutcomeUnknown(name)

        def after() -> None:
            if met and self.fault == "dies after":
                raise Death(name)
            if met and self.fault == "answer lost":
                raise OutcomeUnknown(name)

        return after


def run_of_today(store: FolderStore, path: Path) -> Current:
    """A version as a daily run publishes it."""
    now = dt.datetime.now(dt.UTC)
    return publish(
        store,
        "206",
        path,
        NewVersion(
            run_id=f"{now.date()}-daily",
            parent=current(store, "206"),
            as_of=now.date(),
            now=now,
        ),
    )
