"""The pages that a run changed in its snapshot before planning, kept as objects of the run.

The pages are one object, by their numbers; a document beside it says which they are, what database
they belong to, and which events they hold. See docs/decisions/0058-changed-pages.md.
"""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from pydantic import Field

from almanac.database.blocks import Blocks
from almanac.database.changed_pages import ChangedPages
from almanac.database.page_map import PageMap, write_pages
from almanac.database.sources import Traffic
from almanac.errors import Corrupt, NotFound
from almanac.frames import Ids
from almanac.report.events import RunEvents
from almanac.storage import layout
from almanac.storage.block_checksums import BlockChecksums, VerifiedRanges
from almanac.storage.checksums import BLOCK_BYTES, Checksum, packed_checksums
from almanac.storage.documents import Document, read_document, to_json
from almanac.storage.store import (
    ObjectInfo,
    ObjectStore,
    put_file_once,
    stat_expecting,
    write_once,
)

_NUMBER, _ID = np.dtype("<u4"), np.dtype("<i8")


class AbsorbedEvents(Document):
    """What was absorbed, and what that does to counts.

    committed: planned rows that became rows of the sender, less the other way. objects: those of
    the inbox whose events the snapshot has now.
    """

    counts: RunEvents
    committed: int
    objects: list[str]


class SnapshotChange(Document):
    """runs/<run>/absorbed-<digest>.json: the changed pages of a snapshot.

    base_size and base_crc32c are of the database that they change; numbers: of the pages, from 0,
    differences packed and in base64; other sizes as in `PageMap`, in bytes. changes: the name of
    the change set of what was absorbed, if there is one, else without_changes says why not.
    contacts: as `packed`.
    """

    base_size: int
    base_crc32c: str
    page_bytes: int = Field(gt=0)
    kept: int
    size: int
    numbers: str
    pages: str
    checksums: BlockChecksums
    absorbed: AbsorbedEvents
    changes: str | None = None
    without_changes: str = ""
    contacts: str | None = None

    def changed_contacts(self) -> Ids | None:
        """Return the contacts whose rows of email_schedules are changed; None if not known."""
        return unpacked(self.contacts) if self.contacts is not None else None

    def page_map(self) -> PageMap:
        """Return which pages are changed."""
        steps = np.frombuffer(zlib.decompress(base64.b64decode(self.numbers)), _NUMBER)
        return PageMap(self.page_bytes, self.kept, self.size, np.cumsum(steps, dtype=np.int64))


def store_change(
    store: ObjectStore,
    run: str,
    base: tuple[int, str],
    pages: ChangedPages,
    absorbed: AbsorbedEvents,
    changes: bytes | str,
    folder: Path,
    contacts: Ids | None = None,
) -> str:
    """Write the pages as objects below the prefix `run`, and return the document's name.

    base: size and checksum of the database. changes: the change set, or why there is none.
    contacts: as SnapshotChange.changed_contacts. The
    name depends on all of the content, so that deliveries of one request which absorb different
    events do not disturb each other. folder: empty, for the pages.
    """
    file = folder / "pages"
    written, blocks = _write_content(file, pages)
    page_map = pages.map()
    steps = np.diff(page_map.numbers, prepend=0).astype(_NUMBER)
    change = SnapshotChange(
        base_size=base[0],
        base_crc32c=base[1],
        page_bytes=page_map.page_bytes,
        kept=page_map.kept,
        size=page_map.size,
        numbers=base64.b64encode(zlib.compress(steps.tobytes())).decode(),
        pages="",
        checksums=BlockChecksums(
            size=written.size,
            crc32c=written.crc32c,
            block_bytes=BLOCK_BYTES,
            blocks=base64.b64encode(blocks).decode(),
        ),
        absorbed=absorbed,
        without_changes=changes if isinstance(changes, str) else "",
        contacts=packed(contacts) if contacts is not None else None,
    )
    digest = hashlib.sha256(to_json(change))
    digest.update(changes if isinstance(changes, bytes) else b"")
    name = layout.absorbed(run, digest.hexdigest()[:32])
    change = change.model_copy(
        update={
            "pages": layout.absorbed_pages(name),
            "changes": layout.absorbed_changes(name) if isinstance(changes, bytes) else None,
        }
    )
    put_file_once(store, change.pages, file, move=True)
    if change.changes is not None and isinstance(changes, bytes):
        write_once(store, change.changes, changes)
    write_once(store, name, to_json(change))
    return name


def packed(ids: Ids) -> str:
    """Return ascending ids as text: their differences, compressed."""
    steps = np.diff(ids, prepend=0).astype(_ID)
    return base64.b64encode(zlib.compress(steps.tobytes())).decode()


def unpacked(text: str) -> Ids:
    """Return the ids that `packed` has made a text of."""
    steps = np.frombuffer(zlib.decompress(base64.b64decode(text)), _ID)
    return np.cumsum(steps, dtype=np.int64)


def _write_content(file: Path, pages: ChangedPages) -> tuple[Checksum, bytes]:
    """Write the pages into a file; return its checksum and those of its blocks."""
    whole, blocks = Checksum(), []
    with file.open("wb") as out:
        for chunk in pages.content():  # of whole blocks, but for the last one
            out.write(chunk)
            whole.update(chunk)
            blocks.append(packed_checksums(chunk))
    return whole, b"".join(blocks)


def read_change(store: ObjectStore, name: str) -> SnapshotChange:
    """Return the document of a run's changed pages; raise NotFound, Corrupt."""
    found = read_document(store, name, SnapshotChange)
    if found is None:
        raise NotFound(f"{name}: no such object; the run was planned on it")
    return found[0]


def fetch_pages(store: ObjectStore, change: SnapshotChange, database: Path) -> None:
    """Write the changed pages into the local file of the base; raise NotFound, Corrupt."""
    pages = _located_pages(store, change)
    file = database.with_name("pages")
    store.fetch_file(pages.name, file, pages.generation)
    try:
        write_pages(database, change.page_map(), _chunks(file, change.page_bytes))
    finally:
        file.unlink()


class PatchedRanges:
    """Reads ranges of a database with changed pages in it; safe for threads.

    Ranges begin where blocks do, as those of VerifiedRanges.
    """

    def __init__(
        self, store: ObjectStore, database: ObjectInfo, change: SnapshotChange, cache_bytes: int
    ) -> None:
        if (database.size, database.crc32c) != (change.base_size, change.base_crc32c):
            raise Corrupt(f"{change.pages}: its pages are not of {database.name}")
        pages = _located_pages(store, change)
        verified = VerifiedRanges(store, pages, change.checksums)
        self._base = VerifiedRanges(store, database)
        self._base_size = database.size
        self._pages = Blocks(pages.name, pages.size, verified.read, cache_bytes=cache_bytes)
        self._map = change.page_map()
        self.size = change.size

    def read(self, start: int, length: int) -> bytes:
        """Return bytes [start, start + length); raise what the store's read_range raises."""
        stop = start + length
        of_base = min(stop, self._map.kept) - start
        data = bytearray(length)
        if of_base > 0:
            whole = min(-(-of_base // BLOCK_BYTES) * BLOCK_BYTES, self._base_size - start)
            data[:of_base] = self._base.read(start, whole)[:of_base]
        places, page = self._map.between(start, stop), self._map.page_bytes
        content = self._pages.read(
            places.start * page, (places.stop - places.start) * page, Traffic()
        )
        for place, number in enumerate(self._map.numbers[places].tolist()):
            at = number * page - start  # a range holds whole pages
            data[at : at + page] = content[place * page : (place + 1) * page]
        return bytes(data)


def _located_pages(store: ObjectStore, change: SnapshotChange) -> ObjectInfo:
    expected = (change.checksums.size, change.checksums.crc32c)
    pages = stat_expecting(store, change.pages, expected)
    if pages is None:
        raise NotFound(f"{change.pages}: no such object; the run was planned on it")
    if (pages.size, pages.crc32c) != expected:
        raise Corrupt(f"{change.pages}: has other content than the run was planned on")
    return pages


def _chunks(file: Path, page_bytes: int) -> Iterator[bytes]:
    with file.open("rb") as content:
        while chunk := content.read(256 * page_bytes):
            yield chunk
