"""A store in which another writer is quick."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path

from almanac.errors import OutcomeUnknown
from almanac.storage.memory import MemoryStore
from almanac.storage.publish import NewVersion, publish
from almanac.storage.store import ObjectInfo
from almanac.storage.versions import Current, current

ORG = "206"
NOW = dt.datetime(2026, 11, 21, 10, tzinfo=dt.UTC)


def put(store: MemoryStore, path: Path, run_id: str, content: bytes, day: int = 0) -> Current:
    """Publish the content as the next version; path: a file that is overwritten."""
    path.write_bytes(content)
    now = NOW + dt.timedelta(days=day)
    new = NewVersion(run_id=run_id, parent=current(store, ORG), as_of=now.date(), now=now)
    return publish(store, ORG, path, new)


def versions_there(store: MemoryStore) -> set[str]:
    """The folders below versions/, by their names."""
    return {info.name.split("/")[3] for info in store.list(f"orgs/{ORG}/versions/")}


class RivalStore(MemoryStore):
    """At the next write of a name that ends so, another writer publishes what is current again.

    after_the_loss: it publishes on top of what is written, whose answer is lost; otherwise before.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder
        self.next_write = ""
        self.after_the_loss = True
        self.refusal: Exception | None = None  # of each write of current.json
        self.rivals = 0
        self.requests: list[str] = []

    def come_first_at(self, ends: str) -> None:
        self.next_write, self.after_the_loss = ends, False

    def lose_answer_and_come_next(self) -> None:
        self.next_write, self.after_the_loss = "current.json", True

    def write(self, name: str, data: bytes, if_generation: int | None) -> ObjectInfo:
        self.requests.append(f"write {name}")
        if self.refusal and name.endswith("current.json"):
            raise self.refusal
        if not self.next_write or not name.endswith(self.next_write):
            return super().write(name, data, if_generation)
        self.next_write = ""
        if not self.after_the_loss:
            self.publish_again()
            return super().write(name, data, if_generation)
        super().write(name, data, if_generation)
        self.publish_again()
        raise OutcomeUnknown(name)

    def publish_again(self) -> Current:
        there = current(self, ORG)
        content = self.read(there[0].path).data if there else b"the first"
        self.rivals += 1
        return put(self, self.folder / "rival", f"rival-{self.rivals}", content)

    def counted(self, do: Callable[[], object]) -> int:
        """Return how many requests something makes."""
        before = len(self.requests)
        do()
        return len(self.requests) - before

    def media(self, info: ObjectInfo, start: int, length: int) -> bytes:
        self.requests.append(f"read {info.name}")
        return super().media(info, start, length)
