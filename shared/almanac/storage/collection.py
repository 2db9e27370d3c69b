"""Which old versions go."""

from __future__ import annotations

import datetime as dt

from almanac.errors import NotFound, OutcomeUnknown
from almanac.storage import layout
from almanac.storage.store import ObjectInfo, ObjectStore
from almanac.storage.versions import Manifest, current, folders, manifest_of

_LOST_ANSWERS = 3


def collect_versions(
    store: ObjectStore, org: str, now: dt.datetime, *, keep_days: int = 7, monthly: int = 12
) -> list[str]:
    """Delete what nobody needs any more; the caller holds the organization's lease.

    Kept are the version in force and its parent, all younger than keep_days, and for each of
    the monthly months before now's the version in force at its end. Gives the folders that
    were deleted. A folder without manifest goes once a version that was numbered no earlier
    is older than keep_days.
    """
    there = current(store, org)
    if there is None:
        return []
    found = folders(store, org)
    manifests = {folder: manifest_of(store, folder) for folder in found}
    kept = _kept(manifests.get(there[0].folder), now, monthly) | {there[0].folder}
    old = {
        folder: manifest.version
        for folder, manifest in manifests.items()
        if manifest and manifest.created_at < now - dt.timedelta(days=keep_days)
    }
    last_old = max(old.values(), default=0)
    deleted = []
    for folder, objects in found.items():
        number_and_run = layout.version_and_run(folder)
        abandoned = (
            manifests[folder] is None
            and number_and_run is not None
            and number_and_run[0] <= last_old
        )
        if folder in kept or not (folder in old or abandoned):
            continue
        if current(store, org) != there:
            break  # somebody swung the pointer, perhaps to this very version
        # Without its manifest a version is not complete: nobody rolls back to half of one.
        for info in sorted(objects, key=lambda each: not each.name.endswith(layout.MANIFEST)):
            _delete(store, info)
        deleted.append(folder)
    return deleted


def _kept(manifest: Manifest | None, now: dt.datetime, monthly: int) -> set[str]:
    """The folders that the version in force speaks for."""
    if manifest is None:
        return set()
    this_month = now.year * 12 + now.month
    paths = {manifest.parent_path}
    for month, path in manifest.months.items():
        year, number = map(int, month.split("-"))
        if this_month - (year * 12 + number) <= monthly:
            paths.add(path)
    return {path.rpartition("/")[0] for path in paths if path}


def _delete(store: ObjectStore, info: ObjectInfo) -> None:
    for _ in range(_LOST_ANSWERS):
        try:
            store.delete(info.name, if_generation=info.generation)
            return
        except NotFound:
            return
        except OutcomeUnknown as error:
            lost = error
    raise lost
