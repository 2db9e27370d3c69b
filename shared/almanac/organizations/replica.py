"""Organizations copied into another store, from which their runs can go on.

The copy follows the pointer: what a version consists of is copied before its manifest, and the
pointer last, so that the other store names a whole version at every moment. What the first store
has deleted by its rules is deleted there too, once the pointer is there.
"""

from __future__ import annotations

import tempfile
from contextlib import suppress
from pathlib import Path

from pydantic import BaseModel

from almanac.errors import NotFound, TransientError
from almanac.storage import layout
from almanac.storage.documents import to_json
from almanac.storage.store import ObjectInfo, ObjectStore
from almanac.storage.versions import current

IN_MEMORY = 8_000_000  # bytes; larger objects go through a file
# What only a run in flight needs: the copy begins such a run from the start.
_OF_A_RUN = ("/fragments/", "/refused/")


class CopiedOrganization(BaseModel):
    """What a copy did for an organization: objects copied and deleted, bytes copied."""

    org_id: str
    version: int | None  # the current one, in both stores; None: there is none, nothing was done
    copied: int = 0
    deleted: int = 0
    bytes: int = 0


def copy_organization(
    source: ObjectStore, target: ObjectStore, org: str, folder: Path | None = None
) -> CopiedOrganization:
    """Make the organization in the target what it is in the source, and return what that took.

    folder: for files, the system's temporary one by default. An organization without a current
    version is left alone, so that a store that was emptied does not empty its copy. Raises
    PreconditionFailed where another process writes to the target at the same time.
    """
    there = current(source, org)
    if there is None:
        return CopiedOrganization(org_id=org, version=None)
    version, _ = there
    pointer = layout.current(org)
    wanted = _objects(source, org)  # what the pointer names is complete since before this
    found = _objects(target, org)
    done = CopiedOrganization(org_id=org, version=version.version)
    with tempfile.TemporaryDirectory(prefix="almanac-", dir=folder) as made:
        for name in sorted(wanted, key=_manifests_last):
            if _same(wanted[name], found.get(name)):
                continue
            with suppress(NotFound):  # deleted meanwhile
                _copy(source, target, wanted[name], found.get(name), Path(made))
                done.copied += 1
                done.bytes += wanted[name].size
    if (database := target.stat(version.path)) is None or database.crc32c != version.crc32c:
        raise TransientError(f"{version.path}: was replaced while it was copied; copy again")
    before = target.stat(pointer)
    data = to_json(version)
    if before is None or target.read(pointer).data != data:
        target.write(pointer, data, if_generation=before.generation if before else 0)
    for name in sorted(found.keys() - wanted.keys()):
        with suppress(NotFound):
            target.delete(name, if_generation=found[name].generation)
            done.deleted += 1
    return done


def _objects(store: ObjectStore, org: str) -> dict[str, ObjectInfo]:
    """Return the organization's objects by name, without the pointer, the lease and fragments."""
    apart = {layout.current(org), layout.lease(org)}
    return {
        info.name: info
        for info in store.list(layout.organization(org))
        if info.name not in apart and not any(part in info.name for part in _OF_A_RUN)
    }


def _manifests_last(name: str) -> tuple[str, bool, str]:
    folder = layout.folder_of_version(name) or name
    return folder, name.endswith(f"/{layout.MANIFEST}"), name


def _same(one: ObjectInfo, other: ObjectInfo | None) -> bool:
    return other is not None and (one.size, one.crc32c) == (other.size, other.crc32c)


def _copy(
    source: ObjectStore, target: ObjectStore, info: ObjectInfo, before: ObjectInfo | None, to: Path
) -> None:
    if info.size <= IN_MEMORY:
        data = source.read(info.name).data
        target.write(info.name, data, if_generation=before.generation if before else 0)
        return
    path = to / "object"
    source.fetch_file(info.name, path)
    try:
        if before is not None:
            target.delete(info.name, if_generation=before.generation)
        target.put_file(info.name, path)
    finally:
        path.unlink()
