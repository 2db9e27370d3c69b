"""Large files in a bucket: in parts that are put together, and by several ranges at once."""

from __future__ import annotations

import base64
import datetime as dt
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from almanac.errors import (
    Corrupt,
    NotFound,
    OutcomeUnknown,
    PreconditionFailed,
    StorageError,
    TransientError,
)
from almanac.storage.beside import fetching, putting
from almanac.storage.checksums import BLOCK_BYTES, BlockSums, crc32c_of
from almanac.storage.cloud import CloudStore
from almanac.storage.publish import NewVersion, publish
from almanac.storage.store import put_file_once
from almanac.storage.versions import folders
from almanac_emulation.cloud_storage.faults import Fault, Faults
from tests.support.storage_stores import cloud_store, storage_emulator

DATA = bytes(range(251)) * 3700  # three blocks and a half
OTHER = DATA[::-1]
NOW = dt.datetime(2026, 11, 21, 10, tzinfo=dt.UTC)


@pytest.fixture
def store() -> CloudStore:
    return cloud_store(range_bytes=BLOCK_BYTES, part_bytes=BLOCK_BYTES)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "in"
    path.write_bytes(DATA)
    return path


def part(content: bytes, number: int) -> str:
    """The name of a part of the object a."""
    start = number * BLOCK_BYTES
    piece = content[start : start + BLOCK_BYTES]
    crc = int.from_bytes(base64.b64decode(crc32c_of(piece)), "big")
    return f"a.parts/{start:015}-{len(piece)}-{crc:08x}"


def names(store: CloudStore) -> list[str]:
    return [info.name for info in store.list("")]


def statuses(store: CloudStore, operation: Any, name: str | None = None) -> list[int]:
    found = storage_emulator()[0].log.of(operation, name)
    return [each.status for each in found if each.bucket == store.bucket_name]


def left_behind(store: CloudStore, file: Path, faults: Faults) -> list[str]:
    """Send all parts and come to an end before they are put together or deleted."""
    faults.add(Fault("compose", "a", status=403))
    faults.add(Fault("list", status=403))
    with pytest.raises(StorageError):
        store.put_file("a", file)
    return names(store)


def test_parts_are_put_together_and_gone(store: CloudStore, file: Path) -> None:
    info = store.put_file("a", file)
    assert (info.size, info.crc32c) == (len(DATA), crc32c_of(DATA))
    assert store.stat("a") == info
    assert store.read("a").data == DATA
    assert names(store) == ["a"]
    assert statuses(store, "upload") == [200] * 4
    assert statuses(store, "delete") == []


def test_there_is_no_object_before_it_is_completed(store: CloudStore, file: Path) -> None:
    with putting(store, "a", file, BlockSums(file)) as put:
        while len(names(store)) < 4:
            pass
        assert "a" not in names(store)
        info = put()
    assert store.stat("a") == info
    with putting(store, "b", file, BlockSums(file)):
        pass
    assert names(store) == ["a"]


@pytest.mark.parametrize(
    "fault", [{"status": 503}, {"answer_lost": True}, {"altered": True}], ids=str
)
def test_a_part_that_fails_is_sent_again(
    store: CloudStore, file: Path, faults: Faults, fault: dict[str, Any]
) -> None:
    faults.add(Fault("upload", part(DATA, 2), times=2, **fault))
    store.put_file("a", file)
    assert store.read("a").data == DATA
    assert names(store) == ["a"]


@pytest.mark.parametrize(
    ("fault", "error"),
    [({"status": 403}, StorageError), ({"altered": True, "times": 3}, TransientError)],
    ids=str,
)
def test_a_part_that_goes_on_failing_leaves_nothing(
    store: CloudStore, file: Path, faults: Faults, fault: dict[str, Any], error: type[Exception]
) -> None:
    faults.add(Fault("upload", part(DATA, 1), **fault))
    with pytest.raises(error):
        store.put_file("a", file)
    assert names(store) == []


def test_a_part_of_another_generation_is_not_put_in(
    store: CloudStore, file: Path, faults: Faults
) -> None:
    def replace() -> None:
        store.write(part(DATA, 1), b"other", if_generation=None)

    faults.add(Fault("compose", "a", meanwhile=replace))
    with pytest.raises(PreconditionFailed):
        store.put_file("a", file)
    assert names(store) == []


def test_parts_that_another_writer_deleted_are_no_object(
    store: CloudStore, file: Path, faults: Faults
) -> None:
    def delete() -> None:
        store.delete(part(DATA, 1), if_generation=None)

    faults.add(Fault("compose", "a", meanwhile=delete))
    with pytest.raises(PreconditionFailed, match="parts"):
        store.put_file("a", file)
    assert names(store) == []


def test_parts_of_the_same_content_that_were_left_are_used(
    store: CloudStore, file: Path, faults: Faults
) -> None:
    assert left_behind(store, file, faults) == [part(DATA, number) for number in range(4)]
    store.put_file("a", file)
    assert statuses(store, "upload") == [200] * 4 + [412] * 4
    assert names(store) == ["a"]


@pytest.mark.slow
def test_parts_of_a_process_that_was_killed_before_they_were_put_together_are_used(
    store: CloudStore, file: Path, faults: Faults
) -> None:
    emulator = storage_emulator()[0]
    code = (
        "from pathlib import Path; from almanac.storage.cloud import CloudStore; "
        f"store = CloudStore({store.bucket_name!r}, part_bytes={BLOCK_BYTES}); "
        f"store.put_file('a', Path({str(file)!r}))"
    )
    environment = {**os.environ, "STORAGE_EMULATOR_HOST": emulator.url}
    process = subprocess.Popen([sys.executable, "-c", code], env=environment)
    faults.add(Fault("compose", "a", meanwhile=process.kill, status=503))
    assert process.wait(60) == -signal.SIGKILL
    assert names(store) == [part(DATA, number) for number in range(4)]
    store.put_file("a", file)
    assert statuses(store, "upload") == [200] * 4 + [412] * 4
    assert names(store) == ["a"]


def test_parts_of_another_content_that_were_left_are_deleted(
    store: CloudStore, file: Path, faults: Faults
) -> None:
    left_behind(store, file, faults)
    file.write_bytes(OTHER)
    store.put_file("a", file)
    assert store.read("a").data == OTHER
    assert names(store) == ["a"]


def test_parts_that_were_left_are_of_the_folder_of_their_version(
    store: CloudStore, file: Path
) -> None:
    name = "orgs/206/versions/00000001-run/database.sqlite3.parts/0"
    store.write(name, b"", if_generation=0)
    assert [info.name for each in folders(store, "206").values() for info in each] == [name]


def test_a_lost_answer_of_the_last_request_is_resolved(
    store: CloudStore, file: Path, faults: Faults
) -> None:
    faults.add(Fault("compose", "a", answer_lost=True))
    info = put_file_once(store, "a", file)
    assert store.stat("a") == info
    store.delete("a", None)
    faults.add(Fault("compose", "a", answer_lost=True))
    with pytest.raises(OutcomeUnknown):
        store.put_file("a", file)
    assert names(store) == ["a"]


def test_a_file_put_where_something_is_is_not_sent(store: CloudStore, file: Path) -> None:
    first = put_file_once(store, "a", file)
    assert put_file_once(store, "a", file) == first
    assert len(statuses(store, "upload")) == 4
    file.write_bytes(OTHER)
    with pytest.raises(PreconditionFailed):
        put_file_once(store, "a", file)


def test_of_two_writers_at_once_one_wins(store: CloudStore, file: Path, faults: Faults) -> None:
    other = file.with_name("other")
    other.write_bytes(OTHER)

    def overtake() -> None:
        store.put_file("a", other)

    faults.add(Fault("compose", "a", meanwhile=overtake))
    with pytest.raises(PreconditionFailed):
        store.put_file("a", file)
    assert store.read("a").data == OTHER
    assert names(store) == ["a"]


def test_what_fails_its_check_is_not_published(store: CloudStore, file: Path) -> None:
    def check() -> dict[str, Any]:
        raise Corrupt("the new database is not sound")

    new = NewVersion(run_id="run", parent=None, as_of=NOW.date(), now=NOW, check=check)
    with pytest.raises(Corrupt, match="not sound"):
        publish(store, "206", file, new)
    assert names(store) == []
    assert statuses(store, "compose") == []


def test_a_file_comes_in_ranges_of_one_generation(
    store: CloudStore, file: Path, faults: Faults, tmp_path: Path
) -> None:
    first = store.put_file("a", file)
    faults.add(Fault("media", "a"))

    def replace() -> None:
        store.write("a", OTHER, first.generation)

    faults.add(Fault("media", "a", meanwhile=replace))
    info = store.fetch_file("a", tmp_path / "out")
    assert info == store.stat("a")
    assert (tmp_path / "out").read_bytes() == OTHER
    with pytest.raises(PreconditionFailed):
        store.fetch_file("a", tmp_path / "none", first.generation)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "out"]


@pytest.mark.parametrize("damage", [{"altered": True}, {"shortened_to": 9}, {"breaks_after": 9}])
def test_a_range_that_is_damaged_is_fetched_again(
    store: CloudStore, file: Path, faults: Faults, tmp_path: Path, damage: dict[str, Any]
) -> None:
    store.put_file("a", file)
    faults.add(Fault("media", "a", times=2, **damage))
    store.fetch_file("a", tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == DATA


def test_a_file_comes_while_its_reader_does_something_else(
    store: CloudStore, file: Path, tmp_path: Path
) -> None:
    info = store.put_file("a", file)
    out = tmp_path / "out"
    with fetching(store, "a", out, info.generation) as arrived:
        assert arrived() == info
    assert out.read_bytes() == DATA
    out.unlink()
    with pytest.raises(NotFound), fetching(store, "b", out) as arrived:
        arrived()
    with pytest.raises(ZeroDivisionError), fetching(store, "a", out):
        raise ZeroDivisionError  # what is done beside it fails
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
