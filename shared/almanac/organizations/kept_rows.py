"""The planned rows of a version in columns, kept beside its database.

They say what the database says, in a hundredth of its bytes: what is wrong with them costs a
warning in the log and no more. See docs/decisions/0075-planned-rows-in-columns.md.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pydantic import ValidationError

from almanac.database.planned_pieces import Fetch, FileFetch, PieceIndex, PlannedPieces
from almanac.errors import Corrupt, NotFound, StorageError
from almanac.frames import Ids
from almanac.logs import get_log
from almanac.storage import layout
from almanac.storage.store import ObjectStore, whole_transfer
from almanac.storage.versions import Content, Manifest


def kept_rows_of(manifest: Manifest) -> Content | None:
    """Return size and checksum of the index of a version's planned rows; None if it has none."""
    there = manifest.attachments
    return there.get(layout.PLANNED_INDEX) if layout.PLANNED_PIECES in there else None


def kept_rows(
    store: ObjectStore, folder: str, index: Content, changed: Ids, local: Path | None = None
) -> PlannedPieces | None:
    """Return the planned rows of the version in a folder, None if they cannot be read.

    index: of the version's manifest. changed: contacts that have other rows by now. The rows are
    read by ranges, or from the file `local`, to which they are fetched.
    """
    try:
        return PlannedPieces(*_opened(store, folder, index, local), changed)
    except StorageError as error:
        get_log().warning("planned rows are read from the database", reason=str(error))
        return None


def _opened(
    store: ObjectStore, folder: str, expected: Content, local: Path | None
) -> tuple[PieceIndex, Fetch]:
    found = store.read(f"{folder}/{layout.PLANNED_INDEX}")
    if (found.size, found.crc32c) != (expected.size, expected.crc32c):
        raise Corrupt(f"{found.name}: is not the one in the manifest")
    try:
        index = PieceIndex.model_validate_json(found.data)
    except ValidationError as error:
        raise Corrupt(f"{found.name}: not an index of planned rows") from error
    name = f"{folder}/{layout.PLANNED_PIECES}"
    if local is not None:
        store.fetch_file(name, local)
        return index, FileFetch(local)
    pieces = store.stat(name)
    if pieces is None:
        raise NotFound(f"{name}: no such object")
    generation = pieces.generation

    def fetch(start: int, size: int, check: Callable[[bytes], None]) -> bytes:
        def transfer() -> bytes:
            data = store.read_range(name, generation, start, size)
            check(data)
            return data

        return whole_transfer(name, transfer, is_sound=lambda: False)

    return index, fetch
