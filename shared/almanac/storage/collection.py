"""The collection: which old versions and run objects are deleted."""

from __future__ import annotations

import datetime as dt

from almanac.errors import NotFound, OutcomeUnknown
from almanac.storage import layout
from almanac.storage.store import LOST_ANSWERS, ObjectInfo, ObjectStore
from almanac.storage.versions import Manifest, current, folders, manifest_of

KEEP_DAYS = 7


def collect_versions(
    store: ObjectStore, org: str, now: dt.datetime, *, keep_days: int = KEEP_DAYS, monthly: int = 12
) -> list[str]:
    """Delete versions that are not kept, and return their folders.

    Kept are the current version and its parent, versions younger than keep_days, and the last
    version of each of the `monthly` months before now's. A folder without manifest is deleted once
    a version with the same or a higher number is older than keep_days. The caller holds the
    organization's lease.
    """
    there = current(store, org)
    if there is None:
        return []
    found = folders(store, org)
    manifests = {folder: manifest_of(store, folder) for folder in found}
    kept = {*why_kept(manifests.get(there[0].folder), now, monthly), there[0].folder}
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
            break  # another version became current, perhaps this one
        # The manifest first: without it a version is incomplete, so no rollback uses half of one.
        for info in sorted(objects, key=lambda each: not each.name.endswith(layout.MANIFEST)):
            _delete(store, info)
        deleted.append(folder)
    return deleted


def collect_runs(
    store: ObjectStore,
    org: str,
    now: dt.datetime,
    *,
    keep_days: int = KEEP_DAYS,
    keep_results: int = 400,
) -> int:
    """Delete the objects of runs older than keep_days, and return how many were deleted.

    Plan and result are kept for keep_results days. The age of a run follows from the date in its
    id. The caller holds the organization's lease.
    """
    deleted = 0
    for info in list(store.list(layout.runs(org))):
        day = layout.day_of_run(org, info.name)
        if day is None:
            continue
        record = info.name.endswith((layout.PLAN, layout.RESULT))
        if (now.date() - day).days > (keep_results if record else keep_days):
            _delete(store, info)
            deleted += 1
    return deleted


def why_kept(manifest: Manifest | None, now: dt.datetime, monthly: int = 12) -> dict[str, str]:
    """Return the folders that the current version's manifest keeps at any age, and why."""
    if manifest is None:
        return {}
    this_month = now.year * 12 + now.month
    reasons: dict[str, str] = {}
    for month, path in sorted(manifest.months.items()):
        year, number = map(int, month.split("-"))
        if this_month - (year * 12 + number) <= monthly:
            reasons[path.rpartition("/")[0]] = f"last of {month}"
    if manifest.parent_path:
        reasons[manifest.parent_path.rpartition("/")[0]] = "the one before"
    return reasons


def _delete(store: ObjectStore, info: ObjectInfo) -> None:
    for _ in range(LOST_ANSWERS):
        try:
            store.delete(info.name, if_generation=info.generation)
            return
        except NotFound:
            return
        except OutcomeUnknown as error:
            lost = error
    raise lost
