"""Copies of a file that `almanac run --backup` makes before it changes the file, and their age."""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from almanac.database.backup import errors_naming
from almanac.database.opening import quick_check
from almanac.errors import AlmanacError, InputError
from almanac.outputs import is_full, neighbour

KEEP_DAYS = 7
_STAMP = "%Y%m%dT%H%M%S.%fZ"


@dataclass
class KeptCopies:
    """The copies of one file in a folder.

    Their names begin with the file's, then the time (UTC) and a digest of the file's path: files of
    other names, and copies of another file of the same name, are left alone.
    """

    database: Path
    folder: Path
    keep_days: int = KEEP_DAYS
    now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC)
    made: Path | None = field(default=None, init=False)  # by this run

    def check(self) -> None:
        """Raise InputError if no copy can be written to the folder."""
        if not self.folder.is_dir():
            raise InputError(f"--backup: {self.folder}: is no folder; create it first")
        if not os.access(self.folder, os.W_OK | os.X_OK):
            raise InputError(f"--backup: {self.folder}: the folder is not writable")

    def make(self, snapshot: Path) -> None:
        """Keep a checked copy of a consistent snapshot of the file, whole or not at all.

        It replaces one that this run has made before. Raises AlmanacError (no room, not writable),
        DatabaseError (the file is damaged).
        """
        stamp = f"{self.now().astimezone(dt.UTC):{_STAMP}}"
        target = self.folder / f"{self.database.stem}-{stamp}-{self._digest}.sqlite3"
        try:
            with neighbour(target) as partial:
                shutil.copyfile(snapshot, partial)
                with partial.open("rb") as file:
                    os.fsync(file.fileno())
                with errors_naming(str(self.database), partial):
                    quick_check(partial)
                partial.replace(target)
        except OSError as error:
            why = "no room left" if is_full(error) else str(error.strerror or error)
            raise AlmanacError(
                f"--backup: {self.folder}: a copy cannot be written ({why}); the run was not begun"
            ) from None
        if self.made is not None:
            self.made.unlink(missing_ok=True)
        self.made = target

    def remove_old(self) -> list[Path]:
        """Delete the copies that are older than keep_days, and return them. Raises OSError."""
        limit = self.now() - dt.timedelta(days=self.keep_days)
        old = [
            path
            for path, at in self._copies()
            if at < limit and path != self.made and not path.is_symlink() and path.is_file()
        ]
        for path in old:
            path.unlink(missing_ok=True)
        return old

    def _copies(self) -> list[tuple[Path, dt.datetime]]:
        stem = re.escape(self.database.stem)
        name = re.compile(rf"{stem}-(\d{{8}}T\d{{6}}\.\d{{6}}Z)-{self._digest}\.sqlite3")
        found = [(path, name.fullmatch(path.name)) for path in self.folder.iterdir()]
        return [(path, _time(match[1])) for path, match in found if match]

    @property
    def _digest(self) -> str:
        return hashlib.sha256(os.fsencode(self.database.resolve())).hexdigest()[:8]


def _time(stamp: str) -> dt.datetime:
    try:
        return dt.datetime.strptime(stamp, _STAMP).replace(tzinfo=dt.UTC)
    except ValueError:
        return dt.datetime.max.replace(tzinfo=dt.UTC)  # none of ours
