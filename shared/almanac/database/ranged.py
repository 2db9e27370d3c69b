"""SQLite over an object in a store: only the pages that a query reads are fetched."""

# ruff: noqa: N802 (the names of the methods are SQLite's)

from __future__ import annotations

import itertools
from pathlib import Path

import apsw

from almanac.database.blocks import Blocks
from almanac.database.columnar import ColumnarReader
from almanac.database.opening import map_errors
from almanac.database.sources import Source, Traffic

_NUMBERS = itertools.count(1)


def ranged_source(path: Path, blocks: Blocks) -> Source:
    """Open the database in the blocks; `path` is what messages call it.

    What the store raises while a query runs reaches the caller unchanged, not as an SQLite error.
    Raises DatabaseError if it cannot be opened as a database.
    """
    traffic = Traffic()
    vfs = _Vfs(f"almanac-{next(_NUMBERS)}", blocks, traffic)
    try:
        with map_errors(path):
            # immutable: SQLite looks for no lock, journal or log, also in WAL mode
            uri = f"file:/snapshot?vfs={vfs.name}&immutable=1"
            flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
            connection = apsw.Connection(uri, flags=flags)
    except BaseException:
        vfs.unregister()
        raise

    def close() -> None:
        connection.close()
        vfs.unregister()

    try:
        return Source(path, connection, ColumnarReader(path, connection), close, traffic, uri)
    except BaseException:
        close()
        raise


class _Vfs(apsw.VFS):
    """A file system with one file; SQLite's temporary files go to the default one."""

    def __init__(self, name: str, blocks: Blocks, traffic: Traffic) -> None:
        super().__init__(name, base="")
        self.name = name
        self._blocks = blocks
        self._traffic = traffic

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:
        if flags[0] & apsw.SQLITE_OPEN_MAIN_DB:
            return _File(self._blocks, self._traffic)
        return super().xOpen(name, flags)

    def xFullPathname(self, name: str) -> str:
        return name


class _File(apsw.VFSFile):
    def __init__(self, blocks: Blocks, traffic: Traffic) -> None:
        # not super().__init__(), which would open a file of that name
        self._blocks = blocks
        self._traffic = traffic

    def xRead(self, amount: int, offset: int) -> bytes:
        return self._blocks.read(offset, amount, self._traffic)

    def xFileSize(self) -> int:
        return self._blocks.size

    def xSectorSize(self) -> int:
        return 4096

    def xDeviceCharacteristics(self) -> int:
        return apsw.SQLITE_IOCAP_IMMUTABLE

    def xFileControl(self, op: int, ptr: int) -> bool:
        return False

    def xClose(self) -> None:
        pass
