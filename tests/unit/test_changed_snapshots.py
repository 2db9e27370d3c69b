"""The changed pages of a run: read with the snapshot, by ranges and as a file, and verified."""

from __future__ import annotations

from pathlib import Path

import apsw
import pytest

from almanac.database.blocks import BLOCK_BYTES, Blocks
from almanac.database.changed_pages import changed_view
from almanac.errors import AlmanacError, Corrupt
from almanac.organizations.changed_snapshots import (
    AbsorbedEvents,
    fetch_pages,
    read_change,
    store_change,
)
from almanac.organizations.snapshots import RangedSnapshots, SnapshotRef
from almanac.report.events import RunEvents
from almanac.storage.block_checksums import VerifiedRanges, checksums_document
from almanac.storage.checksums import packed_checksums
from almanac.storage.documents import to_json
from almanac.storage.layout import block_checksums
from almanac.storage.memory import MemoryStore
from tests.support.database_agencies import CONTACTS

NOTHING = AbsorbedEvents(counts=RunEvents(), committed=0, objects=[])
SOME = "UPDATE contacts SET state = 'NV' WHERE id % 97 = 0"
MORE = "INSERT INTO contacts (id, email, state) SELECT id + 50000, 'b' || email, 'CA' FROM contacts"
FEWER = "DELETE FROM contacts WHERE id > 40; VACUUM"
HALF = "DELETE FROM contacts WHERE id % 2; PRAGMA incremental_vacuum"


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A database of some blocks."""
    path = tmp_path_factory.mktemp("base") / "a.sqlite3"
    connection = apsw.Connection(str(path))
    connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    connection.execute(CONTACTS)
    rows = ((i, f"{i}@example.com", "TX", "0" * 400) for i in range(2000))
    connection.executemany(
        "INSERT INTO contacts (id, email, state, phone_number) VALUES (?, ?, ?, ?)", rows
    )
    connection.close()
    data = path.read_bytes()
    assert len(data) > 3 * BLOCK_BYTES
    return data


class Changed:
    """A database in a store, and a change of it."""

    def __init__(self, database: bytes, folder: Path, sql: str) -> None:
        self.store = MemoryStore()
        self.folder = folder
        self.info = self.store.write("orgs/a/versions/1/database.sqlite3", database, 0)
        beside = checksums_document(self.info, packed_checksums(database))
        self.store.write(block_checksums(self.info.name), to_json(beside), 0)
        self.real = folder / "real.sqlite3"
        self.real.write_bytes(database)
        connection = apsw.Connection(str(self.real))
        connection.execute(f"PRAGMA journal_mode = MEMORY; {sql}").fetchall()
        connection.close()
        self.name = self._stored(sql)
        self.ref = SnapshotRef(
            name=self.info.name,
            generation=self.info.generation,
            size=self.info.size,
            crc32c=self.info.crc32c,
            version=1,
            pointer=1,
            absorbed=self.name,
        )

    def _stored(self, sql: str) -> str:
        ranges = VerifiedRanges(self.store, self.info)
        blocks = Blocks(self.info.name, self.info.size, ranges.read)
        with changed_view(Path("a"), blocks, self.folder) as view:
            view.connection.execute(sql).fetchall()
            base = (self.info.size, self.info.crc32c)
            return store_change(
                self.store, "orgs/a/runs/r/", base, view.pages, NOTHING, "no session", self.folder
            )

    def contacts(self) -> list[tuple[int, str]]:
        with RangedSnapshots(self.store).open(self.ref) as snapshot:
            table = snapshot._tables.records("contacts", "ORDER BY id")
        return [(row["id"], row["state"]) for row in table]


@pytest.mark.parametrize("sql", [SOME, MORE, HALF, FEWER])
def test_a_snapshot_is_read_with_its_changed_pages(
    database: bytes, tmp_path: Path, sql: str
) -> None:
    changed = Changed(database, tmp_path, sql)
    real = apsw.Connection(str(changed.real))
    expected = real.execute("SELECT id, state FROM contacts ORDER BY id").fetchall()
    real.close()
    assert changed.contacts() == expected
    copy = tmp_path / "copy.sqlite3"
    copy.write_bytes(database)
    fetch_pages(changed.store, read_change(changed.store, changed.name), copy)
    assert copy.read_bytes() == changed.real.read_bytes()


def test_changed_pages_that_arrive_damaged_are_refused(database: bytes, tmp_path: Path) -> None:
    changed = Changed(database, tmp_path, SOME)
    pages = read_change(changed.store, changed.name).pages
    whole = bytearray(changed.store.read(pages).data)
    whole[5000] ^= 1
    changed.store.write(pages, bytes(whole), None)
    with pytest.raises(AlmanacError):
        changed.contacts()


def test_changed_pages_of_another_database_are_refused(database: bytes, tmp_path: Path) -> None:
    changed = Changed(database, tmp_path, SOME)
    other = changed.store.write("other", database + bytes(4096), 0)
    changed.ref = changed.ref.model_copy(
        update={"name": "other", "size": other.size, "crc32c": other.crc32c}
    )
    with pytest.raises(Corrupt, match="not of other"):
        changed.contacts()
