"""Large files in a bucket: several ranges at once, and parts that Cloud Storage puts together.

A large file is uploaded as up to 32 objects below the name of its own, which one request composes
into it and deletes. See docs/decisions/0076-parallel-transfers.md.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from threading import Event
from typing import IO, Protocol

from almanac.errors import AlmanacError, NotFound, OutcomeUnknown, PreconditionFailed
from almanac.storage.beside import TransferStopped, at_once, begun
from almanac.storage.checksums import BLOCK_BYTES, BlockSums, Checksum
from almanac.storage.store import ObjectInfo, put_once

RANGE = 8 << 20  # bytes that each connection has in memory
PART = 128 << 20  # bytes: a file that is not larger is uploaded as it is
_MOST_PARTS = 32  # objects that one request can compose


class PartStore(Protocol):
    """What the upload in parts needs of the store."""

    def stat(self, name: str) -> ObjectInfo | None: ...

    def delete(self, name: str, if_generation: int | None) -> None: ...

    def upload(
        self,
        name: str,
        file: IO[bytes] | io.RawIOBase,
        checksum: Checksum,
        if_generation: int | None,
        *,
        chunk_bytes: int,
    ) -> ObjectInfo: ...

    def compose(self, name: str, parts: list[ObjectInfo], checksum: Checksum) -> ObjectInfo:
        """Put the parts together as a new object and delete them.

        Raises PreconditionFailed (the object exists, or a part is at another generation or gone),
        OutcomeUnknown.
        """
        ...

    def list(self, prefix: str) -> Iterator[ObjectInfo]: ...


def fetch_ranges(
    size: int, fetch: Callable[[int, int], Checksum], stop: Event, *, length: int = RANGE
) -> Checksum:
    """Fetch a content in ranges, several at once; return its checksum.

    fetch: gets start and length, writes the range to its place, and returns its checksum.
    """
    starts = range(0, size, length)
    tasks = [partial(fetch, start, min(length, size - start)) for start in starts]
    whole = Checksum()
    for found in at_once(tasks, stop) if len(tasks) > 1 else [task() for task in tasks]:
        whole.append(found.value, found.size)
    return whole


class Downloaded(io.RawIOBase):
    """What the client hands over of a download, in one piece."""

    def __init__(self) -> None:
        self.content = b""
        self.size = 0

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self.content = data
        self.size = len(data)
        return self.size


class RangeWriter(Downloaded):
    """Writes it at a place of a file that other threads write to as well, and sums it up."""

    def __init__(self, file: IO[bytes], start: int) -> None:
        super().__init__()
        self._file, self._start = file, start
        self.checksum = Checksum()

    def write(self, data: bytes) -> int:  # type: ignore[override]
        done = 0
        with memoryview(data) as view:
            while done < len(data):
                done += os.pwrite(self._file.fileno(), view[done:], self._start + done)
        self.checksum.update(data)
        self.size = done
        return done


@contextmanager
def sent_in_parts(
    store: PartStore, name: str, file: IO[bytes], sums: BlockSums, part_bytes: int
) -> Iterator[Callable[[], ObjectInfo]]:
    """Begin to upload the parts of a file; yield what waits for them and composes them.

    That may be called again after OutcomeUnknown. If it has not succeeded when the context ends,
    the parts are deleted. Parts that a killed process left are used if they have the same content;
    others are deleted once the object is there, since no other writer can compose it any more.
    """
    size = max(part_bytes, -(-sums.size // _MOST_PARTS // BLOCK_BYTES) * BLOCK_BYTES)
    folder = f"{name}.parts/"
    own: set[str] = set()
    done = False

    def send(stop: Event) -> list[ObjectInfo]:
        if store.stat(name) is not None:
            return []  # it would be refused in the end
        _ = sums.packed  # before several threads ask for it
        starts = range(0, sums.size, size)
        return at_once([partial(part, at, min(at + size, sums.size), stop) for at in starts], stop)

    def part(start: int, end: int, stop: Event) -> ObjectInfo:
        checksum = sums.of(start, end)
        part_name = f"{folder}{start:015}-{end - start}-{checksum.value:08x}"
        own.add(part_name)

        def put() -> ObjectInfo:
            piece = FilePart(file, start, end, stop)
            return store.upload(part_name, piece, checksum, 0, chunk_bytes=RANGE)

        try:
            return put_once(store.stat, part_name, put, lambda: checksum)
        except BaseException:
            stop.set()  # the others need not go on
            raise

    def compose() -> ObjectInfo:
        nonlocal done
        parts = sent()
        if not parts:
            raise PreconditionFailed(f"{name}: exists")
        info = store.compose(name, parts, sums.whole)
        done = True
        _delete(store, folder, None)
        return info

    try:
        with begun(send) as sent:
            yield compose
    finally:
        if not done:
            _delete(store, folder, own)


def _delete(store: PartStore, folder: str, names: set[str] | None) -> None:
    """Delete parts, None for all; what cannot be deleted goes with the folder of the version."""
    if names is not None and not names:
        return
    with suppress(AlmanacError):
        for info in list(store.list(folder)):
            if names is None or info.name in names:
                with suppress(NotFound, PreconditionFailed, OutcomeUnknown):
                    store.delete(info.name, if_generation=info.generation)


class FilePart(io.RawIOBase):
    """Bytes [start, end) of a file that other threads read as well; the event ends it."""

    def __init__(self, file: IO[bytes], start: int, end: int, stop: Event) -> None:
        self._descriptor = file.fileno()
        self._start, self._size = start, end - start
        self._stop = stop
        self._at = 0

    def read(self, size: int = -1) -> bytes:
        if self._stop.is_set():
            raise TransferStopped
        left = self._size - self._at
        data = os.pread(
            self._descriptor, left if size < 0 else min(size, left), self._start + self._at
        )
        self._at += len(data)
        return data

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._at = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        return self._at

    def tell(self) -> int:
        return self._at
