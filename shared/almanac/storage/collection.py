"""The collection: which old versions and run objects are deleted."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from almanac.errors import NotFound, OutcomeUnknown
from almanac.storage import layout
from almanac.storage.history import have_been_in_force, number_of
from almanac.storage.pins import pinned
from almanac.storage.store import LOST_ANSWERS, ObjectInfo, ObjectStore
from almanac.storage.versions import Current, Manifest, current, folders, manifest_of

KEEP_DAYS = 7


def collect_versions(
    store: ObjectStore, org: str, now: dt.datetime, *, keep_days: int = KEEP_DAYS, monthly: int = 12
) -> list[str]:
    """Delete versions that are not kept, and return their folders.

    Kept are the current version and its parent, versions that are pinned or younger than keep_days,
    and the last version of each of the `monthly` months before now's, of those that have been in
    force; others, complete or not, only while they may still come into force. The caller holds the
    organization's lease.
    """
    there = current(store, org)
    manifest = manifest_of(store, there[0].folder) if there else None
    if there is None or manifest is None:
        return []
    found = folders(store, org)
    known = have_been_in_force(store, there[0], found)
    kept = {*why_kept(manifest, now, monthly), there[0].folder}
    limit = now - dt.timedelta(days=keep_days)
    oldest, since = min((number_of(folder), at) for folder, at in known.items() if at)
    deleted = []
    for folder, objects in found.items():
        if folder in kept or not (folder in known or _never_in_force(folder, there[0])):
            continue
        # Before the oldest that is known, what is not known may have been in force.
        if folder in known or number_of(folder) < oldest:
            created_at = known.get(folder) or _created_at(store, folder) or since
            if created_at >= limit:
                continue
        if current(store, org) != there:
            break  # another version became current, perhaps this one
        if folder in pinned(store, org):
            continue
        delete_version(store, objects)
        deleted.append(folder)
    return deleted


def _never_in_force(folder: str, there: Current) -> bool:
    """Whether a version that has not been in force never will be, though its writer be at work.

    Numbers in force only rise. So a version whose number has been reached began before that, on an
    earlier current.json: its compare-and-swap fails. This holds for a stale current.json too.
    """
    if there.left is None or there.highest is None:
        return False
    return number_of(folder) <= there.highest


def _created_at(store: ObjectStore, folder: str) -> dt.datetime | None:
    manifest = manifest_of(store, folder)
    return manifest.created_at if manifest else None


def delete_version(store: ObjectStore, objects: Iterable[ObjectInfo]) -> None:
    """Delete the objects of a version's folder.

    The manifest first: without it a version is incomplete, so no rollback uses half of one.
    """
    for info in sorted(objects, key=lambda each: not each.name.endswith(layout.MANIFEST)):
        _delete(store, info)


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
