"""Folders for a command's copies of databases; those of killed processes are removed.

A folder holds a file that its process keeps locked: the lock ends with the process however that
ends. Workers are spawned and programs executed, so none of them inherits the lock.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_PREFIX = "almanac-"
_UNLOCKED = ".almanac-new-"  # until it is locked: who loses such a folder makes another
_LOCK = ".lock"


@contextmanager
def workspace(parent: Path | None = None) -> Iterator[Path]:
    """Make a private temporary folder, after removing those of killed processes; remove it.

    parent: by default the system's temporary folder.
    """
    parent = parent or Path(tempfile.gettempdir())
    with suppress(OSError):  # the temporary folder need not be readable
        _remove_abandoned(parent)
    folder, lock = _new_folder(parent)
    try:
        yield folder
    finally:
        _remove(folder)
        os.close(lock)


def _new_folder(parent: Path) -> tuple[Path, int]:
    """Return a folder, and its lock that this process holds."""
    while True:
        made = Path(tempfile.mkdtemp(prefix=_UNLOCKED, dir=parent))
        folder = made.with_name(_PREFIX + made.name.removeprefix(_UNLOCKED))
        with suppress(FileNotFoundError):  # another process took it for abandoned
            lock = os.open(made / _LOCK, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX)
                made.rename(folder)
            except BaseException:
                os.close(lock)
                raise
            return folder, lock


def _remove_abandoned(parent: Path) -> None:
    with os.scandir(parent) as entries:
        found = [each for each in entries if each.name.startswith((_PREFIX, _UNLOCKED))]
    for each in found:
        with suppress(OSError):
            own = each.stat(follow_symlinks=False).st_uid == os.getuid()
            if own and each.is_dir(follow_symlinks=False):
                _remove_if_unlocked(Path(each.path))


def _remove_if_unlocked(folder: Path) -> None:
    """Remove the folder; raise OSError if it has no lock file or a process holds it.

    Without one its process was killed at once: it goes if it is empty.
    """
    if folder.name.startswith(_UNLOCKED):
        with suppress(OSError):
            folder.rmdir()
    lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _remove(folder)
    finally:
        os.close(lock)


def _remove(folder: Path) -> None:
    """Remove the folder, the lock file last: a removal that is cut off is made again."""
    with suppress(OSError):
        for each in folder.iterdir():
            if each.is_dir() and not each.is_symlink():
                shutil.rmtree(each, ignore_errors=True)
            elif each.name != _LOCK:
                each.unlink()
    shutil.rmtree(folder, ignore_errors=True)
