"""The versions of an organization's database, and current.json, which names the current one.

A version is complete once its manifest exists, and current once current.json names it.
"""

from __future__ import annotations

import datetime as dt

from pydantic import AwareDatetime, ConfigDict, Field

from almanac.errors import (
    Corrupt,
    NotFound,
    RequestError,
)
from almanac.storage import layout
from almanac.storage.documents import Document, read_document
from almanac.storage.store import ObjectInfo, ObjectStore, stat_expecting


class Current(Document):
    """current.json: the current version. path names the object of its database."""

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

    @property
    def folder(self) -> str:
        """The folder of the version's objects, without a slash at the end."""
        return self.path.rpartition("/")[0]


def current(store: ObjectStore, org: str) -> tuple[Current, int] | None:
    """Return the current version and the generation of current.json; None if there is none yet."""
    return read_document(store, layout.current(org), Current)


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


def list_versions(store: ObjectStore, org: str) -> list[Manifest]:
    """Return the complete versions by number; some may never have been current."""
    manifests = []
    for folder, objects in folders(store, org).items():
        if any(each.name == f"{folder}/{layout.MANIFEST}" for each in objects):
            found = manifest_of(store, folder)
            manifests += [found] if found else []
    return manifests


def committed_by(store: ObjectStore, org: str, run_id: str, since: int) -> Manifest | None:
    """Return the run's version if it is the current one or an ancestor of it after `since`."""
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
    """Return the objects of each version's folder by number, complete versions or not."""
    found: dict[str, list[ObjectInfo]] = {}
    for info in store.list(layout.versions(org)):
        if folder := layout.folder_of_version(info.name):
            found.setdefault(folder, []).append(info)
    return found
