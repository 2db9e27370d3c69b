"""The store of the simulated cloud: what is really there, and what an instance sees of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

from almanac.errors import Corrupt
from almanac.storage import store
from almanac.storage.memory import MemoryStore
from almanac.storage.store import ObjectInfo, StoredObject

Call = Callable[..., AbstractContextManager[str | None]]


class Medium(MemoryStore):
    """What is there. written: told of each object that is put; before: what an object held."""

    def __init__(self) -> None:
        super().__init__()
        self.written: Callable[[str, bytes], None] = lambda name, data: None
        self.before: dict[str, StoredObject] = {}
        self.overwrote = False  # by the last write

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
            if fate == "damaged":
                found = self._medium.read(name)
                info = ObjectInfo(name, found.generation, found.size, found.crc32c)
                return store.verified(info, found.data[: len(found.data) // 2])
            stale = self._medium.before.get(name) if fate == "stale" else None
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

    def put_file(self, name: str, path: Path, *, move: bool = False) -> ObjectInfo:
        with self._call("put", name, writes=True):
            return self._medium.put_file(name, path)

    def fetch_file(self, name: str, path: Path, generation: int | None = None) -> ObjectInfo:
        with self._call("fetch", name, writes=False) as fate:
            info = self._medium.fetch_file(name, path, generation)
            if fate == "damaged":
                whole = path.read_bytes()
                path.unlink()
                # one byte, somewhere: what checksums are for
                place = info.generation * 104_729 % len(whole)
                flipped = bytes([whole[place] ^ 0x41])
                found = store.verified(info, whole[:place] + flipped + whole[place + 1 :])
                path.write_bytes(found.data)
            return info

    def open_local(self, name: str) -> Path | None:
        return None

    def read_range(self, name: str, generation: int, start: int, length: int) -> bytes:
        if self.quiet:
            return self._medium.read_range(name, generation, start, length)
        with self._call("read range", name, writes=False) as fate:
            if fate == "damaged":
                raise Corrupt(f"{name}: fewer bytes came back than were asked for")
            return self._medium.read_range(name, generation, start, length)

    def delete(self, name: str, if_generation: int | None) -> None:
        with self._call("delete", name, writes=True):
            self._medium.delete(name, if_generation)

    def subfolders(self, prefix: str) -> list[str]:
        with self._call("list folders", prefix, writes=False):
            return self._medium.subfolders(prefix)

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        with self._call("list", prefix, writes=False) as fate:
            found = list(self._medium.list(prefix))
            # an object that was written a moment ago may be missing in a stale listing
            return iter(found[:-1] if fate == "stale" else found)
