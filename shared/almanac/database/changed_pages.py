"""A copy-on-write view of a database: it can be written, and the database stays as it is.

What a transaction writes goes to a file of its own, page by page; a read takes a written page
first. The view is for one connection: nothing is locked, and the journal is in memory.
"""

# ruff: noqa: N802 (the names of the methods are SQLite's)

from __future__ import annotations

import itertools
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self

import apsw
import numpy as np

from almanac.database.columnar import ColumnarReader
from almanac.database.opening import HEADER_BYTES, MAGIC, map_errors
from almanac.database.page_map import PageMap
from almanac.database.sources import Source, Traffic
from almanac.errors import DatabaseError

CHUNK_BYTES = 1 << 20  # copied at once: whole pages and whole blocks
_NUMBERS = itertools.count(1)
_MODES = slice(18, 20)  # in the header: 2 and 2 in WAL mode, else 1 and 1
_CACHE_KIB = 64 << 10


class Base(Protocol):
    """The bytes of a database that does not change: `Blocks` of an object, or a local file."""

    size: int

    def read(self, start: int, length: int, traffic: Traffic) -> bytes:
        """Return bytes [start, start + length), fewer only at the end."""
        ...


class FileBytes:
    """The bytes of a local file that no other program writes to, open within the context."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")
        self.size = os.fstat(self._file.fileno()).st_size

    def read(self, start: int, length: int, traffic: Traffic) -> bytes:
        """See `Base`."""
        return os.pread(self._file.fileno(), length, start)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


class ChangedPages:
    """The pages that were written over a database, in a file without a name in `folder`.

    size and kept as in `PageMap`.
    """

    def __init__(self, base: Base, traffic: Traffic, folder: Path | None) -> None:
        self._base = base
        self._traffic = traffic
        header = base.read(0, HEADER_BYTES, traffic)
        self._modes = header[_MODES]
        self.page_bytes = _page_bytes(header)
        self.size = self.kept = base.size
        self._slots: dict[int, int] = {}  # by number of the page, from 0: its place in the file
        self._used = 0  # places; that of a page that was cut off is not used again
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 (closed by `close`)
        self._descriptor = self._file.fileno()

    def read(self, start: int, length: int) -> bytes:
        """Return bytes [start, start + length), fewer only at the end; never in WAL mode."""
        if length == self.page_bytes and 0 < start <= self.kept - length:
            # nearly always: a page, which begins where one does
            slot = self._slots.get(start // length)
            if slot is None:
                return self._base.read(start, length, self._traffic)
            return os.pread(self._descriptor, length, slot * length)
        stop = min(start + length, self.size)
        if start >= stop:
            return b""
        page = self.page_bytes
        first, last = start // page, (stop - 1) // page
        parts = [
            self._of_page(number, max(start, number * page), min(stop, (number + 1) * page))
            for number in range(first, last + 1)
        ]
        data = parts[0] if len(parts) == 1 else b"".join(parts)
        if start <= _MODES.start and stop >= _MODES.stop:
            at = slice(_MODES.start - start, _MODES.stop - start)
            data = data[: at.start] + b"\x01\x01" + data[at.stop :]
        return data

    def write(self, start: int, data: bytes) -> None:
        """Write one page."""
        number, within = divmod(start, self.page_bytes)
        if within or len(data) != self.page_bytes:
            raise DatabaseError(f"{len(data)} bytes were written at {start}, which are no page")
        if number == 0:
            data = data[: _MODES.start] + self._modes + data[_MODES.stop :]
        if number not in self._slots:
            self._slots[number] = self._used
            self._used += 1
        slot = self._slots[number]
        os.pwrite(self._descriptor, data, slot * self.page_bytes)
        self.size = max(self.size, start + self.page_bytes)

    def truncate(self, size: int) -> None:
        """Cut the database to the size, or extend it by zeros."""
        for number in [each for each in self._slots if each * self.page_bytes >= size]:
            del self._slots[number]
        self.kept = min(self.kept, size)
        self.size = size

    def map(self) -> PageMap:
        """Return which pages are written, and the sizes."""
        numbers = np.sort(np.fromiter(self._slots, np.int64, len(self._slots)))
        return PageMap(self.page_bytes, self.kept, self.size, numbers)

    def content(self) -> Iterator[bytes]:
        """Yield the written pages by number, CHUNK_BYTES at a time."""
        numbers = sorted(self._slots)
        if not numbers:
            return
        slots = np.array([self._slots[number] for number in numbers], np.int64)
        shape = (self._used, self.page_bytes)
        pages = np.memmap(self._file, np.uint8, "r", shape=shape)
        step = CHUNK_BYTES // self.page_bytes
        for at in range(0, len(slots), step):
            yield pages[slots[at : at + step]].tobytes()

    def close(self) -> None:
        """Delete the pages."""
        self._file.close()

    def _of_page(self, number: int, start: int, stop: int) -> bytes:
        if number in self._slots:
            return self._written(number, start - number * self.page_bytes, stop - start)
        if stop <= self.kept:
            return self._base.read(start, stop - start, self._traffic)
        length = max(0, min(stop, self.kept) - start)
        return self._base.read(start, length, self._traffic).ljust(stop - start, b"\x00")

    def _written(self, number: int, start: int, length: int) -> bytes:
        place = self._slots[number] * self.page_bytes + start
        return os.pread(self._descriptor, length, place)


@dataclass(frozen=True)
class View:
    """A database open for reading and writing, and the pages that were written."""

    source: Source
    pages: ChangedPages

    @property
    def connection(self) -> apsw.Connection:
        return self.source.connection


@contextmanager
def changed_view(path: Path, base: Base, folder: Path | None = None) -> Iterator[View]:
    """Open a view of the database in `base`, for one thread and within the context.

    path: what messages call it. folder: where the written pages go, by default the folder for
    temporary files. What the store raises while a statement runs reaches the caller unchanged.
    Raises DatabaseError if it cannot be opened as a database.
    """
    traffic = Traffic()
    with map_errors(path):
        pages = ChangedPages(base, traffic, folder)
    try:
        vfs = _WritableVfs(f"almanac-changed-{next(_NUMBERS)}", pages)
        try:
            with map_errors(path):
                flags = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_URI
                connection = apsw.Connection(f"file:/view?vfs={vfs.name}", flags=flags)
            try:
                with map_errors(path):
                    _configure(connection)
                reader = ColumnarReader(path, connection)
                yield View(Source(path, connection, reader, connection.close, traffic), pages)
            finally:
                connection.close()
        finally:
            vfs.unregister()
    finally:
        pages.close()


def _configure(connection: apsw.Connection) -> None:
    for pragma in (
        "foreign_keys = OFF",
        "recursive_triggers = OFF",
        "temp_store = FILE",
        "journal_mode = MEMORY",
        "synchronous = OFF",
        f"cache_size = -{_CACHE_KIB}",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _page_bytes(header: bytes) -> int:
    if not header.startswith(MAGIC):
        raise apsw.NotADBError(f"it begins with {header[:16]!r}, not with {MAGIC!r}")
    size = int.from_bytes(header[16:18], "big")
    return 65536 if size == 1 else size


class _WritableVfs(apsw.VFS):
    """A file system with one file; SQLite's temporary files go to the default one."""

    def __init__(self, name: str, pages: ChangedPages) -> None:
        super().__init__(name, base="")
        self.name = name
        self._pages = pages

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:
        if flags[0] & apsw.SQLITE_OPEN_MAIN_DB:
            flags[1] = flags[0]
            return _WritableFile(self._pages)
        return super().xOpen(name, flags)

    def xFullPathname(self, name: str) -> str:
        return name

    def xAccess(self, pathname: str, flags: int) -> bool:
        return False  # there is no journal and no log beside it


class _WritableFile(apsw.VFSFile):
    def __init__(self, pages: ChangedPages) -> None:
        # not super().__init__(), which would open a file of that name
        self._pages = pages

    def xRead(self, amount: int, offset: int) -> bytes:
        return self._pages.read(offset, amount)

    def xWrite(self, data: bytes, offset: int) -> None:
        self._pages.write(offset, data)

    def xTruncate(self, newsize: int) -> None:
        self._pages.truncate(newsize)

    def xFileSize(self) -> int:
        return self._pages.size

    def xSectorSize(self) -> int:
        return 512

    def xDeviceCharacteristics(self) -> int:
        return 0

    def xFileControl(self, op: int, ptr: int) -> bool:
        return False

    def xSync(self, flags: int) -> None:
        pass

    def xLock(self, level: int) -> None:
        pass

    def xUnlock(self, level: int) -> None:
        pass

    def xCheckReservedLock(self) -> bool:
        return False

    def xClose(self) -> None:
        pass
