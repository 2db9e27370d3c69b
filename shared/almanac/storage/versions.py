"""The versions of an organization's database, and current.json, which names the current one.

A version is complete once its manifest exists, and current once current.json names it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

from pydantic import AwareDatetime, ConfigDict, Field

from almanac.errors import (
    Corrupt,
    NotFound,
    RequestError,
    TransientError,
)
from almanac.storage import layout
from almanac.storage.documents import Document, read_document
from almanac.storage.store import ObjectInfo, ObjectStore, stat_expecting

ANCESTORS = 100  # versions that a manifest names, about 70 bytes each


class Current(Document):
    """current.json: the current version. path names the object of its database.

    left and highest are what else is known of the versions that have been in force (history.py):
    the paths of those that a rollback left, each with the id of that rollback, empty if it is not
    known; and the highest number. Both are None if a release that did not record them wrote last.
    """

    version: int = Field(ge=1)
    path: str
    run_id: str
    crc32c: str
    size: int  # bytes
    as_of: dt.date
    committed_at: AwareDatetime
    left: dict[str, str] | None = None
    highest: int | None = None
    # Of what a writer is returned, and never stored: the version that was current when its own was
    # found to have been put in force.
    replaced_by: Current | None = Field(default=None, exclude=True)

    @property
    def folder(self) -> str:
        """The folder of the version's objects, without a slash at the end."""
        return self.path.rpartition("/")[0]


class Content(Document):
    """Size in bytes and checksum of one object of a version."""

    size: int
    crc32c: str


class Manifest(Document):
    """manifest.json: what a version is and where it comes from; it completes the version."""

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
    # The path of the version that was current at the end of each earlier month ("2026-10").
    months: dict[str, str] = Field(default_factory=dict)
    # The ANCESTORS versions before it by the names of their folders, its parent first, and when
    # each was created.
    ancestors: dict[str, AwareDatetime] = Field(default_factory=dict)

    @property
    def folder(self) -> str:
        """The folder of the version's objects, without a slash at the end."""
        return self.path.rpartition("/")[0]

    def before(self) -> Iterator[tuple[str, dt.datetime]]:
        """Yield the folders of its ancestors, the parent first, and when each was created."""
        versions = self.folder.rpartition("/")[0]
        for name, created_at in self.ancestors.items():
            yield f"{versions}/{name}", created_at


def current(store: ObjectStore, org: str) -> tuple[Current, int] | None:
    """Return the current version and the generation of current.json; None if there is none yet."""
    return read_document(store, layout.current(org), Current)


def current_since(store: ObjectStore, org: str, seen: int) -> tuple[Current, int] | None:
    """Return `current`; seen: a generation of current.json that the caller has read before.

    Raises TransientError for an older one: such a stale answer is no version of another writer.
    """
    there = current(store, org)
    if there and there[1] < seen:
        raise TransientError(
            f"organization {org}: an earlier version, {there[0].version}, was read as the current "
            "one; try again"
        )
    return there


def require_current(store: ObjectStore, org: str) -> tuple[Current, int]:
    """Return the current version and the generation of current.json; RequestError without one."""
    found = current(store, org)
    if found is None:
        raise RequestError(f"organization {org}: has no version yet")
    return found


def manifest_of(store: ObjectStore, folder: str) -> Manifest | None:
    """Return the manifest in a version's folder; None if the version is not complete."""
    found = read_document(store, f"{folder}/{layout.MANIFEST}", Manifest)
    return found[0] if found else None


def database_of(store: ObjectStore, version: Current | Manifest) -> ObjectInfo:
    """Return the object of the version's database, with the generation to pin reads to.

    Raises NotFound, Corrupt (it is not the database that was published).
    """
    info = stat_expecting(store, version.path, (version.size, version.crc32c))
    if info is None:
        raise NotFound(f"{version.path}: no such object")
    if (info.size, info.crc32c) != (version.size, version.crc32c):
        raise Corrupt(
            f"{version.path}: {info.size} bytes, {info.crc32c}, where {version.size} bytes, "
            f"{version.crc32c} were published"
        )
    return info


def folders(store: ObjectStore, org: str) -> dict[str, list[ObjectInfo]]:
    """Return the objects of each version's folder by number, complete versions or not."""
    found: dict[str, list[ObjectInfo]] = {}
    for info in store.list(layout.versions(org)):
        if folder := layout.folder_of_version(info.name):
            found.setdefault(folder, []).append(info)
    return found


def history_of(store: ObjectStore, parent: tuple[Current, int] | None) -> dict[str, Any]:
    """Return what a manifest says of the versions before it: `months` and `ancestors`."""
    if parent is None:
        return {}
    found, folder = manifest_of(store, parent[0].folder), parent[0].folder
    month = parent[0].committed_at.astimezone(dt.UTC).strftime("%Y-%m")
    name = folder.rpartition("/")[2]
    earlier = list(found.ancestors.items())[: ANCESTORS - 1] if found else []
    return {
        "months": {**(found.months if found else {}), month: parent[0].path},
        "ancestors": {name: found.created_at if found else parent[0].committed_at} | dict(earlier),
    }
