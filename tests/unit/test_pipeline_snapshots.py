"""Opening the database that a run plans on, from a file and by ranges of an object."""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from almanac.contact_ranges import EVERYONE, ContactRange
from almanac.database import range_tables
from almanac.errors import Corrupt, DatabaseError, NotFound, SnapshotMoved, TransientError
from almanac.organizations.snapshots import (
    FileSnapshots,
    RangedSnapshots,
    SnapshotRef,
    reference_to,
)
from almanac.storage.memory import MemoryStore
from almanac.storage.store import ObjectInfo
from tests.support.database_agencies import change, make

NAME = "orgs/206/versions/00000001-first/database.sqlite3"
Opened = FileSnapshots | RangedSnapshots


class CountingStore(MemoryStore):
    """A store that counts what is read by ranges, and does something before each."""

    def __init__(self) -> None:
        super().__init__()
        self.requests = 0
        self.before: Callable[[], object] = lambda: None

    def read_range(self, name: str, generation: int, start: int, length: int) -> bytes:
        self.requests += 1
        self.before()
        return super().read_range(name, generation, start, length)


def ref_of(info: ObjectInfo) -> SnapshotRef:
    return SnapshotRef(
        name=info.name,
        generation=info.generation,
        size=info.size,
        crc32c=info.crc32c,
        version=1,
        pointer=1,
    )


def agency(path: Path, state: str, contacts: int = 3000) -> bytes:
    """A database of which every contact says the state; its size is that of any other state's."""
    make(path)
    sql = """WITH RECURSIVE n (i) AS (SELECT 10 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
        INSERT INTO contacts (id, email, phone_number)
        SELECT i, i || '@example.com', hex(zeroblob(400)) FROM n"""
    change(path, sql, contacts)
    change(path, "UPDATE contacts SET state = ?", state)
    return path.read_bytes()


@pytest.fixture(scope="module")
def texas(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return agency(tmp_path_factory.mktemp("agencies") / "texas.sqlite3", "TX")


@pytest.fixture(scope="module")
def nevada(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return agency(tmp_path_factory.mktemp("agencies") / "nevada.sqlite3", "NV")


@pytest.fixture
def store() -> CountingStore:
    return CountingStore()


@pytest.fixture
def ranges(store: CountingStore) -> Iterator[RangedSnapshots]:
    with closing(RangedSnapshots(store)) as opened:
        yield opened


def states(snapshots: Opened, ref: SnapshotRef, contacts: ContactRange = EVERYONE) -> set[str]:
    """What the contacts of a range say, on a snapshot opened for it."""
    with snapshots.open(ref) as snapshot:
        return set(snapshot.read(range_tables.CONTACTS, contacts).column("state").to_pylist())


# Files


@pytest.fixture
def copy(tmp_path: Path, texas: bytes) -> Path:
    path = tmp_path / "copy.sqlite3"
    path.write_bytes(texas)
    return path


@pytest.fixture
def files(copy: Path) -> Iterator[FileSnapshots]:
    with closing(FileSnapshots(copy)) as opened:
        yield opened


def test_a_private_file_is_read_in_place_and_opened_once(files: FileSnapshots, copy: Path) -> None:
    ref = reference_to(copy)
    with files.open(ref) as first:
        pass
    assert states(files, ref) == {"TX"}
    with files.open(ref) as second:
        assert second is first
    assert list(copy.parent.iterdir()) == [copy]


def test_a_private_file_that_is_gone_is_an_error_that_names_it(
    files: FileSnapshots, copy: Path
) -> None:
    ref = reference_to(copy)
    copy.unlink()
    with pytest.raises(NotFound, match=copy.name):
        states(files, ref)


def test_a_private_file_that_was_changed_is_corrupt(
    files: FileSnapshots, copy: Path, nevada: bytes
) -> None:
    ref = reference_to(copy)
    assert states(files, ref) == {"TX"}
    copy.write_bytes(nevada)
    os.utime(copy, ns=(0, (ref.generation + 1) * 1000))
    with pytest.raises(Corrupt, match=f"{copy.name}: was changed"):
        states(files, ref)


def test_a_private_file_that_is_no_database_is_an_error_that_names_it(
    files: FileSnapshots, copy: Path
) -> None:
    copy.write_bytes(b"no database at all" * 100)
    with pytest.raises(DatabaseError, match=f"{copy.name}: not an SQLite database"):
        states(files, reference_to(copy))


def test_an_error_of_the_reader_leaves_the_private_file_to_the_next_one(
    files: FileSnapshots, copy: Path
) -> None:
    with pytest.raises(ZeroDivisionError), files.open(reference_to(copy)):
        _ = 1 / 0
    assert states(files, reference_to(copy)) == {"TX"}


# Ranges


def test_the_snapshot_is_what_the_reference_names(
    ranges: RangedSnapshots, store: CountingStore, texas: bytes
) -> None:
    ref = ref_of(store.write(NAME, texas, 0))
    assert states(ranges, ref) == {"TX"}
    assert states(ranges, ref) == {"TX"}


def test_another_object_is_another_snapshot(
    ranges: RangedSnapshots, store: CountingStore, texas: bytes, nevada: bytes
) -> None:
    one, two = ref_of(store.write(NAME, texas, 0)), ref_of(store.write("other", nevada, 0))
    assert [states(ranges, ref) for ref in (one, two, one)] == [{"TX"}, {"NV"}, {"TX"}]


def test_no_object_is_an_error_that_names_it(ranges: RangedSnapshots, store: CountingStore) -> None:
    ref = ref_of(store.write(NAME, b"x", 0))
    store.delete(NAME, None)
    with pytest.raises(NotFound, match=NAME):
        states(ranges, ref)


def test_other_content_under_the_name_is_corrupt(
    ranges: RangedSnapshots, store: CountingStore, texas: bytes, nevada: bytes
) -> None:
    ref = ref_of(store.write(NAME, texas, 0))
    assert states(ranges, ref) == {"TX"}
    store.write(NAME, nevada, None)
    with pytest.raises(Corrupt, match=f"{NAME}: has other content than the run was planned on"):
        states(ranges, ref)


def test_the_same_content_at_another_generation_is_the_snapshot(
    ranges: RangedSnapshots, store: CountingStore, texas: bytes
) -> None:
    ref = ref_of(store.write(NAME, texas, 0))
    assert states(ranges, ref) == {"TX"}
    store.write(NAME, texas, None)
    assert states(ranges, ref) == {"TX"}


def test_what_is_no_database_is_an_error_that_names_it(
    ranges: RangedSnapshots, store: CountingStore
) -> None:
    ref = ref_of(store.write(NAME, b"no database at all" * 100, 0))
    with pytest.raises(DatabaseError, match="not an SQLite database"):
        states(ranges, ref)


def test_an_error_of_the_reader_leaves_the_snapshot_to_the_next_one(
    ranges: RangedSnapshots, store: CountingStore, texas: bytes
) -> None:
    ref = ref_of(store.write(NAME, texas, 0))
    with pytest.raises(ZeroDivisionError), ranges.open(ref):
        _ = 1 / 0
    assert states(ranges, ref) == {"TX"}


def test_only_what_is_read_is_fetched(
    ranges: RangedSnapshots, store: CountingStore, texas: bytes
) -> None:
    ref = ref_of(store.write(NAME, texas, 0))
    with ranges.open(ref) as snapshot:
        assert snapshot.read(range_tables.CONTACTS, ContactRange(100, 200)).num_rows == 101
        assert snapshot.traffic.requests == store.requests
        assert 0 < snapshot.traffic.bytes < len(texas) * 0.6


def test_the_next_step_finds_open_what_the_last_one_read(
    ranges: RangedSnapshots, store: CountingStore, texas: bytes
) -> None:
    ref = ref_of(store.write(NAME, texas, 0))
    with ranges.open(ref) as first:
        first.read(range_tables.CONTACTS, EVERYONE)
    asked = store.requests
    with ranges.open(ref) as second:
        assert second is first
        second.read(range_tables.CONTACTS, EVERYONE)
        assert second.traffic.requests == 0
    assert store.requests == asked


def test_two_steps_at_once_have_a_snapshot_each_and_fetch_what_both_read_once(
    ranges: RangedSnapshots, store: CountingStore, texas: bytes
) -> None:
    ref = ref_of(store.write(NAME, texas, 0))
    with ranges.open(ref) as first, ranges.open(ref) as second:
        assert first is not second
        assert first.read(range_tables.CONTACTS, EVERYONE) == second.read(
            range_tables.CONTACTS, EVERYONE
        )
        assert first.traffic.bytes == len(texas)
        assert second.traffic.requests == 0


def test_a_newer_version_takes_the_place_of_the_older_one(
    ranges: RangedSnapshots, store: CountingStore, texas: bytes, nevada: bytes
) -> None:
    old, new = ref_of(store.write(NAME, texas, 0)), ref_of(store.write("newer", nevada, 0))
    with ranges.open(old) as snapshot:
        assert states(ranges, new) == {"NV"}
        # who has begun on the old one goes on with it
        assert set(snapshot.read(range_tables.CONTACTS, EVERYONE).column("state").to_pylist()) == {
            "TX"
        }
    asked = store.requests
    assert states(ranges, old) == {"TX"}
    assert store.requests > asked


@pytest.mark.parametrize("kind", ["replaced", "replaced by the same", "deleted"])
def test_an_object_that_changes_while_it_is_read_has_moved(
    ranges: RangedSnapshots, store: CountingStore, texas: bytes, nevada: bytes, kind: str
) -> None:
    ref = ref_of(store.write(NAME, texas, 0))

    def strike() -> None:
        store.before = lambda: None
        if kind == "deleted":
            store.delete(NAME, None)
        else:
            store.write(NAME, nevada if kind == "replaced" else texas, None)

    with ranges.open(ref) as snapshot:
        snapshot.read(range_tables.CONTACTS, ContactRange(1, 9))
    store.before = strike
    with pytest.raises(SnapshotMoved, match=NAME):
        states(ranges, ref)
    if kind == "replaced by the same":
        assert states(ranges, ref) == {"TX"}
        return
    with pytest.raises((Corrupt, NotFound)):
        states(ranges, ref)


@pytest.mark.parametrize("moment", range(1, 8))
def test_every_answer_is_wholly_of_one_content_whenever_it_is_replaced(
    ranges: RangedSnapshots, store: CountingStore, texas: bytes, nevada: bytes, moment: int
) -> None:
    old = ref_of(store.write(NAME, texas, 0))
    replaced: list[ObjectInfo] = []
    requests = itertools.count(1)

    def strike() -> None:
        if next(requests) == moment:
            replaced.append(store.write(NAME, nevada, None))

    def read_on() -> None:
        for first in range(1, 3000, 100):
            assert states(ranges, old, ContactRange(first, first + 300)) == {"TX"}

    store.before = strike
    with pytest.raises((SnapshotMoved, Corrupt)):
        read_on()
    (new,) = replaced
    assert states(ranges, ref_of(new)) == {"NV"}


def test_a_failing_request_is_what_the_store_says_and_the_next_try_succeeds(
    ranges: RangedSnapshots, store: CountingStore, texas: bytes
) -> None:
    ref = ref_of(store.write(NAME, texas, 0))

    def fail() -> None:
        raise TransientError("503")

    store.before = fail
    with pytest.raises(TransientError, match="503"):
        states(ranges, ref)
    store.before = lambda: None
    assert states(ranges, ref, ContactRange(1, 9)) == {"TX"}
    store.before = fail
    with pytest.raises(TransientError, match="503"):
        states(ranges, ref)
    store.before = lambda: None
    assert states(ranges, ref) == {"TX"}


@pytest.mark.parametrize("reads", [2, pytest.param(10, marks=pytest.mark.slow)])
def test_many_threads_over_versions_that_come_and_go_read_the_right_rows(
    ranges: RangedSnapshots, store: CountingStore, texas: bytes, nevada: bytes, reads: int
) -> None:
    refs = {
        "TX": ref_of(store.write("texas", texas, 0)),
        "NV": ref_of(store.write("nevada", nevada, 0)),
    }
    started = threading.Barrier(8)

    def read(thread: int) -> bool:
        started.wait()
        order = ["TX", "NV"] if thread % 4 else ["TX"]
        return all(
            states(ranges, refs[state]) == {state}
            for state in itertools.islice(itertools.cycle(order), reads)
        )

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(read, range(8)))
