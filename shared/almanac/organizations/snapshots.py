"""The databases that the steps of a run read, opened for a step and kept open for the next one."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Protocol

import numpy as np
from pydantic import BaseModel, ConfigDict

from almanac.database.blocks import CACHE_BYTES, Blocks
from almanac.database.planned_pieces import PlannedPieces
from almanac.database.ranged import ranged_source
from almanac.database.reading import Snapshot
from almanac.errors import Corrupt, NotFound, PreconditionFailed, SnapshotMoved
from almanac.frames import Ids
from almanac.organizations.changed_snapshots import (
    PatchedRanges,
    SnapshotChange,
    fetch_pages,
    read_change,
)
from almanac.organizations.kept_rows import kept_rows
from almanac.storage.beside import fetching
from almanac.storage.block_checksums import VerifiedRanges
from almanac.storage.store import ObjectInfo, ObjectStore, stat_expecting
from almanac.storage.versions import Content
from almanac.tracing import traced


class SnapshotRef(BaseModel):
    """The database that a run plans on: one generation of one object, or a private file.

    absorbed: the document of pages that the run has changed in it before planning, if any
    (`changed_snapshots`); the rest is of the database without them. planned: the index of its
    planned rows in columns (`kept_rows`), if there is one.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    generation: int
    size: int
    crc32c: str
    version: int
    pointer: int  # generation of current.json that names the version
    absorbed: str | None = None
    planned: Content | None = None

    @property
    def folder(self) -> str:
        """The folder of the version whose database it is, without a slash at the end."""
        return self.name.rpartition("/")[0]


class Snapshots(Protocol):
    """Opens the database that a run plans on."""

    def open(self, ref: SnapshotRef) -> AbstractContextManager[Snapshot]:
        """Return the snapshot's database, for the caller alone and only within the context.

        Its `traffic` counts what is fetched by ranges within the context. Raises NotFound or
        Corrupt if the content differs from the reference, DatabaseError if it is no database.
        """
        ...


class FileSnapshots:
    """Snapshots of one private file that no other program writes to.

    The file stays open: what was read of its small tables is kept for the next step. pieces: its
    planned rows in columns. parts: the folder for those that are read. Not safe for several
    threads.
    """

    def __init__(
        self, path: Path, pieces: PlannedPieces | None = None, parts: Path | None = None
    ) -> None:
        self._path, self._pieces, self._parts = path, pieces, parts
        self._snapshot: Snapshot | None = None

    @contextmanager
    def open(self, ref: SnapshotRef) -> Iterator[Snapshot]:
        """See `Snapshots`."""
        check_unchanged(self._path, ref)
        if self._snapshot is None:
            self._snapshot = Snapshot(self._path)
            self._snapshot.planned_rows.read_from(self._pieces)
            self._snapshot.planned_rows.write_parts(self._parts)
        yield self._snapshot

    def close(self) -> None:
        """Close the file if it is open."""
        if self._snapshot is not None:
            self._snapshot.close()
            self._snapshot = None


class RangedSnapshots:
    """Snapshots that stay in the store: what a step reads is fetched by ranges of one generation.

    Safe for many threads: readers of the same version share its cache of blocks, which holds
    `cache_bytes`. The version that was requested last stays open for the next step.

    If an object is replaced while it is read, reading fails with SnapshotMoved, and the next
    delivery of the step starts from scratch; all that was read before is of the old content.
    """

    def __init__(self, store: ObjectStore, cache_bytes: int = CACHE_BYTES) -> None:
        self._store = store
        self._cache_bytes = cache_bytes
        self._lock = threading.Lock()
        self._latest: _Version | None = None

    @contextmanager
    def open(self, ref: SnapshotRef) -> Iterator[Snapshot]:
        """See `Snapshots`."""
        version = self._version(located(self._store, ref), ref)
        snapshot = version.take()
        try:
            yield snapshot
        except BaseException:
            snapshot.close()
            raise
        version.give_back(snapshot)

    def close(self) -> None:
        """Close the snapshots that are open and idle."""
        with self._lock:
            version, self._latest = self._latest, None
        if version is not None:
            version.retire()

    def _version(self, database: ObjectInfo, ref: SnapshotRef) -> _Version:
        """Return the version, from now on the latest; close the one before with its last reader."""
        with self._lock:
            latest = self._latest
            if latest is not None and latest.is_of(database, ref):
                return latest
            # within the lock: who waits for it most often wants the same version
            version = _Version(self._store, database, ref, self._cache_bytes)
            self._latest = version
        if latest is not None:
            latest.retire()
        return version


class _Version:
    """One generation of an object and a run's changed pages: blocks, and idle snapshots."""

    def __init__(
        self, store: ObjectStore, database: ObjectInfo, ref: SnapshotRef, cache_bytes: int
    ) -> None:
        self._database, self._of = database, (ref.absorbed, ref.planned)
        self._ranges: VerifiedRanges | PatchedRanges = VerifiedRanges(store, database)
        size = database.size
        changed: Ids | None = np.empty(0, np.int64)
        if ref.absorbed is not None:
            change = read_change(store, ref.absorbed)
            self._ranges = PatchedRanges(store, database, change, cache_bytes // 4)
            size, changed = change.size, change.changed_contacts()
        self._pieces: PlannedPieces | None = None
        if ref.planned is not None and changed is not None:
            self._pieces = kept_rows(store, ref.folder, ref.planned, changed)
        self._blocks = Blocks(database.name, size, self._fetch, cache_bytes=cache_bytes)
        self._lock = threading.Lock()
        self._idle: list[Snapshot] = []
        self._retired = False

    def is_of(self, database: ObjectInfo, ref: SnapshotRef) -> bool:
        """Return whether it is that generation, and no reader has found it gone."""
        same = (database, (ref.absorbed, ref.planned)) == (self._database, self._of)
        return same and not self._retired

    def take(self) -> Snapshot:
        """Return a snapshot for one reader, the one used last if any is idle; its traffic is 0."""
        with self._lock:
            snapshot = self._idle.pop() if self._idle else None
        if snapshot is None:
            snapshot = Snapshot(ranged_source(Path(self._database.name), self._blocks))
            try:
                snapshot.planned_rows.read_from(self._pieces)
            except BaseException:
                snapshot.close()
                raise
            return snapshot
        snapshot.traffic.clear()
        return snapshot

    def give_back(self, snapshot: Snapshot) -> None:
        """Keep the snapshot for the next reader; close it if the version is retired."""
        with self._lock:
            if not self._retired:
                self._idle.append(snapshot)
                return
        snapshot.close()

    def retire(self) -> None:
        """Close the idle snapshots; the blocks are freed with the last snapshot in use."""
        with self._lock:
            self._retired = True
            idle, self._idle = self._idle, []
        for snapshot in idle:
            snapshot.close()

    def _fetch(self, start: int, length: int) -> bytes:
        try:
            return self._ranges.read(start, length)
        except (NotFound, PreconditionFailed) as error:
            self.retire()
            gone = f"{self._database.name}: generation {self._database.generation} is gone"
            raise SnapshotMoved(f"{gone} while it was read ({error})") from error


def reference_to(path: Path) -> SnapshotRef:
    """Return the reference to a private file, which its size and modification time identify.

    It has no checksum: computing one would read the whole file once more.
    """
    status = path.stat()
    return SnapshotRef(
        name=path.name,
        generation=status.st_mtime_ns // 1000,
        size=status.st_size,
        crc32c="",
        version=1,
        pointer=1,
    )


def check_unchanged(path: Path, ref: SnapshotRef) -> None:
    """Check that the private file is the one that was referred to; raise NotFound, Corrupt."""
    try:
        now = reference_to(path)
    except FileNotFoundError:
        raise NotFound(f"{path}: no such file; the run was planned on it") from None
    if now != ref:
        raise Corrupt(f"{path}: was changed after the run had been planned on it")


@contextmanager
def fetching_snapshot(
    store: ObjectStore, ref: SnapshotRef, database: Path
) -> Iterator[Callable[[], SnapshotChange | None]]:
    """Fetch a snapshot within the context; yield what waits for it, and then puts what was absorbed
    into it and returns that, None for nothing.

    Raises NotFound, Corrupt, SnapshotMoved (it was replaced meanwhile).
    """
    generation = located(store, ref).generation

    @contextmanager
    def of_one_generation() -> Iterator[None]:
        try:
            yield
        except (NotFound, PreconditionFailed) as error:
            raise SnapshotMoved(f"{ref.name}: replaced while it was fetched") from error

    @traced("fetch")
    def fetched() -> SnapshotChange | None:
        with of_one_generation():
            arrived()
        if ref.absorbed is None:
            return None
        change = read_change(store, ref.absorbed)
        fetch_pages(store, change, database)
        return change

    with ExitStack() as stack:
        with of_one_generation():
            arrived = stack.enter_context(fetching(store, ref.name, database, generation))
        yield fetched


def located(store: ObjectStore, ref: SnapshotRef) -> ObjectInfo:
    """Return the object with the snapshot's content, as the store has it now.

    Its generation differs from the reference's if the same content was written again. Raises
    NotFound, Corrupt (other content).
    """
    there = stat_expecting(store, ref.name, (ref.size, ref.crc32c))
    if there is None:
        raise NotFound(f"{ref.name}: no such object; the run was planned on it")
    if (there.size, there.crc32c) != (ref.size, ref.crc32c):
        raise Corrupt(
            f"{ref.name}: has other content than the run was planned on: generation "
            f"{there.generation} with {there.size} bytes and checksum {there.crc32c}, expected "
            f"was generation {ref.generation} with {ref.size} bytes and checksum {ref.crc32c}"
        )
    return there
