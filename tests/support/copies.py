"""Copies of a store, and what is always true of one."""

from __future__ import annotations

import datetime as dt

from almanac.organizations.replica import CopiedOrganization, copy_organization
from almanac.storage import layout
from almanac.storage.store import ObjectStore
from almanac.storage.versions import current, database_of, manifest_of

NIGHT = dt.datetime(2027, 3, 1, 10, 0, tzinfo=dt.UTC)


def copy(
    source: ObjectStore, target: ObjectStore, org: str = "206", *, replace: bool = False
) -> CopiedOrganization:
    return copy_organization(source, target, org, NIGHT, replace=replace)


def names(store: ObjectStore) -> set[str]:
    return {info.name for info in store.list("orgs/")}


def is_whole(store: ObjectStore, source: ObjectStore, org: str = "206") -> bool:
    """Whether there is a current version, with each object that it has in the source; no version
    has a manifest and no database."""
    if (there := current(store, org)) is None:
        return False
    version, _ = there
    assert manifest_of(store, version.folder)
    had, has = contents(source, version.folder), contents(store, version.folder)
    assert has == (had or has), "the pointer names a version that is not whole"
    for name in names(store):
        if name.endswith(f"/{layout.MANIFEST}") and (found := manifest_of(store, name[:-14])):
            database_of(store, found)
    return True


def contents(store: ObjectStore, folder: str) -> dict[str, str]:
    return {info.name: info.crc32c for info in store.list(f"{folder}/")}
