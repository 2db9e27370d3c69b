"""Organizations copied into another store, from which their runs can go on.

The copy follows the pointer: what a version consists of is copied before its manifest, and the
pointer last, so that the other store names a whole version at every moment. What the first store
has deleted by its rules is deleted there too, once the pointer is there.

Copies at the same time, and one that was overtaken, do no harm. `copied.json` is replaced by
compare-and-swap before the pointer is, and what it was is read first of all: a copy that another
one has overtaken ends there. What is deleted was found in the target before the source was listed:
so the source had it, and has it no longer.
"""

from __future__ import annotations

import datetime as dt
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pydantic import AwareDatetime, BaseModel

from almanac.errors import (
    AlmanacError,
    NotFound,
    OutcomeUnknown,
    PreconditionFailed,
    RequestError,
    TransientError,
)
from almanac.storage import layout
from almanac.storage.checksums import crc32c_of
from almanac.storage.copying import are_buckets, copy_object, same_content
from almanac.storage.documents import Document, read_document, to_json
from almanac.storage.store import ObjectInfo, ObjectStore
from almanac.storage.versions import Current, current

_REMEMBERED = 10  # pointers of earlier copies
AT_ONCE = 16  # organizations, where no bytes pass here
_TRIES = 3  # times that the source may change while it is copied
_ADVICE = (
    "the other store has been worked in, which a copy would undo; --replace copies all the same"
)


class Copied(Document):
    """copied.json, in the copy: the CRC32C of each current.json that copies may have put there,
    and when the source was as the copy is with it."""

    pointers: dict[str, AwareDatetime]


class CopiedOrganization(BaseModel):
    """What a copy did for an organization: objects copied and deleted, bytes copied."""

    org_id: str
    version: int | None  # the current one, in both stores; None: there is none, nothing was done
    copied: int = 0
    deleted: int = 0
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class _TargetState:
    """What the target was before the source was looked at."""

    pointer: ObjectInfo | None
    mark: tuple[Copied, int] | None
    objects: dict[str, ObjectInfo]


@dataclass(frozen=True, slots=True)
class _Source:
    """What the source is: its current version, and the objects that belong in the copy."""

    version: Current
    objects: dict[str, ObjectInfo]


def copy_organization(
    source: ObjectStore,
    target: ObjectStore,
    org: str,
    now: dt.datetime,
    *,
    replace: bool = False,
    folder: Path | None = None,
) -> CopiedOrganization:
    """Make the organization in the target what it is in the source, and return what that took.

    replace: also where the target's current version was not put there by a copy. folder: for files,
    the system's temporary one by default. An organization without a current version is left alone,
    so that a store that was emptied does not empty its copy. Raises RequestError (the target has
    been worked in), TransientError (the source changes, or another copy was faster).
    """
    before = _TargetState(
        target.stat(layout.current(org)), copied(target, org), _objects(target, org)
    )
    there = _look(source, org)
    if there is None:
        return CopiedOrganization(org_id=org, version=None)
    _check_is_copy(org, before, replace)
    done = CopiedOrganization(org_id=org, version=there.version.version)
    with tempfile.TemporaryDirectory(prefix="almanac-", dir=folder) as made:
        for _ in range(_TRIES):
            if _copy_objects(source, target, there, before, done, Path(made)):
                break
            before = _TargetState(before.pointer, before.mark, _objects(target, org))
            if (again := _look(source, org)) is None:
                return done
            there = again
        else:
            raise TransientError(f"organization {org}: changes while it is copied; copy again")
    done.version = there.version.version
    _point(target, org, there.version, before, now)
    for name in sorted(before.objects.keys() - there.objects.keys(), key=_manifests_first):
        with suppress(NotFound, PreconditionFailed):  # another copy was here
            target.delete(name, if_generation=before.objects[name].generation)
            done.deleted += 1
    return done


def copy_each(
    source: ObjectStore,
    target: ObjectStore,
    orgs: Sequence[str],
    clock: Callable[[], dt.datetime],
    *,
    replace: bool = False,
) -> Iterator[tuple[str, CopiedOrganization | AlmanacError]]:
    """Copy organizations, and yield of each what was done or why it failed, in their order."""

    def copy(org: str) -> CopiedOrganization | AlmanacError:
        try:
            return copy_organization(source, target, org, clock(), replace=replace)
        except AlmanacError as error:
            return error

    if not are_buckets(source, target):
        yield from ((org, copy(org)) for org in orgs)
        return
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield from zip(orgs, pool.map(copy, orgs), strict=True)


def copied(target: ObjectStore, org: str) -> tuple[Copied, int] | None:
    """Return what a copy says of itself, with its generation; None if there is no copy."""
    return read_document(target, layout.copied(org), Copied)


def as_of_copy(target: ObjectStore, org: str) -> dt.datetime | None:
    """Return when the source was as the copy is; None if no copy has been completed."""
    pointer, mark = target.stat(layout.current(org)), copied(target, org)
    return mark[0].pointers.get(pointer.crc32c) if pointer and mark else None


def _check_is_copy(org: str, before: _TargetState, replace: bool) -> None:
    """Raise RequestError if the target's pointer was put there by anything but a copy."""
    known = before.mark[0].pointers if before.mark else {}
    if before.pointer and before.pointer.crc32c not in known and not replace:
        raise RequestError(f"organization {org}: {_ADVICE}")


def _look(source: ObjectStore, org: str) -> _Source | None:
    """Return what the source is; None if the organization has no current version.

    The pointer is read after the listing: events that a version has leave the inbox once it is
    current, so what is listed there is all that this version, or a later one, does not have.
    """
    for _ in range(_TRIES):
        objects = _objects(source, org)
        if (there := current(source, org)) is None:
            return None
        version = there[0]
        database = objects.get(version.path)
        content = (database.size, database.crc32c) if database else None
        if f"{version.folder}/{layout.MANIFEST}" in objects and content == (
            version.size,
            version.crc32c,
        ):
            return _Source(version, _without_unfinished_runs(org, objects))
    raise TransientError(
        f"organization {org}: {version.path} is missing, or is not the database that was published"
    )


def _objects(store: ObjectStore, org: str) -> dict[str, ObjectInfo]:
    """Return the organization's objects by name, without the pointer, the lease and the mark.

    And without the summary, which is about a generation of this store's pointer.
    """
    apart = {f(org) for f in (layout.current, layout.lease, layout.copied, layout.summary)}
    listed = store.list(layout.organization(org))
    return {info.name: info for info in listed if info.name not in apart}


def _without_unfinished_runs(org: str, objects: dict[str, ObjectInfo]) -> dict[str, ObjectInfo]:
    """Return the objects without what only a run in flight needs: there it begins from the start.

    Its plan names generations of the source. Of a run that has ended the documents stay.
    """
    runs = layout.runs(org)
    return {
        name: info
        for name, info in objects.items()
        if not name.startswith(runs) or layout.outlives_run(name, objects)
    }


def _copy_objects(
    source: ObjectStore,
    target: ObjectStore,
    there: _Source,
    before: _TargetState,
    done: CopiedOrganization,
    folder: Path,
) -> bool:
    """Copy what the target lacks; return whether the source still had all of it."""
    complete = True
    for name in sorted(there.objects, key=_manifests_last):
        info = there.objects[name]
        if same_content(info, before.objects.get(name)):
            continue
        try:
            copy_object(source, target, info, before.objects.get(name), folder)
        except NotFound:  # deleted or replaced meanwhile
            complete = False
            continue
        done.copied += 1
        done.bytes += info.size
    return complete


def _point(
    target: ObjectStore, org: str, version: Current, before: _TargetState, now: dt.datetime
) -> None:
    """Write copied.json and then the pointer, if nothing but this copy has written them since."""
    data, name = to_json(version), layout.current(org)
    # those of copies that died before they wrote the pointer, or have yet to
    earlier = before.mark[0].pointers.items() if before.mark else ()
    latest = sorted(earlier, key=lambda each: each[1])[-_REMEMBERED:]
    mark = Copied(pointers={**dict(latest), crc32c_of(data): now})
    _swap(target, layout.copied(org), to_json(mark), before.mark[1] if before.mark else 0)
    if before.pointer is None or before.pointer.crc32c != crc32c_of(data):
        _swap(target, name, data, before.pointer.generation if before.pointer else 0)


def _swap(target: ObjectStore, name: str, data: bytes, generation: int) -> None:
    try:
        target.write(name, data, if_generation=generation)
    except PreconditionFailed as error:
        raise TransientError(f"{name}: another copy was faster; copy again") from error
    except OutcomeUnknown as error:
        raise TransientError(f"{error}; copy again") from error


def _manifests_last(name: str) -> tuple[str, bool, str]:
    folder = layout.folder_of_version(name) or name
    return folder, name.endswith(f"/{layout.MANIFEST}"), name


def _manifests_first(name: str) -> tuple[str, bool, str]:
    folder, manifest, name = _manifests_last(name)
    return folder, not manifest, name
