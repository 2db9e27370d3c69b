"""The store of the simulated cloud: what is really there, and what an instance sees of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import numpy as np

from almanac.storage.checksums import BlockSums
from almanac.storage.memory import MemoryStore
from almanac.storage.store import TRANSFERS, ObjectInfo, StoredObject

# Transfers of one read that arrive damaged, by what befalls the read.
DAMAGED = {"flipped once": 1, "damaged": TRANSFERS}
_STRIDE = 1000  # bytes: a database is long, and most of a small one is schema

Call = Callable[..., AbstractContextManager[str | None]]


class Medium(MemoryStore):
    """What is there. written: told of each object that is put; before: what an object held."""

    def __init__(self) -> None:
        super().__init__()
        self.written: Callable[[str, bytes], None] = lambda name, data: None
        self.before: dict[str, StoredObject] = {}
        self.overwrote = False  # by the last write
        self.damaged = 0  # transfers from now on that arrive so

    def media(self, info: ObjectInfo, start: int, length: int) -> bytes:
        data = super().media(info, start, length)
        if not self.damaged:
            return data
        self.damaged -= 1
        if self.damaged % 2:
            return data[: len(data) // 2]
        return flipped(data, info.generation * 104_729 + start)

    @contextmanager
    def damaging(self, fate: str | None) -> Iterator[None]:
        """Damage the first transfers within as the fate says."""
        self.damaged = DAMAGED.get(fate or "", 0)
        try:
            yield
        finally:
            self.damaged = 0

    def write(self, name: str, data: bytes, if_generation: int | None) -> ObjectInfo:
        there = self.stat(name)
        self.overwrote = there is not None
        if there is not None:
            old = StoredObject(
                name, self.media(there, 0, there.size), there.generation, there.size, there.crc32c
            )
            self.before[name] = old
        info = super().write(name, data, if_generation)
        self.written(name, data)
        return info


class SimulatedStore:
    """ObjectStore over the medium, each call of which may meet its fate."""

    def __init__(self, medium: Medium, call: Call) -> None:
        self._medium = medium
        self._call = call
        self.quiet = False

    def read(self, name: str) -> StoredObject:
        with self._call("read", name, writes=False) as fate:
            stale = self._medium.before.get(name) if fate == "stale" else None
            with self._medium.damaging(fate):
                return stale or self._medium.read(name)

    def stat(self, name: str) -> ObjectInfo | None:
        with self._call("stat", name, writes=False) as fate:
            old = self._medium.before.get(name) if fate == "stale" else None
            if old is not None:
                return ObjectInfo(name, old.generation, old.size, old.crc32c)
            return self._medium.stat(name)

    def write(self, name: str, data: bytes, if_generation: int | None) -> ObjectInfo:
        with self._call("write", name, writes=True):
            return self._medium.write(name, data, if_generation)

    def put_file(
        self, name: str, path: Path, *, move: bool = False, sums: BlockSums | None = None
    ) -> ObjectInfo:
        with self._call("put", name, writes=True):
            return self._medium.put_file(name, path)

    def fetch_file(self, name: str, path: Path, generation: int | None = None) -> ObjectInfo:
        with (
            self._call("fetch", name, writes=False) as fate,
            self._medium.damaging(fate),
        ):
            return self._medium.fetch_file(name, path, generation)

    def open_local(self, name: str) -> Path | None:
        return None

    def read_range(self, name: str, generation: int, start: int, length: int) -> bytes:
        if self.quiet:
            return self._medium.read_range(name, generation, start, length)
        with (
            self._call("read range", name, writes=False) as fate,
            self._medium.damaging(fate),
        ):
            return self._medium.read_range(name, generation, start, length)

    def delete(self, name: str, if_generation: int | None) -> None:
        with self._call("delete", name, writes=True):
            self._medium.delete(name, if_generation)

    def subfolders(self, prefix: str) -> list[str]:
        with self._call("list folders", prefix, writes=False):
            return self._medium.subfolders(prefix)

    def list(self, prefix: str, *, deep: bool = True) -> Iterator[ObjectInfo]:
        with self._call("list", prefix, writes=False) as fate:
            found = list(self._medium.list(prefix, deep=deep))
            # an object that was written a moment ago may be missing in a stale listing
            return iter(found[:-1] if fate == "stale" else found)


def flipped(data: bytes, place: int) -> bytes:
    """Return the data with a byte changed, in long data one of each _STRIDE.

    Only bytes that are not 0 count: the others are mostly unused parts of pages.
    """
    changed = np.frombuffer(data, np.uint8).copy()
    used = np.flatnonzero(changed)
    changed[used[place % min(_STRIDE, max(1, len(used))) :: _STRIDE]] ^= 0x05
    return changed.tobytes()
