"""Which versions have been in force: only those are listed, fetched and rolled back to.

They are the current version, those that a rollback left, and the versions before each of them. A
complete version may never have been in force: its writer lost the race for current.json, or died.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping

from almanac.errors import RequestError
from almanac.storage import layout
from almanac.storage.store import ObjectInfo, ObjectStore
from almanac.storage.versions import Current, Manifest, current, folders, manifest_of

Folders = Mapping[str, list[ObjectInfo]]  # as folders() returns them


def list_versions(store: ObjectStore, org: str) -> list[Manifest]:
    """Return the kept versions that have been in force, by number."""
    there = current(store, org)
    kept = kept_folders(store, there[0], folders(store, org)) if there else []
    found = (manifest_of(store, folder) for folder in kept)
    return [manifest for manifest in found if manifest is not None]


def version_numbered(
    store: ObjectStore, org: str, there: Current, number: int, run_id: str | None = None
) -> Manifest:
    """Return the kept version of the number that has been in force.

    run_id chooses between several, which only a release that did not record `left` may have left.
    Raises RequestError.
    """
    kept = kept_folders(store, there, folders(store, org))
    named = {folder: layout.version_and_run(folder) or (0, "") for folder in kept}
    chosen = {
        folder: run
        for folder, (other, run) in named.items()
        if other == number and run_id in (None, run)
    }
    if len(chosen) > 1:
        runs = ", ".join(chosen.values())
        raise RequestError(f"organization {org}: version {number} is of several runs: {runs}")
    manifest = manifest_of(store, next(iter(chosen))) if chosen else None
    if manifest is None:
        numbers = ", ".join(str(other) for other, _ in named.values()) or "none"
        raise RequestError(f"organization {org}: version {number} is not kept ({numbers} are)")
    return manifest


def kept_folders(store: ObjectStore, there: Current, found: Folders) -> list[str]:
    """Return the folders of the complete versions that have been in force, by number."""
    known = have_been_in_force(store, there, found)
    return [folder for folder in _complete(found) if folder in known]


def have_been_in_force(
    store: ObjectStore, there: Current, found: Folders
) -> dict[str, dt.datetime | None]:
    """Return the folders of the versions that have been in force, and when each was created.

    None: the last version of a month so long ago that nothing else names it. Some may be collected.
    In a store whose last writer did not record `left`, every complete version counts, except one
    with the number of a version before the current one.
    """
    known: dict[str, dt.datetime | None] = {}
    for path in (there.path, *(there.left or ())):
        tip = manifest_of(store, path.rpartition("/")[0])
        if tip is None:
            continue
        for month in tip.months.values():
            known.setdefault(month.rpartition("/")[0], None)
        for folder, created_at in line(store, tip):
            if known.get(folder):
                break  # from here on they are those of another one
            known[folder] = created_at
    known.setdefault(there.folder, there.committed_at)
    if there.left is not None:
        return known
    taken = {number_of(folder) for folder in known}
    others = (manifest_of(store, folder) for folder in _complete(found) if folder not in known)
    return known | {
        each.folder: each.created_at for each in others if each and each.version not in taken
    }


def left_before(store: ObjectStore, parent: Current | None, found: Folders) -> dict[str, str]:
    """Return what the next current.json has as `left`, unless the next version adds to it.

    If the parent does not record it, or there is none though versions exist, these are all that
    may have been in force and are not before the parent.
    """
    if parent is None:
        return {f"{folder}/{layout.DATABASE}": "" for folder in _complete(found)}
    if parent.left is not None:
        return parent.left
    tip = manifest_of(store, parent.folder)
    before = {folder for folder, _ in line(store, tip)} if tip else {parent.folder}
    return {
        f"{folder}/{layout.DATABASE}": ""
        for folder in kept_folders(store, parent, found)
        if folder not in before
    }


def line(store: ObjectStore, tip: Manifest) -> Iterator[tuple[str, dt.datetime]]:
    """Yield the folders of a version and of those before it, and when each was created.

    It ends at a version that is not kept. A manifest names many versions, so few are read.
    """
    manifest: Manifest | None = tip
    yield tip.folder, tip.created_at
    while manifest is not None:
        folder = ""
        for folder, created_at in manifest.before():
            yield folder, created_at
        if folder:
            manifest = manifest_of(store, folder)
        elif manifest.parent_path:  # of a release that named no ancestors
            manifest = manifest_of(store, manifest.parent_path.rpartition("/")[0])
            if manifest is not None:
                yield manifest.folder, manifest.created_at
        else:
            return


def committed_by(
    store: ObjectStore, org: str, run_id: str, since: int, there: Current | None = None
) -> Manifest | None:
    """Return the run's version with a number above `since` if it is or was in force.

    there: what current.json says, if it has been read.
    """
    if there is None:
        found = current(store, org)
        if found is None:
            return None
        there = found[0]
    for path in (there.path, *(there.left or ())):
        folder = path.rpartition("/")[0]
        if number_of(folder) <= since or (tip := manifest_of(store, folder)) is None:
            continue
        for folder, _ in line(store, tip):
            if number_of(folder) <= since:
                break
            if layout.version_and_run(folder) == (number_of(folder), run_id):
                return manifest_of(store, folder)
    return None


def number_of(folder: str) -> int:
    """Return the number of a version's folder, 0 for another one."""
    found = layout.version_and_run(folder)
    return found[0] if found else 0


def _complete(found: Folders) -> list[str]:
    return [
        folder
        for folder, objects in found.items()
        if any(each.name == f"{folder}/{layout.MANIFEST}" for each in objects)
    ]
