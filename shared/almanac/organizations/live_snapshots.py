"""Snapshots of a file in place, while other programs may use it.

The process that will write to the file reads it through the connection that writes; workers open it
for one step at a time, with locks. Other programs are kept from writing for no longer than a
statement takes, so whether all was of one state is to be asked at the end: see
`almanac.database.open_file`.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from almanac.contact_ranges import ContactRange
from almanac.database.columnar import FileReader
from almanac.database.described import DescribedSnapshot
from almanac.database.open_file import file_of
from almanac.database.piece_file import pieces_in
from almanac.database.planned_pieces import PlannedPieces
from almanac.database.reading import Snapshot
from almanac.database.sources import Source
from almanac.errors import SnapshotMoved
from almanac.organizations.snapshots import SnapshotRef


def live_reference(path: Path, file: tuple[int, int]) -> SnapshotRef:
    """Return the reference to a file in place, which its inode identifies.

    That its content stays the same is checked by the run, not by each step.
    """
    inode = file[1]
    return SnapshotRef(name=path.name, generation=inode, size=0, crc32c="", version=1, pointer=1)


class OpenSnapshots:
    """The snapshot of a file that this process has open. Not safe for several threads.

    pieces: its planned rows in columns. parts: the folder for those that are read.
    """

    def __init__(
        self, source: Source, pieces: PlannedPieces | None = None, parts: Path | None = None
    ) -> None:
        self._snapshot = Snapshot(source)
        self._snapshot.planned_rows.read_from(pieces)
        self._snapshot.planned_rows.write_parts(parts)

    @contextmanager
    def open(self, ref: SnapshotRef) -> Iterator[Snapshot]:
        """See `Snapshots`."""
        yield self._snapshot


class LiveSnapshots:
    """Snapshots of a file that this process has not open otherwise. Not safe for several threads.

    uri: of the file, see `opening.live_uri`. pieces: its planned rows in columns. parts: the folder
    for those that are read.
    """

    def __init__(
        self, path: Path, uri: str, pieces: PlannedPieces | None = None, parts: Path | None = None
    ) -> None:
        self._path, self._uri, self._pieces, self._parts = path, uri, pieces, parts
        self._snapshot: DescribedSnapshot | None = None

    @contextmanager
    def open(self, ref: SnapshotRef) -> Iterator[Snapshot]:
        """See `Snapshots`. Raises SnapshotMoved if another file has its name."""
        if self._snapshot is None:
            self._snapshot = DescribedSnapshot.of_file(self._path)
            self._snapshot.planned_rows.read_from(self._pieces)
            self._snapshot.planned_rows.write_parts(self._parts)
        with closing(FileReader(self._path, self._uri)) as reader:
            file = file_of(self._path)
            if file is None or live_reference(self._path, file) != ref:
                raise SnapshotMoved(f"{self._path}: another file was put in its place")
            self._snapshot.read_only_through(reader)
            yield self._snapshot


@functools.lru_cache(maxsize=1)
def live_snapshots_at(
    path: Path, uri: str, cached: Path | None, parts: Path | None
) -> LiveSnapshots:
    """Return the snapshots of the file, one per worker process.

    cached: a file of `piece_file`; parts: a folder of `piece_parts`.
    """
    return LiveSnapshots(path, uri, pieces_in(cached), parts)


def read_part(path: Path, uri: str, contacts: ContactRange, parts: Path) -> None:
    """Read the planned rows of the contacts from the file, and write them to the folder."""
    with closing(FileReader(path, uri)) as reader:
        snapshot = DescribedSnapshot.of_file(path)
        snapshot.planned_rows.write_parts(parts)
        snapshot.read_only_through(reader)
        snapshot.planned_rows.read(contacts)
