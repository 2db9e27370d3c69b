"""What a folder store keeps beside its objects: locks, generations, checksums.

The generation of an object is its file's modification time in microseconds, which the store
sets, always later than the previous one. The rename that publishes the data thus publishes the
generation too, and no crash can separate them. The checksum is in a record that is written before
that rename and also holds the previous entry: before and after the rename the record has the entry
of the file that exists.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from pathlib import Path

from almanac.errors import Corrupt
from almanac.storage.files import replace_making_folders, sync

HIDDEN = ".almanac"
_STRIPES = 64
_DAY = 86_400  # seconds


@dataclass(frozen=True, slots=True)
class Entry:
    """One generation of an object: size in bytes, CRC32C in base64."""

    generation: int
    size: int
    crc32c: str


@dataclass(frozen=True, slots=True)
class Record:
    """The entry last written, and the one that it replaces (None: the object was new)."""

    now: Entry
    before: Entry | None


def generation_of(status: os.stat_result) -> int:
    """Return the generation that a file's modification time represents."""
    return status.st_mtime_ns // 1000


class Records:
    """The hidden folder of a store."""

    def __init__(self, root: Path, *, durable: bool) -> None:
        self.folder = root / HIDDEN
        self._durable = durable

    @contextmanager
    def reading(self, name: str) -> Iterator[None]:
        """Exclude writers of the name. Creates nothing: a store may be read-only."""
        try:
            descriptor = os.open(self._lock_path(name), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            yield  # no name of this lock was ever written
            return
        with _flock(descriptor, fcntl.LOCK_SH):
            yield

    @contextmanager
    def writing(self, name: str) -> Iterator[int]:
        """Exclude all others from the name; yield the descriptor that holds the lock."""
        path = self._lock_path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        with _flock(descriptor, fcntl.LOCK_EX):
            yield descriptor

    def next_generation(self, lock: int, current: int) -> int:
        """Return a generation after the current one and all that were deleted under this lock."""
        floor = int(os.pread(lock, 32, 0) or b"0")
        return max(time.time_ns() // 1000, current + 1, floor + 1)

    def remember_deleted(self, lock: int, generation: int) -> None:
        """Raise the lower bound of later generations, which the lock's file holds."""
        floor = int(os.pread(lock, 32, 0) or b"0")
        os.pwrite(lock, b"%020d" % max(floor, generation), 0)
        if self._durable:
            os.fsync(lock)

    def load(self, name: str) -> Record | None:
        """Return the record of an object; None if the store has not written it."""
        path = self._record_path(name)
        try:
            now, before = json.loads(path.read_bytes())
            return Record(Entry(*now), Entry(*before) if before else None)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (ValueError, TypeError) as error:
            raise Corrupt(f"{name}: its record {path} cannot be read: {error}") from None

    def save(self, name: str, record: Record) -> None:
        temporary = self.temporary()
        before = astuple(record.before) if record.before else None
        temporary.write_text(json.dumps([astuple(record.now), before]))
        path = self._record_path(name)
        if self._durable:
            sync(temporary)
        replace_making_folders(temporary, path)
        if self._durable:
            sync(path.parent)

    def forget(self, name: str) -> Path:
        """Remove the record and return its folder."""
        path = self._record_path(name)
        path.unlink(missing_ok=True)
        return path.parent

    def temporary(self) -> Path:
        """Return a path for a file before it becomes an object."""
        folder = self.folder / "temporary"
        folder.mkdir(parents=True, exist_ok=True)
        return folder / f"{os.getpid()}-{os.urandom(8).hex()}"

    def sweep(self) -> None:
        """Remove the temporary files of writers that died more than a day ago."""
        for path in (self.folder / "temporary").glob("*"):
            try:
                if path.stat().st_mtime < time.time() - _DAY:
                    path.unlink()
            except FileNotFoundError:
                continue  # another process removed it

    def _lock_path(self, name: str) -> Path:
        return self.folder / "locks" / f"{zlib.crc32(name.encode()) % _STRIPES:02}"

    def _record_path(self, name: str) -> Path:
        # The dot distinguishes the record of "a" from the folder of the records of "a/b".
        folder, _, last = name.rpartition("/")
        return self.folder / "records" / folder / f".{last}"


@contextmanager
def _flock(descriptor: int, kind: int) -> Iterator[None]:
    try:
        fcntl.flock(descriptor, kind)
        try:
            yield
        finally:
            # Unlock explicitly, not by closing: a process forked meanwhile has a copy open.
            fcntl.flock(descriptor, fcntl.LOCK_UN)
    finally:
        os.close(descriptor)
