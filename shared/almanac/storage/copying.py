"""Copies of single objects from one store into another."""

from __future__ import annotations

import sys
from pathlib import Path

from almanac.errors import NotFound, OutcomeUnknown, PreconditionFailed, TransientError
from almanac.storage.store import ObjectInfo, ObjectStore, reading_back

IN_MEMORY = 8_000_000  # bytes; larger objects go through a file


def copy_object(
    source: ObjectStore, target: ObjectStore, info: ObjectInfo, before: ObjectInfo | None, to: Path
) -> None:
    """Copy the generation that info names; before: what the target has under the name.

    From bucket to bucket Cloud Storage does it, and no byte passes here; to: a folder for the
    others. The same content there already, from another process, is success. Raises NotFound (the
    source no longer has this generation), TransientError.
    """
    try:
        if are_buckets(source, target):
            generation = before.generation if before else 0
            target.copy_from(source, info, generation)  # type: ignore[attr-defined]
        elif info.size <= IN_MEMORY:
            _copy_bytes(source, target, info, before)
        else:
            _copy_file(source, target, info, before, to)
    except (OutcomeUnknown, PreconditionFailed) as error:
        lost = error if isinstance(error, OutcomeUnknown) else None
        with reading_back(lost):
            there = target.stat(info.name)
        if not same_content(info, there):
            if lost is not None:
                raise lost.as_not_written() from lost
            raise TransientError(f"{info.name}: another process writes it; copy again") from error


def are_buckets(source: ObjectStore, target: ObjectStore) -> bool:
    """Return whether both are buckets, so that Cloud Storage copies between them."""
    cloud = sys.modules.get("almanac.storage.cloud")  # not imported: no store is a bucket
    return cloud is not None and all(
        isinstance(each, cloud.CloudStore) for each in (source, target)
    )


def same_content(one: ObjectInfo, other: ObjectInfo | None) -> bool:
    """Return whether two objects have the same size and checksum; None has no content."""
    return other is not None and (one.size, one.crc32c) == (other.size, other.crc32c)


def _copy_bytes(
    source: ObjectStore, target: ObjectStore, info: ObjectInfo, before: ObjectInfo | None
) -> None:
    found = source.read(info.name)
    if found.generation != info.generation:
        raise NotFound(f"{info.name}: was replaced")
    target.write(info.name, found.data, if_generation=before.generation if before else 0)


def _copy_file(
    source: ObjectStore, target: ObjectStore, info: ObjectInfo, before: ObjectInfo | None, to: Path
) -> None:
    path = to / str(info.generation)
    try:
        source.fetch_file(info.name, path, info.generation)
    except PreconditionFailed as error:
        raise NotFound(f"{info.name}: was replaced") from error
    try:
        if before is not None:
            target.delete(info.name, if_generation=before.generation)
        target.put_file(info.name, path)
    finally:
        path.unlink()
