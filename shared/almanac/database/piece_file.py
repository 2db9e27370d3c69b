"""Planned rows in columns in one file, valid for one state of the database that they are of.

The pieces stay as they are written. What follows them, the end, is written again when a command
changes the database: it names the new state, and whose rows are no longer those of the pieces.
"""

from __future__ import annotations

import fcntl
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

import apsw
import numpy as np
from pydantic import BaseModel, ConfigDict

from almanac.database.catalog import describe, scalar
from almanac.database.opening import header_of, is_wal
from almanac.database.planned_pieces import FileFetch, PieceIndex, PlannedPieces
from almanac.errors import Corrupt
from almanac.frames import Ids

# how many changed contacts there are, the size of the document after them, the CRC32 of both, and
# what the file is
_END = struct.Struct("<QQI8s")
_MAGIC = b"almanac2"


class FileState(BaseModel):
    """What a database file is, as far as can be seen from outside: equal only if nothing wrote to
    it. header: of SQLite's header the change counter, the number of pages, the schema's number and
    the change counter for which that is valid; run: the last one."""

    model_config = ConfigDict(frozen=True)

    inode: int
    size: int
    modified: int  # nanoseconds
    header: str
    run: str

    @classmethod
    def of(cls, path: Path, connection: apsw.Connection) -> FileState | None:
        """Return the state of a file that the connection has open; None if it has none.

        In WAL mode a write need not change the file at all.
        """
        header = header_of(path)
        if is_wal(header):
            return None
        status = path.stat()
        checkpoints = describe(connection, "scheduler_checkpoints")
        sql = "SELECT scheduler_run_id FROM main.scheduler_checkpoints ORDER BY id DESC LIMIT 1"
        return cls(
            inode=status.st_ino,
            size=status.st_size,
            modified=status.st_mtime_ns,
            header=(header[24:32] + header[40:44] + header[92:96]).hex(),
            run=str(scalar(connection, sql)) if checkpoints else "",
        )


class _Document(BaseModel):
    state: FileState
    contacts: int
    index: PieceIndex


@dataclass(frozen=True)
class KeptPieces:
    """What a file has. state: of the database; contacts: how many that had when the pieces were
    written; crc32: of the end."""

    path: Path
    state: FileState
    contacts: int
    pieces: PlannedPieces
    crc32: int

    def renew(self, state: FileState, changed: Ids) -> None:
        """Write the end of the file again, for a new state and more contacts with other rows.

        Raises Corrupt if the file is no longer what was read, OSError.
        """
        pieces = replace(self.pieces, changed=np.union1d(self.pieces.changed, changed))
        with self.path.open("r+b") as file, _locked(file, fcntl.LOCK_EX):
            if _read(self.path, file).crc32 != self.crc32:
                raise Corrupt("another process has written it")
            file.seek(sum(piece.size for piece in pieces.index.pieces))
            write_end(file, state, self.contacts, pieces)
            file.truncate()


def write_end(out: IO[bytes], state: FileState, contacts: int, pieces: PlannedPieces) -> None:
    """Complete a file to which the pieces were written."""
    found = _Document(state=state, contacts=contacts, index=pieces.index)
    document = found.model_dump_json().encode()
    end = pieces.changed.astype("<i8").tobytes() + document
    out.write(end)
    out.write(_END.pack(len(pieces.changed), len(document), zlib.crc32(end), _MAGIC))


def read_pieces(path: Path) -> KeptPieces:
    """Return what a file has; raise Corrupt, FileNotFoundError."""
    try:
        with path.open("rb") as file, _locked(file, fcntl.LOCK_SH):
            return _read(path, file)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise Corrupt(f"{path}: cannot be read: {error.strerror}") from error


def pieces_in(path: Path | None) -> PlannedPieces | None:
    """Return the pieces in a file that was valid when the run began; None if it is gone by now."""
    try:
        return read_pieces(path).pieces if path is not None else None
    except (Corrupt, FileNotFoundError):
        return None


def _read(path: Path, file: IO[bytes]) -> KeptPieces:
    try:
        whole = file.seek(0, 2)
        file.seek(whole - _END.size)
        count, size, crc32, magic = _END.unpack(file.read())
        file.seek(whole - _END.size - size - 8 * count)
        data = file.read(8 * count + size)
        if magic != _MAGIC or zlib.crc32(data) != crc32:
            raise ValueError("it does not end as such a file does")
        found = _Document.model_validate_json(data[8 * count :])
    except (OSError, ValueError, struct.error) as error:  # pydantic's is a ValueError
        raise Corrupt(f"{path}: is damaged, or no file of planned rows") from error
    changed = np.frombuffer(data, "<i8", count).astype(np.int64)
    pieces = PlannedPieces(found.index, FileFetch(path), changed)
    return KeptPieces(path, found.state, found.contacts, pieces, crc32)


@contextmanager
def _locked(file: IO[bytes], kind: int) -> Iterator[None]:
    """Keep others from writing the end of the file, or from reading it meanwhile."""
    fcntl.flock(file, kind)
    try:
        yield
    finally:
        fcntl.flock(file, fcntl.LOCK_UN)
