"""An object store in a local folder; safe between threads and processes.

An object is the plain file of its name below the root, so that a person can look at a store.
Objects are replaced whole, never written in place. A file that another program puts there is an
object; a file that the store wrote and another program changed is Corrupt. Symbolic links below
the root are neither objects nor folders, and no name passes through one: nothing outside the root
is read or written, whatever a store contains. The root itself may be a link.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from stat import S_ISREG
from typing import IO

from almanac.errors import Corrupt, NotFound, PreconditionFailed, RequestError, StorageError
from almanac.storage import files
from almanac.storage.checksums import BlockSums, Checksum, checksum_of_file, chunks_of
from almanac.storage.files import storage_errors
from almanac.storage.layout import is_edited_by_people
from almanac.storage.records import Entry, Record, Records, generation_of
from almanac.storage.store import (
    ObjectInfo,
    StoredObject,
    check_content,
    check_folder,
    check_name,
    check_prefix,
    verified,
    whole_transfer,
)


class FolderStore:
    """ObjectStore below root, which is created with the first write.

    durable: a write is on the disk when it returns (fsync); otherwise it survives the death of
    every process but not a loss of power. is_edited: names that people edit in place; no checksum
    is recorded for these objects.
    """

    def __init__(
        self,
        root: Path,
        *,
        durable: bool = True,
        is_edited: Callable[[str], bool] = is_edited_by_people,
    ) -> None:
        self.root = Path(root)
        self._durable = durable
        self._is_edited = is_edited
        self._records = Records(self.root, durable=durable)
        self._verified: dict[tuple[str, int, int], ObjectInfo] = {}
        self._records.sweep()

    def read(self, name: str) -> StoredObject:
        def transfer() -> StoredObject:
            with self._opened(name) as (info, file):
                return verified(info, file.read())

        return whole_transfer(name, transfer, _is_never_sound)

    def stat(self, name: str) -> ObjectInfo | None:
        check_name(name)
        with storage_errors(self.root, name), self._records.reading(name):
            found = self._look(name)
        return found[0] if found else None

    def write(self, name: str, data: bytes, if_generation: int | None) -> ObjectInfo:
        check_name(name)
        checksum = Checksum()
        checksum.update(data)
        with storage_errors(self.root, name), self._temporary() as temporary:
            temporary.write_bytes(data)
            return self._commit(name, temporary, checksum, if_generation)

    def put_file(
        self, name: str, path: Path, *, move: bool = False, sums: BlockSums | None = None
    ) -> ObjectInfo:
        check_name(name)
        if move and (info := self._put_by_rename(name, path, sums or BlockSums(path))):
            return info
        with storage_errors(self.root, name), self._temporary() as temporary:
            with path.open("rb") as source, temporary.open("xb") as target:
                checksum = _copy(source, target)
            info = self._commit(name, temporary, checksum, 0)
        if move:
            path.unlink()
        return info

    def fetch_file(self, name: str, path: Path, generation: int | None = None) -> ObjectInfo:
        def transfer() -> ObjectInfo:
            with self._opened(name, generation) as (info, source), files.arriving(path) as target:
                checksum = _copy(source, target)
                check_content(info, checksum.size, checksum.crc32c)
            return info

        return whole_transfer(name, transfer, _is_never_sound)

    def open_local(self, name: str) -> Path | None:
        def verify() -> None:
            with self._opened(name) as (info, file):
                key = (name, info.generation, info.size)
                if self._verified.get(key) != info:
                    checksum = _copy(file, None)
                    check_content(info, checksum.size, checksum.crc32c)
                    self._verified[key] = info

        whole_transfer(name, verify, _is_never_sound)
        return self._path(name)

    def read_range(self, name: str, generation: int, start: int, length: int) -> bytes:
        with self._opened(name, generation) as (info, file):
            wanted = max(0, min(length, info.size - start))
            data = os.pread(file.fileno(), wanted, start)
        if len(data) != wanted:
            raise Corrupt(f"{name}: {len(data)} bytes were received where {wanted} were requested")
        return data

    def delete(self, name: str, if_generation: int | None) -> None:
        check_name(name)
        path = self._path(name)
        with storage_errors(self.root, name), self._records.writing(name) as lock:
            info = self._expect(name, if_generation)
            if info is None:
                raise NotFound(f"{name}: no such object")
            self._records.remember_deleted(lock, info.generation)
            path.unlink()
            records = self._records.forget(name)
        files.remove_empty_folders(path.parent, self.root)
        files.remove_empty_folders(records, self._records.folder)

    def subfolders(self, prefix: str) -> list[str]:
        check_folder(prefix)
        try:
            below = os.scandir(self._path(prefix))
            entries = [each.name for each in below if each.is_dir(follow_symlinks=False)]
        except (FileNotFoundError, NotADirectoryError):
            return []
        names = sorted(name for name in entries if not name.startswith("."))
        return [name for name in names if any(self._names(f"{prefix}{name}/"))]

    def list(self, prefix: str, *, deep: bool = True) -> Iterator[ObjectInfo]:
        check_prefix(prefix)
        for name in sorted(self._names(prefix, deep=deep)):
            if info := self.stat(name):
                yield info

    def _names(self, prefix: str, *, deep: bool = True) -> Iterator[str]:
        """Yield the names of the files that begin with prefix, without hidden folders."""
        for folder, folders, found in os.walk(self._path(prefix.rpartition("/")[0])):
            folders[:] = [each for each in folders if deep and not each.startswith(".")]
            there = Path(folder).relative_to(self.root)
            for each in found:
                name = (there / each).as_posix()
                hidden = each.startswith(".") or Path(folder, each).is_symlink()
                if not hidden and name.startswith(prefix):
                    yield name

    def _path(self, name: str) -> Path:
        """Return the path of an object or folder; raise RequestError if a part of it is a link."""
        path = self.root
        for part in filter(None, name.split("/")):
            path = path / part
            if path.is_symlink():
                raise RequestError(f"object name {name!r}: {path} is a symbolic link")
        return path

    @contextmanager
    def _opened(
        self, name: str, generation: int | None = None
    ) -> Iterator[tuple[ObjectInfo, IO[bytes]]]:
        """Open the object's file, which stays that generation's even if the object is replaced."""
        check_name(name)
        with storage_errors(self.root, name):
            with self._records.reading(name):
                found = self._look(name)
                if found is None:
                    raise NotFound(f"{name}: no such object")
                info, intact = found
                if generation is not None and info.generation != generation:
                    raise _elsewhere(name, info.generation, generation)
                if not intact:
                    raise Corrupt(f"{name}: its file was changed after it had been written")
                file = self._path(name).open("rb")
            with file:
                yield info, file

    def _look(self, name: str) -> tuple[ObjectInfo, bool] | None:
        """Return the object as written and whether its file is unchanged; under the lock."""
        path = self._path(name)
        try:
            status = path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        if not S_ISREG(status.st_mode):
            return None
        generation = generation_of(status)
        record = self._records.load(name)
        if record is None:
            return self._foreign(name, generation, status.st_size), True
        for entry in (record.now, record.before):
            if entry and (entry.generation, entry.size) == (generation, status.st_size):
                return _info(name, entry), True
        return _info(name, record.now), False

    def _foreign(self, name: str, generation: int, size: int) -> ObjectInfo:
        """Return an object that the store has not written, with its present checksum."""
        key = (name, generation, size)
        if key not in self._verified:
            crc32c = checksum_of_file(self._path(name)).crc32c
            self._verified[key] = ObjectInfo(name, generation, size, crc32c)
        return self._verified[key]

    def _expect(self, name: str, if_generation: int | None) -> ObjectInfo | None:
        """Return the object if it is at the generation, else raise; under the lock."""
        found = self._look(name)
        info = found[0] if found else None
        generation = info.generation if info else 0
        if if_generation is not None and generation != if_generation:
            raise _elsewhere(name, generation, if_generation)
        return info

    def _commit(
        self, name: str, source: Path, checksum: Checksum, if_generation: int | None
    ) -> ObjectInfo:
        """Rename source to the object's file if the object is at the generation."""
        path = self._path(name)
        if self._durable:
            files.sync(source)
        with self._records.writing(name) as lock:
            there = self._expect(name, if_generation)
            generation = self._records.next_generation(lock, there.generation if there else 0)
            os.utime(source, ns=(generation * 1000, generation * 1000))
            if generation_of(source.stat()) != generation:
                raise StorageError(f"{self.root}: its file system keeps no times in microseconds")
            entry = Entry(generation, checksum.size, checksum.crc32c)
            if not self._is_edited(name):
                self._records.save(name, Record(entry, _entry(there) if there else None))
            files.replace_making_folders(source, path)
            if self._durable:
                files.sync(path.parent)
        return _info(name, entry)

    def _put_by_rename(self, name: str, path: Path, sums: BlockSums) -> ObjectInfo | None:
        """Move the file in without a copy; None if it is on another file system."""
        with storage_errors(self.root, name):
            _ = sums.packed  # while the file is there
            try:
                return self._commit(name, path, sums.whole, 0)
            except OSError as error:
                if error.errno != errno.EXDEV:
                    raise
        return None

    @contextmanager
    def _temporary(self) -> Iterator[Path]:
        path = self._records.temporary()
        try:
            yield path
        finally:
            path.unlink(missing_ok=True)


def _is_never_sound() -> bool:
    """Say that what lies on the disk is damaged, if that is how it was read each time."""
    return False


def _info(name: str, entry: Entry) -> ObjectInfo:
    return ObjectInfo(name, entry.generation, entry.size, entry.crc32c)


def _entry(info: ObjectInfo) -> Entry:
    return Entry(info.generation, info.size, info.crc32c)


def _elsewhere(name: str, found: int, expected: int) -> PreconditionFailed:
    return PreconditionFailed(f"{name}: is at generation {found}, expected was {expected}")


def _copy(source: IO[bytes], target: IO[bytes] | None) -> Checksum:
    checksum = Checksum()
    for chunk in chunks_of(source):
        checksum.update(chunk)
        if target:
            target.write(chunk)
    return checksum
