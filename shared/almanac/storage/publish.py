"""Publishing a version: write its objects, then its manifest, then point current.json at it.

At every moment one of three things holds, and a retry continues from it: the version's folder is
incomplete (no manifest), the version is complete but not current, or current.json names it. Each
object of a version is written once; current.json is replaced by compare-and-swap. So a crash at
any point leaves the version that was current, and no version of another writer is lost.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from almanac.errors import OutcomeUnknown, PreconditionFailed, RequestError, Superseded
from almanac.storage import layout
from almanac.storage.block_checksums import checksums_document, packed_checksums_of_file
from almanac.storage.documents import to_json
from almanac.storage.store import (
    LOST_ANSWERS,
    ObjectInfo,
    ObjectStore,
    put_file_once,
    write_once,
)
from almanac.storage.versions import (
    Content,
    Current,
    Manifest,
    current,
    database_of,
    folders,
    list_versions,
    manifest_of,
    require_current,
)

_ATTEMPTS = 100  # folders that one run may leave behind by dying before its manifest


@dataclass(frozen=True)
class NewVersion:
    """What a run publishes beside its database.

    parent: what current() returned when the run began. attachments: the version's other objects by
    name, made for the version's number. timed: attachments that report durations and so differ
    between attempts; of these the first one written stays.
    """

    run_id: str
    parent: tuple[Current, int] | None
    as_of: dt.date
    now: dt.datetime
    manifest_extra: Mapping[str, Any] = field(default_factory=dict)  # rows, t0, config_digest, ...
    attachments: Callable[[int], Mapping[str, bytes]] = lambda number: {}
    timed: Collection[str] = ()

    @property
    def parent_number(self) -> int:
        """The parent's version number, 0 if there is no parent."""
        return self.parent[0].version if self.parent else 0


def publish(
    store: ObjectStore, org: str, database: Path, new: NewVersion, *, move: bool = False
) -> Current:
    """Publish the file as the organization's next version if its parent is still current.

    With move the store may take the file away. Idempotent: after success or a crash it returns the
    version that this run published. Raises Superseded if another writer was first, OutcomeUnknown
    if one answer after the other is lost.
    """
    there = current(store, org)
    if (there and there[1]) != (new.parent and new.parent[1]):
        return _published(there, org, new.run_id, new.parent)
    for number in _numbers(store, org, new):
        try:
            manifest = _write_version(store, org, database, new, number, move=move)
        except PreconditionFailed:
            continue  # an attempt that died had written other content here: leave it
        return _swing(store, org, _pointer(manifest, new.now), new.parent)
    raise PreconditionFailed(f"orgs/{org}: run {new.run_id} left {_ATTEMPTS} versions unfinished")


def rollback(
    store: ObjectStore, org: str, version: int, *, now: dt.datetime, run_id: str | None = None
) -> Current:
    """Make a kept version current again; the caller holds the organization's lease.

    run_id chooses between complete versions of the same number. Raises RequestError (no such
    version), NotFound or Corrupt (its database is missing or damaged), Superseded.
    """
    there = require_current(store, org)
    kept = list_versions(store, org)
    chosen = [each for each in kept if each.version == version and run_id in (None, each.run_id)]
    if not chosen:
        numbers = ", ".join(str(each.version) for each in kept) or "none"
        raise RequestError(f"organization {org}: version {version} is not kept ({numbers} are)")
    if len(chosen) > 1:
        runs = ", ".join(each.run_id for each in chosen)
        raise RequestError(f"organization {org}: version {version} is of several runs: {runs}")
    if chosen[0].path == there[0].path:
        return there[0]
    database_of(store, chosen[0])
    return _swing(store, org, _pointer(chosen[0], now), there)


def _numbers(store: ObjectStore, org: str, new: NewVersion) -> list[int]:
    """Return the version numbers to try, in order.

    First the highest number if an attempt of this run wrote it and died, then unused numbers.
    """
    known = [layout.version_and_run(folder) for folder in folders(store, org)]
    base = new.parent_number
    highest = max([base, *(each[0] for each in known if each)])
    first = highest if highest > base and (highest, new.run_id) in known else highest + 1
    return list(range(first, first + _ATTEMPTS))


def _write_version(
    store: ObjectStore, org: str, database: Path, new: NewVersion, number: int, *, move: bool
) -> Manifest:
    """Write the version's objects, the manifest last; PreconditionFailed if others are there."""
    folder = layout.version(org, number, new.run_id)
    contents = {
        name: (_write_first if name in new.timed else write_once)(store, f"{folder}/{name}", data)
        for name, data in sorted(new.attachments(number).items())
    }
    packed = packed_checksums_of_file(database)
    stored = put_file_once(store, f"{folder}/{layout.DATABASE}", database, move=move)
    beside = layout.block_checksums(stored.name)
    blocks = to_json(checksums_document(stored, packed))
    contents[beside.removeprefix(f"{folder}/")] = write_once(store, beside, blocks)
    manifest = Manifest.model_validate(
        {
            **new.manifest_extra,
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
            "months": _months(store, new.parent),
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


def _months(store: ObjectStore, parent: tuple[Current, int] | None) -> dict[str, str]:
    """Return the path of the last version of each month before the new version."""
    if parent is None:
        return {}
    before = manifest_of(store, parent[0].folder)
    month = parent[0].committed_at.astimezone(dt.UTC).strftime("%Y-%m")
    return {**(before.months if before else {}), month: parent[0].path}


def _write_manifest(store: ObjectStore, manifest: Manifest) -> None:
    """Complete the version; accept the manifest of an earlier attempt with the same content."""
    try:
        write_once(store, f"{manifest.folder}/{layout.MANIFEST}", to_json(manifest))
    except PreconditionFailed:
        there = manifest_of(store, manifest.folder)
        same = ("parent_path", "path", "size", "crc32c", "as_of", "attachments")
        if there is None or any(getattr(there, key) != getattr(manifest, key) for key in same):
            raise


def _pointer(manifest: Manifest, now: dt.datetime) -> Current:
    return Current(
        version=manifest.version,
        path=manifest.path,
        run_id=manifest.run_id,
        crc32c=manifest.crc32c,
        size=manifest.size,
        as_of=manifest.as_of,
        committed_at=now,
    )


def _swing(
    store: ObjectStore, org: str, to: Current, parent: tuple[Current, int] | None
) -> Current:
    """Replace current.json at the parent's generation; after a conflict see who won."""
    generation = parent[1] if parent else 0
    for _ in range(LOST_ANSWERS):
        try:
            store.write(layout.current(org), to_json(to), if_generation=generation)
            return to
        except (PreconditionFailed, OutcomeUnknown) as error:
            lost = error
            there = current(store, org)
            if (there[1] if there else 0) == generation:
                continue  # nothing was written
            if there and there[0].path == to.path:
                return there[0]
            return _published(there, org, to.run_id, parent)
    raise lost


def _published(
    there: tuple[Current, int] | None,
    org: str,
    run_id: str,
    parent: tuple[Current, int] | None,
) -> Current:
    """Return the current version if the run published it on this parent; else Superseded."""
    base = parent[0].version if parent else 0
    if there and there[0].run_id == run_id and there[0].version > base:
        return there[0]
    found = f"version {there[0].version} of run {there[0].run_id}" if there else "no version"
    raise Superseded(f"organization {org}: {found} is current, run {run_id} began from {base}")
