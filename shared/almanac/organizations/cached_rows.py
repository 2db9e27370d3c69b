"""The planned rows of a file in columns, which `almanac run --cache` keeps for the next run."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import apsw

from almanac.database.columnar import ColumnarReader
from almanac.database.open_file import OpenFile
from almanac.database.opening import map_errors, transaction
from almanac.database.piece_file import FileState, KeptPieces, read_pieces, write_end
from almanac.database.planned_pieces import FileFetch, PlannedPieces
from almanac.database.reading import Snapshot
from almanac.database.sources import Source
from almanac.errors import AlmanacError, Corrupt, DatabaseError
from almanac.organizations.cache_folder import CacheFolder
from almanac.organizations.carried_rows import CarriedRows
from almanac.outputs import neighbour

T = TypeVar("T")


@dataclass
class CachedRows:
    """The columns of one file in a folder, for a run.

    They are used only for the state of the file for which they were kept. What is wrong with them
    costs a remark and no run.
    """

    place: CacheFolder
    _kept: KeptPieces | None = field(default=None, init=False)

    def current(self, file: OpenFile) -> PlannedPieces | None:
        """Return the columns if they are those of the file as it is."""
        self.place.remarks.clear()
        self._kept = None
        try:
            self._kept = self._valid(file)
        except FileNotFoundError:
            return None
        except (AlmanacError, OSError) as error:
            self.place.remark(f"not used: {error}")
            return None
        return self._kept.pieces

    def keep(self, file: OpenFile, pieces: PlannedPieces, contacts: int) -> None:
        """Keep columns for the next run of the file, after the commit of this one.

        pieces: of a file, with whose rows are others by now; contacts: how many there are. Nothing
        is kept if another program has written since the file was opened.
        """
        try:
            state = self.state(file)
            file.check_unmoved()
            if self._kept is not None and pieces.index is self._kept.pieces.index:
                self._kept.renew(state, pieces.changed)
            else:
                self._write(state, pieces, contacts)
        except (AlmanacError, OSError) as error:
            self.nothing(error)

    def state(self, file: OpenFile) -> FileState:
        """Return the state of the file; raise DatabaseError if nothing can be kept of it."""
        with map_errors(file.path):
            return _state(file)

    def nothing(self, why: Exception) -> None:
        """Remark that nothing is kept."""
        self.place.remarks.clear()
        self.place.remark(f"nothing is kept: {why}")

    def _write(self, state: FileState, pieces: PlannedPieces, contacts: int) -> None:
        assert isinstance(pieces.fetch, FileFetch)
        with neighbour(self.place.path) as partial:
            partial.chmod(stat.S_IRUSR | stat.S_IWUSR)
            with partial.open("wb") as out, pieces.fetch.path.open("rb") as written:
                shutil.copyfileobj(written, out)
                write_end(out, state, contacts, pieces)
            partial.replace(self.place.path)

    def _valid(self, file: OpenFile) -> KeptPieces:
        """Return the columns; raise FileNotFoundError, or AlmanacError with what is wrong."""
        kept = _of_state(self.place.path, file)
        with map_errors(file.path):
            rows = ColumnarReader(file.path, file.connection)
            source = Source(file.path, file.connection, rows, lambda: None)
            if kept.pieces.index.query != Snapshot(source).planned_rows.query:
                raise Corrupt("another release of Almanac kept it")
        kept.pieces.check()
        return kept


def edit_cached(
    place: CacheFolder, connection: apsw.Connection, edit: Callable[[apsw.Connection], T]
) -> T:
    """Change a file in one transaction, and have the columns stay those of the file.

    If the process dies between the commit and `renew`, they are of another state than the file:
    they are not used.
    """
    cached = _Edit(place, connection)
    with transaction(connection, place.database):
        cached.begin()
        result = edit(connection)
        cached.end()
    cached.renew()
    return result


@dataclass
class _Edit:
    """Keeps the columns of a file valid while a command changes it, or else does nothing."""

    place: CacheFolder
    connection: apsw.Connection
    _file: OpenFile | None = field(default=None, init=False)
    _kept: KeptPieces | None = field(default=None, init=False)
    _carried: CarriedRows = field(default_factory=CarriedRows, init=False)

    def begin(self) -> None:
        """Note from now on whose rows the command changes, if the columns are of the file."""
        with suppress(AlmanacError, OSError, apsw.Error):
            self._file = OpenFile.of(self.place.database, self.connection)
            self._kept = _of_state(self.place.path, self._file)
            self._carried.pieces = self._kept.pieces
            self._carried.begin(self.connection, self._kept.contacts)

    def end(self) -> None:
        """Take what the command has changed."""
        self._carried.end(self.connection)

    def renew(self) -> None:
        """Make the columns those of the file as it is, after the commit."""
        pieces, kept, file = self._carried.pieces, self._kept, self._file
        if pieces is None or kept is None or file is None:
            return
        with suppress(AlmanacError, OSError), map_errors(self.place.database):
            state = _state(file)
            file.check_unmoved()
            if state != kept.state:
                kept.renew(state, pieces.changed)


def _of_state(path: Path, file: OpenFile) -> KeptPieces:
    """Return what is kept; raise FileNotFoundError, or AlmanacError if it is not of the file."""
    if not _is_own(path):
        raise Corrupt("other users may have written it")
    kept = read_pieces(path)
    with map_errors(file.path):
        if kept.state != _state(file):
            raise Corrupt("the database has changed since the columns were kept")
    return kept


def _state(file: OpenFile) -> FileState:
    found = FileState.of(file.path, file.connection)
    if found is None:
        raise DatabaseError("a database in WAL mode may change while its file does not")
    return found


def _is_own(path: Path) -> bool:
    """Return whether only this user may have written the file; raise FileNotFoundError."""
    status = path.lstat()
    others = status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    own = not hasattr(os, "geteuid") or status.st_uid == os.geteuid()
    return stat.S_ISREG(status.st_mode) and own and not others
