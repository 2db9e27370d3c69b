"""Reading a database by ranges: the answers of a file, few bytes, and errors as raised."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import apsw
import pytest

from almanac.config_contacts import ContactColumns
from almanac.contact_ranges import EVERYONE, ContactRange
from almanac.database import columnar, range_tables
from almanac.database.blocks import Blocks
from almanac.database.migrations import create_indexes, migrate
from almanac.database.ranged import ranged_source
from almanac.database.reading import Snapshot
from almanac.database.sources import Traffic
from almanac.errors import AlmanacError, Corrupt, NotFound, PreconditionFailed, TransientError
from tests.support import agencies
from tests.support.database_agencies import CONTACTS, OLD_SCHEDULES, change, over_ranges
from tests.support.sampling import sampled

SINCE = "2020-01-01"
BLOCK = 4096


def answers(snapshot: Snapshot, contacts: ContactRange) -> dict[str, Any]:
    """Whatever a snapshot can say."""
    instances = snapshot.next_instance_id()
    return {
        "contacts": snapshot.read(range_tables.CONTACTS, contacts),
        "committed": snapshot.read(range_tables.COMMITTED, contacts),
        "planned": snapshot.read(range_tables.PLANNED, contacts),
        "legacy": snapshot.read(range_tables.LEGACY, contacts),
        "targets": snapshot.read(range_tables.TARGETS, contacts),
        "clicks": snapshot.read(range_tables.CLICKS, contacts, SINCE),
        "answers": snapshot.read(range_tables.ANSWERS, contacts, SINCE),
        "issues": snapshot.read(range_tables.ISSUES, contacts),
        "suppressions": snapshot.suppressions(),
        "ids": snapshot.contact_ids(ContactColumns()).tolist(),
        "total": snapshot.total_contacts(),
        "types": snapshot.campaign_types(),
        "instances": snapshot.campaign_instances(),
        "next instance": instances,
        "unknown targets": snapshot.unknown_targets(ContactColumns()),
        "has legacy": snapshot.has_legacy_rate_increases(),
        "config": snapshot.last_config(),
        "last run": snapshot.last_run(),
        "counted days": snapshot.counted_days(SINCE),
        "of effective dates": snapshot.scheduled_dated(SINCE),
        "campaigns": snapshot.committed_campaigns(SINCE),
    }


def assert_both_ways_agree(path: Path, contacts: ContactRange = EVERYONE) -> None:
    """A file and ranges of it give the same tables, of the same types and in the same order."""
    with Snapshot(path) as file, over_ranges(path) as ranges:
        assert answers(ranges, contacts) == answers(file, contacts)


@pytest.mark.parametrize("indexed", [False, True])
@pytest.mark.parametrize("schema", ["old", "new", "minimal", "bare"])
@pytest.mark.parametrize("seed", sampled(range(4), 1))
def test_ranges_give_what_the_file_gives(
    tmp_path: Path, seed: int, schema: str, indexed: bool
) -> None:
    path = agencies.build(tmp_path / "agency.sqlite3", seed, schema=schema)
    if indexed:
        connection = apsw.Connection(str(path))
        migrate(connection)
        create_indexes(connection)
        connection.close()
    assert_both_ways_agree(path)
    assert_both_ways_agree(path, ContactRange(3, 17))


@pytest.fixture
def few_rows_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(columnar, "ROWS_AT_ONCE", 3)
    monkeypatch.setattr(columnar.ColumnarReader, "_read_together", lambda *_: None)


@pytest.mark.usefixtures("few_rows_at_once")
def test_the_number_of_rows_read_at_once_makes_no_difference(tmp_path: Path) -> None:
    assert_both_ways_agree(agencies.build(tmp_path / "agency.sqlite3", 1, schema="new"))


def make(path: Path, *pragmas: str, rows: int = 400) -> Path:
    """A database of so many contacts with long texts, created with the pragmas."""
    connection = apsw.Connection(str(path))
    for pragma in pragmas:
        connection.execute(f"PRAGMA {pragma}")
    connection.execute(CONTACTS)
    connection.execute(
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) "
        "INSERT INTO contacts (id, email, state, phone_number) "
        "SELECT i, 'é' || i || '@example.com', 'TX', hex(zeroblob(200)) FROM n",
        (rows,),
    )
    connection.close()
    return path


@pytest.mark.parametrize("page_size", [2**n for n in range(9, 17)])
def test_pages_of_any_size_are_read(tmp_path: Path, page_size: int) -> None:
    assert_both_ways_agree(make(tmp_path / "a.sqlite3", f"page_size = {page_size}"))


@pytest.mark.parametrize("block_bytes", [100, 512, 1000, 4095, 4097, 10**7])
def test_blocks_need_not_match_the_pages(tmp_path: Path, block_bytes: int) -> None:
    path = make(tmp_path / "a.sqlite3")
    with Snapshot(path) as file, over_ranges(path, block_bytes=block_bytes) as ranges:
        assert ranges.read(range_tables.CONTACTS, EVERYONE) == file.read(
            range_tables.CONTACTS, EVERYONE
        )


@pytest.mark.parametrize("encoding", ["UTF-8", "UTF-16le", "UTF-16be"])
@pytest.mark.parametrize("text", ["", "\x00", "a\x00b", "é\U0001f600", "\ufeffmark", "a'\x1f\n"])
def test_text_comes_as_it_is(tmp_path: Path, encoding: str, text: str) -> None:
    path = make(tmp_path / "a.sqlite3", f"encoding = '{encoding}'")
    change(path, "UPDATE contacts SET state = ? WHERE id = 7", text)
    assert_both_ways_agree(path)
    with over_ranges(path) as ranges:
        assert ranges.read(range_tables.CONTACTS, ContactRange(7, 7)).column(
            "state"
        ).to_pylist() == [text]


def test_broken_utf_16_is_read_with_replacements(tmp_path: Path) -> None:
    path = make(tmp_path / "a.sqlite3", "encoding = 'UTF-16le'")
    change(path, "UPDATE contacts SET state = CAST(x'540000d8' AS TEXT) WHERE id = 7")
    with over_ranges(path) as ranges:
        assert ranges.read(range_tables.CONTACTS, ContactRange(7, 7)).column(
            "state"
        ).to_pylist() == ["T\ufffd"]


def test_a_file_left_in_wal_mode_is_read_with_nothing_beside_it(tmp_path: Path) -> None:
    path = make(tmp_path / "a.sqlite3", "journal_mode = wal")
    assert path.read_bytes()[18:20] == b"\x02\x02"
    assert_both_ways_agree(path)


def test_a_sort_that_needs_temporary_files_finds_room_for_them(tmp_path: Path) -> None:
    path = make(tmp_path / "a.sqlite3", rows=20_000)
    change(path, "CREATE TABLE copy AS SELECT * FROM contacts ORDER BY email DESC")
    change(path, "DROP TABLE contacts")
    change(path, "ALTER TABLE copy RENAME TO contacts")
    with Snapshot(path) as file, over_ranges(path) as ranges:
        assert ranges.read(range_tables.CONTACTS, EVERYONE) == file.read(
            range_tables.CONTACTS, EVERYONE
        )


def test_a_small_range_of_a_database_moves_a_small_share_of_it(tmp_path: Path) -> None:
    path = make(tmp_path / "a.sqlite3", rows=200_000)
    size = path.stat().st_size
    assert size > 90e6
    with over_ranges(path) as snapshot:
        snapshot.read(range_tables.CONTACTS, ContactRange(100_001, 100_000 + 200_000 // 64))
        assert snapshot.traffic.bytes < size * 0.03
        assert snapshot.traffic.requests < 12
        snapshot.traffic.clear()
        snapshot.read(range_tables.CONTACTS, ContactRange(100_001, 100_000 + 200_000 // 64))
        assert snapshot.traffic == Traffic(0, 0)


def test_no_query_for_a_range_looks_at_all_rows_of_a_status(tmp_path: Path) -> None:
    path = make(tmp_path / "a.sqlite3", rows=20_000)
    change(path, OLD_SCHEDULES)
    change(
        path,
        "INSERT INTO email_schedules (contact_id, email_type, scheduled_send_date, status, "
        "catchup_note) SELECT id, 'birthday', '2026-12-01', 'pre-scheduled', hex(zeroblob(200)) "
        "FROM contacts",
    )
    with over_ranges(path, block_bytes=BLOCK, ahead_bytes=BLOCK) as snapshot:
        snapshot.read(range_tables.COMMITTED, ContactRange(10_000, 10_100))
        snapshot.read(range_tables.PLANNED, ContactRange(10_000, 10_100))
        snapshot.read(range_tables.LEGACY, ContactRange(10_000, 10_100))
        assert snapshot.traffic.bytes < path.stat().st_size * 0.03


def test_ids_come_in_order_whichever_index_they_are_read_from(tmp_path: Path) -> None:
    path = make(tmp_path / "a.sqlite3", rows=2000)
    with over_ranges(path, block_bytes=BLOCK) as snapshot:
        assert snapshot.contact_ids(ContactColumns()).tolist() == list(range(1, 2001))
        assert snapshot.traffic.bytes < path.stat().st_size * 0.3


class Medium:
    """Bytes that are handed out by ranges, and what was asked for."""

    def __init__(self, blocks: int) -> None:
        self.octets = bytes(n * 7 % 251 for n in range(blocks * 10 - 3))  # the last one is partial
        self.asked: list[tuple[int, int]] = []
        self.hook: Callable[[], object] = lambda: None

    def fetch(self, start: int, length: int) -> bytes:
        self.asked.append((start, length))
        self.hook()
        return self.octets[start : start + length]

    def cache(self, blocks: int = 100, ahead: int = 4) -> Blocks:
        return Blocks(
            "medium",
            len(self.octets),
            self.fetch,
            block_bytes=10,
            cache_bytes=blocks * 10,
            ahead_bytes=ahead * 10,
        )

    def fetched(self) -> list[int]:
        """The numbers of the blocks that were asked for, each as often as it was."""
        spans = ((start // 10, -(-(start + length) // 10)) for start, length in self.asked)
        return [number for first, stop in spans for number in range(first, stop)]


@pytest.mark.parametrize(
    ("start", "length"), [(0, 1), (9, 1), (9, 2), (10, 10), (15, 40), (190, 10), (197, 5), (500, 9)]
)
def test_any_range_is_read_across_the_edges_of_blocks(start: int, length: int) -> None:
    medium = Medium(20)
    assert medium.cache().read(start, length, Traffic()) == medium.octets[start : start + length]


@pytest.mark.parametrize("step", [1, -1])
def test_a_scan_in_either_direction_takes_ever_larger_requests(step: int) -> None:
    medium = Medium(20)
    blocks, traffic = medium.cache(), Traffic()
    for number in range(20)[::step]:
        blocks.read(number * 10, 10, traffic)
    assert [-(-length // 10) for _, length in medium.asked] == [1, 1, 2, 4, 4, 4, 4]
    assert sorted(medium.fetched()) == list(range(20))
    assert traffic == Traffic(7, len(medium.octets))


def test_reading_here_and_there_fetches_nothing_ahead() -> None:
    medium = Medium(100)
    blocks, traffic = medium.cache(), Traffic()
    for number in (50, 3, 97, 20, 70, 10):
        blocks.read(number * 10, 10, traffic)
    assert traffic == Traffic(6, 60)


def test_reading_ahead_stops_before_what_is_there_already() -> None:
    medium = Medium(20)
    blocks = medium.cache()
    for number in (5, 0, 1, 2, 3, 4, 5, 6):
        blocks.read(number * 10, 10, Traffic())
    assert sorted(medium.fetched()) == sorted(set(medium.fetched()))


def test_the_blocks_used_least_recently_make_room() -> None:
    medium = Medium(100)
    blocks = medium.cache(blocks=3)
    for number in (10, 20, 30, 10, 40):
        blocks.read(number * 10, 10, Traffic())
    medium.asked.clear()
    for number in (10, 30, 40, 20):
        blocks.read(number * 10, 10, Traffic())
    assert medium.fetched() == [20]


def test_threads_share_one_cache_and_fetch_every_block_once(tmp_path: Path) -> None:
    path = make(tmp_path / "a.sqlite3", rows=3000)
    octets = path.read_bytes()
    asked: list[int] = []

    def fetch(start: int, length: int) -> bytes:
        asked.extend(range(start // BLOCK, -(-(start + length) // BLOCK)))
        return octets[start : start + length]

    blocks = Blocks("a", len(octets), fetch, block_bytes=BLOCK)
    started = threading.Barrier(8)

    def read(thread: int) -> bool:
        started.wait()
        with Snapshot(ranged_source(path, blocks)) as ranges, Snapshot(path) as file:
            firsts = [n * 250 + 1 for n in range(thread, thread + 12)]
            spans = [ContactRange(n % 3000, (n + 399) % 3000 + 300) for n in firsts]
            return all(
                ranges.read(range_tables.CONTACTS, span) == file.read(range_tables.CONTACTS, span)
                for span in spans
            )

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(read, range(8)))
    assert sorted(asked) == sorted(set(asked))


def test_a_block_on_its_way_is_waited_for_and_its_error_shared() -> None:
    medium = Medium(5)
    blocks = medium.cache()
    arrived, go_on = threading.Event(), threading.Event()

    def fail() -> None:
        arrived.set()
        assert go_on.wait(20)
        raise TransientError("no answer")

    medium.hook = fail
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(blocks.read, 20, 5, Traffic())
        assert arrived.wait(20)
        second = pool.submit(blocks.read, 22, 5, Traffic())
        go_on.set()
        assert isinstance(first.exception(20), TransientError)
        assert isinstance(second.exception(20), TransientError)
    medium.hook = lambda: None
    assert blocks.read(22, 5, Traffic()) == medium.octets[22:27]


def test_what_stops_one_thread_is_a_passing_error_to_those_who_waited() -> None:
    medium = Medium(5)
    blocks = medium.cache()
    coming: list[Future[bytes]] = []

    def interrupt() -> None:
        coming.append(blocks._coming[2])  # what another thread would wait for now
        raise KeyboardInterrupt

    medium.hook = interrupt
    with pytest.raises(KeyboardInterrupt):
        blocks.read(20, 5, Traffic())
    assert isinstance(coming[0].exception(0), TransientError)


ERRORS = [
    NotFound("gone"),
    PreconditionFailed("moved"),
    Corrupt("odd"),
    TransientError("503"),
    ValueError("any other"),
]


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("ranged") / "agency.sqlite3", rows=2000)


def failing_after(path: Path, requests: int, error: Exception | None) -> Blocks:
    """The file's blocks, whose fetches fail (without an error: fall short) after so many."""
    octets = path.read_bytes()
    made = 0

    def fetch(start: int, length: int) -> bytes:
        nonlocal made
        made += 1
        if made > requests:
            if error is not None:
                raise error
            return octets[start : start + length - 1]
        return octets[start : start + length]

    return Blocks(path.name, len(octets), fetch, block_bytes=BLOCK, ahead_bytes=BLOCK)


@pytest.mark.parametrize("requests", [0, 2, 60])
@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_what_the_store_raises_is_what_the_reader_gets(
    database: Path, requests: int, error: Exception
) -> None:
    blocks = failing_after(database, requests, error)
    with pytest.raises(type(error)) as caught:
        read_contacts(database, blocks)
    assert caught.value is error


@pytest.mark.parametrize("requests", [0, 2, 60])
def test_an_answer_that_falls_short_is_corrupt(database: Path, requests: int) -> None:
    blocks = failing_after(database, requests, None)
    with pytest.raises(Corrupt, match=r"agency\.sqlite3: 4095 bytes came back where 4096 were"):
        read_contacts(database, blocks)


def read_contacts(path: Path, blocks: Blocks) -> None:
    with Snapshot(ranged_source(path, blocks)) as snapshot:
        snapshot.total_contacts()
        snapshot.read(range_tables.CONTACTS, EVERYONE)


def test_a_snapshot_can_be_read_again_after_a_passing_error(database: Path) -> None:
    octets = database.read_bytes()
    answers: Iterator[bool] = iter([True, True, True, False, True, False])

    def fetch(start: int, length: int) -> bytes:
        if not next(answers, True):
            raise TransientError("503")
        return octets[start : start + length]

    blocks = Blocks("a", len(octets), fetch, block_bytes=BLOCK)
    failures = 0
    with Snapshot(database) as file, Snapshot(ranged_source(database, blocks)) as ranges:
        while True:
            try:
                found = ranges.read(range_tables.CONTACTS, EVERYONE)
                break
            except AlmanacError:
                failures += 1
        assert failures == 2
        assert found == file.read(range_tables.CONTACTS, EVERYONE)


def test_nothing_of_a_closed_snapshot_stays_registered(database: Path) -> None:
    before = apsw.vfs_names()
    with over_ranges(database):
        assert apsw.vfs_names() != before
    with pytest.raises(TransientError):
        Snapshot(ranged_source(database, failing_after(database, 0, TransientError("503"))))
    assert apsw.vfs_names() == before
