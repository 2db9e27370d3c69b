"""Data that arrive damaged are transferred again before that is believed."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from almanac.database import blocks
from almanac.errors import Corrupt, TransientError
from almanac.storage import checksums
from almanac.storage.block_checksums import VerifiedRanges, checksums_document
from almanac.storage.checksums import BlockSums, crc32c_of, packed_checksums
from almanac.storage.documents import to_json
from almanac.storage.folder import FolderStore
from almanac.storage.memory import MemoryStore
from almanac.storage.store import ObjectInfo, ObjectStore

NAME = "orgs/206/versions/00000001-run/database.sqlite3"
DATA = bytes(range(256)) * 2500  # two blocks and a half
BLOCK = checksums.BLOCK_BYTES


class DamagingStore(MemoryStore):
    """A store from which the next `times` transfers of the database come with a flipped bit."""

    times = 0

    def media(self, info: ObjectInfo, start: int, length: int) -> bytes:
        data = super().media(info, start, length)
        if info.name != NAME or not self.times:
            return data
        self.times -= 1
        return data[:-1] + bytes([data[-1] ^ 1])


def put(store: ObjectStore, *, checksums: bool = True) -> ObjectInfo:
    info = store.write(NAME, DATA, if_generation=0)
    if checksums:
        beside = to_json(checksums_document(info, packed_checksums(DATA)))
        store.write(f"{NAME}-checksums.json", beside, if_generation=0)
    return info


def whole(store: ObjectStore, info: ObjectInfo, path: Path) -> bytes:
    return store.read(NAME).data


def file(store: ObjectStore, info: ObjectInfo, path: Path) -> bytes:
    store.fetch_file(NAME, path)
    return path.read_bytes()


def ranges(store: ObjectStore, info: ObjectInfo, path: Path) -> bytes:
    read = VerifiedRanges(store, info).read
    return read(0, BLOCK) + read(BLOCK, len(DATA) - BLOCK)


@pytest.mark.parametrize("read", [whole, file, ranges])
def test_what_arrives_damaged_twice_is_read_a_third_time(
    tmp_path: Path, read: Callable[[ObjectStore, ObjectInfo, Path], bytes]
) -> None:
    store = DamagingStore()
    info = put(store)
    store.times = 2
    assert read(store, info, tmp_path / "copy") == DATA
    assert store.times == 0
    store.times = 3
    with pytest.raises(TransientError, match=f"{NAME}: was damaged on its way 3 times; .* sound"):
        read(store, info, tmp_path / "other copy")
    assert [each.name for each in tmp_path.iterdir()] in (["copy"], [])


@pytest.mark.parametrize("read", [whole, file, ranges])
def test_what_lies_damaged_on_the_disk_is_corrupt(
    tmp_path: Path, read: Callable[[ObjectStore, ObjectInfo, Path], bytes]
) -> None:
    store = FolderStore(tmp_path / "store", durable=False)
    info = put(store)
    path = store.root / NAME
    times = path.stat()
    path.write_bytes(DATA[:-1] + b"?")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    with pytest.raises(Corrupt, match=NAME):
        read(store, info, tmp_path / "copy")


def test_ranges_of_a_version_without_checksums_are_taken_as_they_come() -> None:
    store = DamagingStore()
    read = VerifiedRanges(store, put(store, checksums=False)).read
    store.times = 1
    assert read(0, BLOCK) != DATA[:BLOCK]
    assert read(0, BLOCK) == DATA[:BLOCK]


def test_the_checksums_are_of_the_blocks_that_are_read(tmp_path: Path) -> None:
    path = tmp_path / "database"
    path.write_bytes(DATA)
    sums = BlockSums(path)
    assert sums.packed == packed_checksums(DATA)
    assert (sums.whole.size, sums.whole.crc32c) == (len(DATA), crc32c_of(DATA))
    assert sums.of(BLOCK, len(DATA)).crc32c == crc32c_of(DATA[BLOCK:])
    assert len(packed_checksums(DATA)) == 4 * 3
    assert blocks.BLOCK_BYTES % BLOCK == 0
