"""The checksums of the blocks of a version's database, by which ranges of it are verified.

A store has one checksum for a whole object and none for a range. See
docs/decisions/0056-block-checksums.md.
"""

from __future__ import annotations

import base64
import threading
from functools import cached_property

from pydantic import Field

from almanac.errors import Corrupt
from almanac.storage import layout
from almanac.storage.checksums import BLOCK_BYTES, packed_checksums
from almanac.storage.documents import Document, read_document
from almanac.storage.store import ObjectInfo, ObjectStore, whole_transfer

_CRC_BYTES = 4


class BlockChecksums(Document):
    """What is beside a database: the CRC32C of each of its blocks, the last of which is shorter.

    size and crc32c are of the whole database. blocks: _CRC_BYTES for each block, in base64.
    """

    size: int
    crc32c: str
    block_bytes: int = Field(gt=0)
    blocks: str

    @cached_property
    def packed(self) -> bytes:
        """Return the checksums of the blocks, one after the other."""
        return base64.b64decode(self.blocks)

    def check(self, name: str, start: int, data: bytes) -> None:
        """Raise Corrupt unless the blocks from start on are as written; start begins a block."""
        first = start // self.block_bytes * _CRC_BYTES
        found = packed_checksums(data, self.block_bytes)
        if self.packed[first : first + len(found)] != found:
            raise Corrupt(f"{name}: the bytes read from {start} on are not those written")


def checksums_document(database: ObjectInfo, packed: bytes) -> BlockChecksums:
    """Return the document to keep beside the database whose blocks have these checksums."""
    return BlockChecksums(
        size=database.size,
        crc32c=database.crc32c,
        block_bytes=BLOCK_BYTES,
        blocks=base64.b64encode(packed).decode(),
    )


class VerifiedRanges:
    """Reads ranges of one generation of a database in a store; safe for threads.

    Each range begins where a block does, and ends so or at the end of the database. A range that
    arrives damaged is read again. Databases of versions that an older program published have no
    checksums beside them: of their ranges only the length is verified. checksums: if the caller
    has them.
    """

    def __init__(
        self, store: ObjectStore, database: ObjectInfo, checksums: BlockChecksums | None = None
    ) -> None:
        self._store = store
        self._database = database
        self._lock = threading.Lock()
        self._checksums = checksums
        self._loaded = checksums is not None

    def read(self, start: int, length: int) -> bytes:
        """Return bytes [start, start + length); raise what the store's read_range raises."""
        name, generation = self._database.name, self._database.generation
        checksums = self._load()

        def transfer() -> bytes:
            data = self._store.read_range(name, generation, start, length)
            if checksums is not None:
                checksums.check(name, start, data)
            return data

        return whole_transfer(name, transfer, self._is_sound)

    def _load(self) -> BlockChecksums | None:
        with self._lock:
            if not self._loaded:
                name = layout.block_checksums(self._database.name)
                found = read_document(self._store, name, BlockChecksums)
                whole = (self._database.size, self._database.crc32c)
                if found and (found[0].size, found[0].crc32c) == whole:
                    self._checksums = found[0]
                self._loaded = True
            return self._checksums

    def _is_sound(self) -> bool:
        self._store.open_local(self._database.name)  # verifies the file of a store in a folder
        return True
