"""Which old versions go."""

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
            break  # somebody swung the pointer, perhaps to this very version
        # Without its manifest a version is not complete: nobody rolls back to half of one.
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
    """Delete what runs that began keep_days ago left behind, but for plan and result.

    These two go after keep_results days. A run's age is that of the date its id begins with; the
    caller holds the organization's lease. Gives the number of objects that were deleted.
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
    """The folders that stay because the version in force names them, whatever their age."""
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
