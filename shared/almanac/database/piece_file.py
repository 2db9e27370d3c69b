"""Planned rows in columns in one file, valid for one state of the database that they are of."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import IO

import apsw
from pydantic import BaseModel, ConfigDict

from almanac.database.catalog import describe, scalar
from almanac.database.opening import header_of, is_wal
from almanac.database.planned_pieces import FileFetch, PieceIndex, PlannedPieces
from almanac.errors import Corrupt

_END = struct.Struct("<QI8s")  # size and CRC32 of the document before it, and what the file is
_MAGIC = b"almanac1"


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
    index: PieceIndex


def write_end(out: IO[bytes], state: FileState, index: PieceIndex) -> None:
    """Complete a file to which the pieces were written."""
    document = _Document(state=state, index=index).model_dump_json().encode()
    out.write(document)
    out.write(_END.pack(len(document), zlib.crc32(document), _MAGIC))


def read_pieces(path: Path) -> tuple[FileState, PlannedPieces]:
    """Return the pieces in a file, and what they are of; raise Corrupt, FileNotFoundError."""
    try:
        found = _Document.model_validate_json(_last(path))
    except FileNotFoundError:
        raise
    except (OSError, ValueError, struct.error) as error:  # pydantic's is a ValueError
        raise Corrupt(f"{path}: is damaged, or no file of planned rows") from error
    return found.state, PlannedPieces(found.index, FileFetch(path))


def pieces_in(path: Path | None) -> PlannedPieces | None:
    """Return the pieces in a file that was valid when the run began; None if it is gone by now."""
    try:
        return read_pieces(path)[1] if path is not None else None
    except (Corrupt, FileNotFoundError):
        return None


def _last(path: Path) -> bytes:
    with path.open("rb") as file:
        file.seek(-_END.size, 2)
        size, crc32, magic = _END.unpack(file.read())
        file.seek(-_END.size - size, 2)
        data = file.read(size)
    if magic != _MAGIC or zlib.crc32(data) != crc32:
        raise ValueError("it does not end as such a file does")
    return data
