"""A file that a run keeps open, and whether it is still what it was when it was opened."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import apsw

from almanac.database.opening import data_version, map_errors, open_database
from almanac.errors import SnapshotMoved


@dataclass(frozen=True)
class OpenFile:
    """An agency's database file, and what it was at one moment; the caller closes the connection.

    The reading of it, by whatever connections of whatever processes, was of one state if the file
    is unmoved afterwards. Neither size nor times show that: in WAL mode a write changes neither,
    and a checkpoint, which writes nothing new, changes both.
    """

    path: Path
    connection: apsw.Connection
    file: tuple[int, int]  # device and inode
    version: int  # see `opening.data_version`

    @classmethod
    def opened(cls, path: Path, *, writable: bool, busy_seconds: float) -> OpenFile:
        """Open the file; raises as `opening.open_database`, and SnapshotMoved."""
        before = file_of(path)
        connection = open_database(path, writable=writable, busy_seconds=busy_seconds)
        try:
            with map_errors(path):
                version = data_version(connection)
            if before is None or file_of(path) != before:
                raise SnapshotMoved(f"{path}: another file was put in its place")
        except BaseException:
            connection.close()
            raise
        return cls(path, connection, before, version)

    @classmethod
    def of(cls, path: Path, connection: apsw.Connection) -> OpenFile:
        """Return the file that a connection has open, as it is now; raises SnapshotMoved."""
        file = file_of(path)
        if file is None:
            raise SnapshotMoved(f"{path}: is gone")
        return cls(path, connection, file, data_version(connection))

    def check_unmoved(self) -> None:
        """Raise SnapshotMoved if another program wrote to the file since, or replaced it.

        Raises DatabaseBusy if another program keeps it from being read.
        """
        with map_errors(self.path):
            version = data_version(self.connection)
        if version != self.version:
            raise SnapshotMoved(f"{self.path}: another program wrote to it")
        if file_of(self.path) != self.file:
            raise SnapshotMoved(f"{self.path}: another file was put in its place")


def file_of(path: Path) -> tuple[int, int] | None:
    """Return device and inode of the file that has the name; None if there is none.

    The file is not opened: closing it would drop the locks that this process has on it.
    """
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
