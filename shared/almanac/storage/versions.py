"""Versions of an organization's database, and the pointer that says which one is in force.

A version's objects are written once, its manifest last; the version counts once current.json
names it. current.json is swung by compare-and-swap on its generation, so no version is ever
lost, and a crash at any point leaves the version that was in force.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from pydantic import AwareDatetime, ConfigDict, Field

from almanac.errors import (
    Corrupt,
    NotFound,
    OutcomeUnknown,
    PreconditionFailed,
    RequestError,
    Superseded,
)
from almanac.storage import layout
from almanac.storage.documents import Document, read_document, to_json
from almanac.storage.store import ObjectInfo, ObjectStore, put_file_once, write_once

_LOST_ANSWERS = 3
_ATTEMPTS = 100  # folders that one run may leave behind by dying before its manifest


class Current(Document):
    """current.json: the version in force. path names the object of its database."""

    version: int = Field(ge=1)
    path: str
    run_id: str
    crc32c: str
    size: int  # bytes
    as_of: dt.date
    committed_at: AwareDatetime

    @property
    def folder(self) -> str:
        """The folder of the version's objects, without a slash at the end."""
        return self.path.rpartition("/")[0]


class Content(Document):
    """Size in bytes and checksum of one object of a version."""

    size: int
    crc32c: str


class Manifest(Document):
    """manifest.json: what a version is and where it comes from; its presence completes it."""

    model_config = ConfigDict(frozen=True, extra="allow")

    version: int = Field(ge=1)
    run_id: str
    parent: int | None
    parent_path: str | None
    path: str
    size: int  # bytes
    crc32c: str
    as_of: dt.date
    created_at: AwareDatetime
    rows: dict[str, int] = Field(default_factory=dict)  # planned rows by status
    t0: dt.date | None = None
    config_digest: str | None = None
    attachments: dict[str, Content] = Field(default_factory=dict)
    # Of each month ("2026-10") before this version, the version in force at its end: its path.
    months: dict[str, str] = Field(default_factory=dict)

    @property
    def folder(self) -> str:
        """The folder of the version's objects, without a slash at the end."""
        return self.path.rpartition("/")[0]


def current(store: ObjectStore, org: str) -> tuple[Current, int] | None:
    """The version in force and the generation of current.json; None before the first one."""
    return read_document(store, layout.current(org), Current)


def require_current(store: ObjectStore, org: str) -> tuple[Current, int]:
    """Return the current version and the generation of current.json; RequestError without one."""
    found = current(store, org)
    if found is None:
        raise RequestError(f"organization {org}: has no version yet")
    return found


def manifest_of(store: ObjectStore, folder: str) -> Manifest | None:
    """The manifest in a version's folder; None if the version is not complete."""
    found = read_document(store, f"{folder}/{layout.MANIFEST}", Manifest)
    return found[0] if found else None


def database_of(store: ObjectStore, version: Current | Manifest) -> ObjectInfo:
    """The object of the version's database: the generation to pin reads to.

    Raises NotFound, Corrupt (not the one that was published).
    """
    info = store.stat(version.path)
    if info is None:
        raise NotFound(f"{version.path}: no such object")
    if (info.size, info.crc32c) != (version.size, version.crc32c):
        raise Corrupt(
            f"{version.path}: {info.size} bytes, {info.crc32c}, where {version.size} bytes, "
            f"{version.crc32c} were published"
        )
    return info


def publish(
    store: ObjectStore,
    org: str,
    database: Path,
    *,
    run_id: str,
    parent: tuple[Current, int] | None,
    as_of: dt.date,
    now: dt.datetime,
    manifest_extra: Mapping[str, Any],
    attachments: Mapping[str, bytes] | Callable[[int], Mapping[str, bytes]],
    timed: Collection[str] = (),
    move: bool = False,
) -> Current:
    """Make the file the organization's next version, if parent is still the one in force.

    parent is what current() gave when the run began; manifest_extra holds rows, t0,
    config_digest and whatever else the run wants to say; attachments are the version's other
    objects by their names in its folder, or make them for a version of a given number; those that
    are timed tell how long things took, and stay as an attempt that died has left them. With move
    the store may take the file away. Publishing again after success or a crash gives the version
    that is in force. Raises Superseded if another writer was first, OutcomeUnknown if one answer
    after the other is lost.
    """
    if done := _already(store, org, run_id, parent):
        return done
    for number in _numbers(store, org, run_id, parent):
        folder = layout.version(org, number, run_id)
        others = attachments(number) if callable(attachments) else attachments
        try:
            contents = {
                name: (_write_first if name in timed else write_once)(
                    store, f"{folder}/{name}", data
                )
                for name, data in sorted(others.items())
            }
            stored = put_file_once(store, f"{folder}/{layout.DATABASE}", database, move=move)
            manifest = Manifest.model_validate(
                {
                    **manifest_extra,
                    "version": number,
                    "run_id": run_id,
                    "parent": parent[0].version if parent else None,
                    "parent_path": parent[0].path if parent else None,
                    "path": stored.name,
                    "size": stored.size,
                    "crc32c": stored.crc32c,
                    "as_of": as_of,
                    "created_at": now,
                    "attachments": {
                        name: {"size": each.size, "crc32c": each.crc32c}
                        for name, each in contents.items()
                    },
                    "months": _months(store, parent),
                }
            )
            _write_manifest(store, manifest)
        except PreconditionFailed:
            continue  # an attempt that died here had written something else: leave it alone
        return _swing(store, org, _pointer(manifest, now), parent)
    raise PreconditionFailed(f"orgs/{org}: run {run_id} left {_ATTEMPTS} versions unfinished")


def rollback(
    store: ObjectStore, org: str, version: int, *, now: dt.datetime, run_id: str | None = None
) -> Current:
    """Put a kept version in force again; the caller holds the organization's lease.

    run_id chooses between complete versions of the same number. Raises RequestError (no such
    version), NotFound or Corrupt (its database is gone or damaged), Superseded.
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


def list_versions(store: ObjectStore, org: str) -> list[Manifest]:
    """The complete versions, oldest number first; some may never have been in force."""
    manifests = []
    for folder, objects in folders(store, org).items():
        if any(each.name == f"{folder}/{layout.MANIFEST}" for each in objects):
            found = manifest_of(store, folder)
            manifests += [found] if found else []
    return manifests


def committed_by(store: ObjectStore, org: str, run_id: str, since: int) -> Manifest | None:
    """The run's version, if it is in force or was on the way from version `since` to what is."""
    there = current(store, org)
    path = there[0].path if there else None
    while path:
        manifest = manifest_of(store, path.rpartition("/")[0])
        if manifest is None or manifest.version <= since:
            return None
        if manifest.run_id == run_id:
            return manifest
        path = manifest.parent_path
    return None


def folders(store: ObjectStore, org: str) -> dict[str, list[ObjectInfo]]:
    """The objects of every version's folder, complete or not, oldest number first."""
    found: dict[str, list[ObjectInfo]] = {}
    for info in store.list(layout.versions(org)):
        if folder := layout.folder_of_version(info.name):
            found.setdefault(folder, []).append(info)
    return found


def _already(
    store: ObjectStore, org: str, run_id: str, parent: tuple[Current, int] | None
) -> Current | None:
    """The version of this run, if an earlier delivery committed it; Superseded if another did."""
    there = current(store, org)
    if (there and there[1]) == (parent and parent[1]):
        return None
    return _ours(there, org, run_id, parent)


def _ours(
    there: tuple[Current, int] | None,
    org: str,
    run_id: str,
    parent: tuple[Current, int] | None,
) -> Current:
    base = parent[0].version if parent else 0
    if there and there[0].run_id == run_id and there[0].version > base:
        return there[0]
    found = f"version {there[0].version} of run {there[0].run_id}" if there else "no version"
    raise Superseded(f"organization {org}: {found} is in force, run {run_id} began from {base}")


def _numbers(
    store: ObjectStore, org: str, run_id: str, parent: tuple[Current, int] | None
) -> list[int]:
    """Version numbers to try: that of an attempt of this run which died last, then new ones."""
    known = [layout.version_and_run(folder) for folder in folders(store, org)]
    base = parent[0].version if parent else 0
    highest = max([base, *(each[0] for each in known if each)])
    first = highest if highest > base and (highest, run_id) in known else highest + 1
    return list(range(first, first + _ATTEMPTS))


def _months(store: ObjectStore, parent: tuple[Current, int] | None) -> dict[str, str]:
    if parent is None:
        return {}
    before = manifest_of(store, parent[0].folder)
    month = parent[0].committed_at.astimezone(dt.UTC).strftime("%Y-%m")
    return {**(before.months if before else {}), month: parent[0].path}


def _write_first(store: ObjectStore, name: str, data: bytes) -> ObjectInfo:
    """Put an object unless there is one, whatever it holds."""
    try:
        return write_once(store, name, data)
    except PreconditionFailed:
        there = store.stat(name)
        if there is None:
            raise
        return there


def _write_manifest(store: ObjectStore, manifest: Manifest) -> None:
    """Complete the version; one that the same run completed from the same parent will do."""
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
    """Write current.json over the parent's generation; after a conflict see who won."""
    generation = parent[1] if parent else 0
    for _ in range(_LOST_ANSWERS):
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
            return _ours(there, org, to.run_id, parent)
    raise lost
