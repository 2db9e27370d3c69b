"""An object store in memory, for tests and simulations; safe between threads."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

from almanac.errors import Corrupt, NotFound, PreconditionFailed
from almanac.storage.checksums import BlockSums, crc32c_of
from almanac.storage.files import arriving
from almanac.storage.store import (
    ObjectInfo,
    StoredObject,
    check_content,
    check_folder,
    check_name,
    check_prefix,
    verified,
    whole_transfer,
)


class MemoryStore:
    """ObjectStore in a dictionary. Generations count the writes of the whole store."""

    def __init__(self) -> None:
        self._objects: dict[str, tuple[ObjectInfo, bytes]] = {}
        self._generation = 0
        self._lock = threading.Lock()

    def media(self, info: ObjectInfo, start: int, length: int) -> bytes:
        """Return stored bytes before verification; raise NotFound if the generation is gone.

        Simulations override this to return damaged bytes.
        """
        with self._lock:
            there = self._objects.get(info.name)
            if there is None or there[0].generation != info.generation:
                raise NotFound(f"{info.name}: no generation {info.generation}")
            return there[1][start : start + length]

    def read(self, name: str) -> StoredObject:
        return whole_transfer(
            name, lambda: verified(*self._pulled(name)), lambda: self._is_sound(name)
        )

    def stat(self, name: str) -> ObjectInfo | None:
        check_name(name)
        with self._lock:
            there = self._objects.get(name)
        return there[0] if there else None

    def write(self, name: str, data: bytes, if_generation: int | None) -> ObjectInfo:
        check_name(name)
        crc32c = crc32c_of(data)
        with self._lock:
            self._expect(name, if_generation)
            self._generation += 1
            info = ObjectInfo(name, self._generation, len(data), crc32c)
            self._objects[name] = (info, bytes(data))
        return info

    def put_file(
        self, name: str, path: Path, *, move: bool = False, sums: BlockSums | None = None
    ) -> ObjectInfo:
        return self.write(name, path.read_bytes(), if_generation=0)

    def fetch_file(self, name: str, path: Path, generation: int | None = None) -> ObjectInfo:
        def transfer() -> ObjectInfo:
            info, data = self._pulled(name, generation)
            with arriving(path) as file:
                check_content(info, len(data), crc32c_of(data))
                file.write(data)
            return info

        return whole_transfer(name, transfer, lambda: self._is_sound(name))

    def open_local(self, name: str) -> Path | None:
        check_name(name)
        return None

    def read_range(self, name: str, generation: int, start: int, length: int) -> bytes:
        info = self._existing(name, generation)
        wanted = max(0, min(length, info.size - start))

        def transfer() -> bytes:
            data = self.media(info, start, wanted)
            if len(data) != wanted:
                raise Corrupt(
                    f"{name}: {len(data)} bytes were received where {wanted} were requested"
                )
            return data

        return whole_transfer(name, transfer, lambda: self._is_sound(name))

    def delete(self, name: str, if_generation: int | None) -> None:
        check_name(name)
        with self._lock:
            if name not in self._objects:
                raise NotFound(f"{name}: no such object")
            self._expect(name, if_generation)
            del self._objects[name]

    def subfolders(self, prefix: str) -> list[str]:
        check_folder(prefix)
        with self._lock:
            below = [name.removeprefix(prefix) for name in self._objects if name.startswith(prefix)]
        return sorted({name.partition("/")[0] for name in below if "/" in name})

    def list(self, prefix: str, *, deep: bool = True) -> Iterator[ObjectInfo]:
        check_prefix(prefix)
        with self._lock:
            found = [info for name, (info, _) in self._objects.items() if name.startswith(prefix)]
        found = [each for each in found if deep or "/" not in each.name[len(prefix) :]]
        return iter(sorted(found, key=lambda info: info.name))

    def _expect(self, name: str, if_generation: int | None) -> None:
        there = self._objects.get(name)
        found = there[0].generation if there else 0
        if if_generation is not None and found != if_generation:
            raise PreconditionFailed(
                f"{name}: is at generation {found}, expected was {if_generation}"
            )

    def _pulled(self, name: str, generation: int | None = None) -> tuple[ObjectInfo, bytes]:
        while True:
            info = self._existing(name, generation)
            try:
                return info, self.media(info, 0, info.size)
            except NotFound:
                continue  # overwritten after the stat

    def _is_sound(self, name: str) -> bool:
        with self._lock:
            there = self._objects.get(name)
        return there is None or crc32c_of(there[1]) == there[0].crc32c

    def _existing(self, name: str, generation: int | None = None) -> ObjectInfo:
        info = self.stat(name)
        if info is None:
            raise NotFound(f"{name}: no such object")
        if generation is not None and info.generation != generation:
            raise PreconditionFailed(
                f"{name}: is at generation {info.generation}, expected was {generation}"
            )
        return info
