"""Publishing a version: write its objects, then its manifest, then point current.json at it.

At every moment one of three things holds, and a retry continues from it: the version's folder is
incomplete (no manifest), the version is complete but not current, or current.json names it. Each
object of a version is written once; current.json is replaced by compare-and-swap. So a crash at
any point leaves the version that was current, and no version of another writer is lost.

A write of current.json whose answer is lost, or that finds another version there, is judged by the
versions that have been in force by then: a version among them was published, whatever came after.
"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from almanac.errors import AlmanacError, OutcomeUnknown, PreconditionFailed, Superseded
from almanac.storage import layout
from almanac.storage.beside import putting
from almanac.storage.block_checksums import checksums_document
from almanac.storage.checksums import BlockSums
from almanac.storage.collection import delete_version
from almanac.storage.documents import to_json
from almanac.storage.history import Folders, committed_by, left_before, version_numbered
from almanac.storage.store import (
    LOST_ANSWERS,
    ObjectInfo,
    ObjectStore,
    put_file_once,
    put_once,
    reading_back,
    write_once,
)
from almanac.storage.versions import (
    Content,
    Current,
    Manifest,
    current,
    current_since,
    database_of,
    folders,
    history_of,
    manifest_of,
    require_current,
)

_ATTEMPTS = 100  # folders that one run may leave behind by dying before its manifest


@dataclass(frozen=True)
class NewVersion:
    """What a run publishes beside its database.

    parent: what current() returned when the run began. check: returns what else the manifest says,
    or raises; the database is on its way meanwhile, and gets its name after all others. After it,
    attachments: the version's other objects by name, made for its number; files: more of them, in
    local files, which stay. timed: attachments that report durations and so differ between
    attempts; of these the first one written stays.
    """

    run_id: str
    parent: tuple[Current, int] | None
    as_of: dt.date
    now: dt.datetime
    manifest_extra: Mapping[str, Any] = field(default_factory=dict)  # rows, t0, config_digest, ...
    check: Callable[[], Mapping[str, Any]] = dict
    attachments: Callable[[int], Mapping[str, bytes]] = lambda number: {}
    files: Callable[[], Mapping[str, Path]] = dict
    timed: Collection[str] = ()

    @property
    def highest_before(self) -> int:
        """The highest number known to have been in force when the run began, 0 if there is none."""
        return (self.parent[0].highest or self.parent[0].version) if self.parent else 0


def publish(
    store: ObjectStore, org: str, database: Path, new: NewVersion, *, move: bool = False
) -> Current:
    """Publish the file as the organization's next version if its parent is still current.

    With move the store may take the file away. Idempotent: after success or a crash it returns the
    version that this run published, also if another has replaced it by now. Raises Superseded if
    another writer was first, TransientError if nothing was published, or OutcomeUnknown.
    """
    there = current_since(store, org, new.parent[1] if new.parent else 0)
    if (there and there[1]) != (new.parent and new.parent[1]):
        return _published(store, org, there[0] if there else None, new)
    found = folders(store, org)
    left = left_before(store, new.parent[0] if new.parent else None, found)
    for number in _numbers(found, new):
        try:
            manifest = _write_version(store, org, database, new, number, move=move)
        except PreconditionFailed:
            continue  # an attempt that died had written other content here: leave it
        to = _pointer(manifest, new.now, left, number)
        instead = _swing(store, org, to, new.parent)
        if instead is to:
            return to
        return _published(store, org, instead, new, to)
    raise PreconditionFailed(f"orgs/{org}: run {new.run_id} left {_ATTEMPTS} versions unfinished")


def rollback(
    store: ObjectStore,
    org: str,
    version: int,
    *,
    now: dt.datetime,
    run_id: str | None = None,
    there: tuple[Current, int] | None = None,
) -> Current:
    """Make a kept version current again; the caller holds the organization's lease.

    Return it, also if another has replaced it by now. run_id chooses between versions of the same
    number. there: what current() returned, which the version is to replace and no other. Raises
    RequestError (no such version), NotFound or Corrupt (its database is missing or damaged),
    Superseded.
    """
    there = there or require_current(store, org)
    found = folders(store, org)
    chosen = version_numbered(store, org, there[0], version, run_id)
    if chosen.path == there[0].path:
        return there[0]
    database_of(store, chosen)
    own = f"{now.astimezone(dt.UTC):%Y%m%dT%H%M%SZ}-{os.urandom(6).hex()}"
    left = {
        path: by
        for path, by in left_before(store, there[0], found).items()
        if path != chosen.path and _is_kept(store, path)
    }
    to = _pointer(chosen, now, left | {there[0].path: own}, _highest(there[0], found))
    instead = _swing(store, org, to, there)
    if instead is to:
        return to
    if instead and (instead.left or {}).get(there[0].path) == own:
        return to.model_copy(update={"replaced_by": instead})
    raise _superseded(org, instead, f"the rollback began from {there[0].version}")


def _is_kept(store: ObjectStore, path: str) -> bool:
    return store.stat(f"{path.rpartition('/')[0]}/{layout.MANIFEST}") is not None


def _highest(there: Current, found: Folders) -> int:
    """Return the highest number that has been in force; if that is not recorded, that is there."""
    if there.highest is not None:
        return there.highest
    return max([there.version, *(each[0] for each in map(layout.version_and_run, found) if each)])


def _numbers(found: Folders, new: NewVersion) -> list[int]:
    """Return the version numbers to try, in order.

    First the highest number if an attempt of this run wrote it and died, then unused numbers.
    """
    known = [layout.version_and_run(folder) for folder in found]
    base = new.highest_before
    highest = max([base, *(each[0] for each in known if each)])
    first = highest if highest > base and (highest, new.run_id) in known else highest + 1
    return list(range(first, first + _ATTEMPTS))


def _write_version(
    store: ObjectStore, org: str, database: Path, new: NewVersion, number: int, *, move: bool
) -> Manifest:
    """Write the version's objects, the manifest last; PreconditionFailed if others are there."""
    folder = layout.version(org, number, new.run_id)
    path, sums = f"{folder}/{layout.DATABASE}", BlockSums(database)
    with putting(store, path, database, sums, move=move) as put:
        checked = new.check()
        contents = {
            name: (_write_first if name in new.timed else write_once)(
                store, f"{folder}/{name}", data
            )
            for name, data in sorted(new.attachments(number).items())
        }
        more = new.files()
        contents |= {n: put_file_once(store, f"{folder}/{n}", file) for n, file in more.items()}
        stored = put_once(store.stat, path, put, lambda: sums.whole)
    beside = layout.block_checksums(stored.name)
    blocks = to_json(checksums_document(stored, sums.packed))
    contents[beside.removeprefix(f"{folder}/")] = write_once(store, beside, blocks)
    manifest = Manifest.model_validate(
        {
            **new.manifest_extra,
            **checked,
            "version": number,
            "run_id": new.run_id,
            "parent": new.parent[0].version if new.parent else None,
            "parent_path": new.parent[0].path if new.parent else None,
            "path": stored.name,
            "size": stored.size,
            "crc32c": stored.crc32c,
            "as_of": new.as_of,
            "created_at": new.now,
            "attachments": {
                name: Content(size=each.size, crc32c=each.crc32c) for name, each in contents.items()
            },
            **history_of(store, new.parent),
        }
    )
    _write_manifest(store, manifest)
    return manifest


def _write_first(store: ObjectStore, name: str, data: bytes) -> ObjectInfo:
    """Write an object if there is none of that name, whatever that one holds."""
    try:
        return write_once(store, name, data)
    except PreconditionFailed:
        there = store.stat(name)
        if there is None:
            raise
        return there


def _write_manifest(store: ObjectStore, manifest: Manifest) -> None:
    """Complete the version; accept the manifest of an earlier attempt with the same content."""
    try:
        write_once(store, f"{manifest.folder}/{layout.MANIFEST}", to_json(manifest))
    except PreconditionFailed:
        there = manifest_of(store, manifest.folder)
        same = ("parent_path", "path", "size", "crc32c", "as_of", "attachments")
        if there is None or any(getattr(there, key) != getattr(manifest, key) for key in same):
            raise


def _pointer(manifest: Manifest, now: dt.datetime, left: dict[str, str], highest: int) -> Current:
    return Current(
        version=manifest.version,
        path=manifest.path,
        run_id=manifest.run_id,
        crc32c=manifest.crc32c,
        size=manifest.size,
        as_of=manifest.as_of,
        committed_at=now,
        left=left,
        highest=highest,
    )


def _swing(
    store: ObjectStore, org: str, to: Current, parent: tuple[Current, int] | None
) -> Current | None:
    """Replace current.json at the parent's generation, and return `to`.

    After a lost answer or a conflict return what is current instead, None if there is none; `to`
    may have been current before that.
    """
    generation = parent[1] if parent else 0
    unknown: OutcomeUnknown | None = None
    for _ in range(LOST_ANSWERS):
        try:
            store.write(layout.current(org), to_json(to), if_generation=generation)
            return to
        except (PreconditionFailed, OutcomeUnknown) as error:
            lost = error
            unknown = error if isinstance(error, OutcomeUnknown) else unknown
            with reading_back(unknown):
                there = current(store, org)
            if there is None and parent is not None:
                return None
            if there is None or there[1] <= generation:
                continue  # nothing was written, or it is not to be seen yet
            return to if there[0].path == to.path else there[0]
    raise (unknown.as_not_written() if unknown else lost) from lost


def _published(
    store: ObjectStore, org: str, there: Current | None, new: NewVersion, to: Current | None = None
) -> Current:
    """Return the version that the run published on its parent, whatever came after it.

    there: what is current instead. to: what this call has tried to put in force, which is deleted
    if it was not: since the generation has moved, it never will be. Raises Superseded.
    """
    done = there and committed_by(store, org, new.run_id, new.highest_before, there)
    if to and (done is None or done.path != to.path) and there and there.left is not None:
        with suppress(AlmanacError):  # the collection deletes what is left here
            delete_version(store, list(store.list(f"{to.folder}/")))
    if not there or not done:
        base = new.parent[0].version if new.parent else 0
        raise _superseded(org, there, f"run {new.run_id} began from {base}")
    if there.path == done.path:
        return there
    own = to if to and to.path == done.path else _pointer(done, done.created_at, {}, done.version)
    return own.model_copy(update={"replaced_by": there})


def _superseded(org: str, there: Current | None, what: str) -> Superseded:
    found = f"version {there.version} of run {there.run_id}" if there else "no version"
    return Superseded(f"organization {org}: {found} is current, {what}")
