"""The planned rows of a file in columns, which `almanac run --cache` keeps for the next run."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from almanac.contact_ranges import ContactRange
from almanac.database.catalog import scalar
from almanac.database.columnar import RowReader
from almanac.database.open_file import OpenFile
from almanac.database.opening import map_errors
from almanac.database.piece_file import FileState, read_pieces, write_end
from almanac.database.planned_pieces import PlannedPieces
from almanac.database.reading import Snapshot
from almanac.database.schema import PLANNED
from almanac.database.sources import Source
from almanac.errors import AlmanacError, Corrupt, DatabaseError, InputError
from almanac.outputs import neighbour

_PLANNED = f"SELECT count(*) FROM main.email_schedules WHERE {PLANNED}"


@dataclass
class CachedRows:
    """The columns of one file in a folder, by a name with a digest of the file's path.

    They are used only if nothing has written to the file since the run that kept them. What is
    wrong with them costs a remark and no run.
    """

    database: Path
    folder: Path
    remarks: list[str] = field(default_factory=list, init=False)

    def check(self) -> None:
        """Raise InputError if nothing can be kept in the folder."""
        if not self.folder.is_dir():
            raise InputError(f"--cache: {self.folder}: is no folder; create it first")
        if not os.access(self.folder, os.R_OK | os.W_OK | os.X_OK):
            raise InputError(f"--cache: {self.folder}: the folder is not writable")

    @property
    def path(self) -> Path:
        """The file with the columns."""
        digest = hashlib.sha256(os.fsencode(self.database.resolve())).hexdigest()[:16]
        return self.folder / f"{self.database.stem}-{digest}.planned-rows"

    def current(self, file: OpenFile) -> PlannedPieces | None:
        """Return the columns if they are those of the file as it is."""
        self.remarks.clear()
        try:
            return self._valid(file)
        except FileNotFoundError:
            return None
        except (AlmanacError, OSError) as error:
            self.remarks.append(f"--cache: {self.path}: not used: {error}")
            return None

    def keep(
        self,
        file: OpenFile,
        source: Source,
        pieces: PlannedPieces | None,
        ranges: Sequence[ContactRange],
    ) -> None:
        """Keep the planned rows of the file for its next run, after the commit of this one.

        source: of the file in place. pieces: the columns before the run, with whose rows it has
        changed. Nothing is kept if another program writes to the file meanwhile.
        """
        try:
            with map_errors(file.path), neighbour(self.path) as partial:
                _state(file)
                partial.chmod(stat.S_IRUSR | stat.S_IWUSR)
                with partial.open("wb") as out:
                    rows = Snapshot(source).planned_rows
                    rows.read_from(pieces)
                    index = rows.keep(ranges, out)
                    if pieces is not None and index.rows != scalar(file.connection, _PLANNED):
                        # something has changed rows that was not noted
                        out.truncate(0)
                        out.seek(0)
                        rows.read_from(None)
                        index = rows.keep(ranges, out)
                    write_end(out, _state(file), index)
                file.check_unmoved()
                partial.replace(self.path)
        except (AlmanacError, OSError) as error:
            self.remarks[:] = [f"--cache: {self.path}: nothing is kept: {error}"]

    def _valid(self, file: OpenFile) -> PlannedPieces:
        """Return the columns; raise FileNotFoundError, or AlmanacError with what is wrong."""
        if not _is_own(self.path):
            raise Corrupt("other users may have written it")
        state, pieces = read_pieces(self.path)
        with map_errors(file.path):
            if state != _state(file):
                raise Corrupt("the database has changed since the run that kept it")
            rows = RowReader(file.path, file.connection)
            source = Source(file.path, file.connection, rows, lambda: None)
            if pieces.index.query != Snapshot(source).planned_rows.query:
                raise Corrupt("another release of Almanac kept it")
        pieces.check()
        return pieces


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
