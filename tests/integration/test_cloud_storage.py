"""The store in a bucket, when answers are lost, downloads are damaged and others write."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from almanac.errors import (
    ConfigError,
    NotFound,
    OutcomeUnknown,
    PreconditionFailed,
    StorageError,
    TransientError,
)
from almanac.storage import lease, versions
from almanac.storage.checksums import crc32c_of
from almanac.storage.cloud import CloudStore
from almanac.storage.history import list_versions
from almanac.storage.publish import NewVersion
from almanac.storage.publish import publish as publish_version
from almanac.storage.store import put_file_once, write_once
from almanac_emulation.cloud_storage.faults import Fault, Faults, Operation
from tests.support.storage_stores import cloud_store, storage_emulator

ORG = "206"
RUN = "2026-11-21-daily"
NOW = dt.datetime(2026, 11, 21, 10, tzinfo=dt.UTC)
MIB = 1 << 20


@pytest.fixture
def store() -> CloudStore:
    return cloud_store()


def impatient(store: CloudStore) -> CloudStore:
    """The same store, that gives up soon."""
    return CloudStore(
        store.bucket_name, client=storage_emulator()[1], timeout=1, patience=0.2, first_pause=0.01
    )


def requests_of(store: CloudStore, operation: Operation, name: str) -> list[int]:
    """The statuses of the answers; 0 stands for a lost one."""
    found = storage_emulator()[0].log.of(operation, name)
    return [each.status for each in found if each.bucket == store.bucket_name]


def replaced(store: CloudStore, name: str, data: bytes) -> Callable[[], None]:
    return lambda: void(store.write(name, data, if_generation=None))


def void(_: object) -> None:
    pass


def publish(store: CloudStore, folder: Path, run_id: str = RUN) -> versions.Current:
    database = folder / "new.sqlite3"
    database.write_bytes(run_id.encode() * 1000)
    return publish_version(
        store,
        ORG,
        database,
        NewVersion(
            run_id=run_id,
            parent=versions.current(store, ORG),
            as_of=dt.date(2026, 11, 21),
            now=NOW,
        ),
    )


def test_a_creation_whose_answer_is_lost_is_a_success(store: CloudStore, faults: Faults) -> None:
    faults.add(Fault("upload", "a", answer_lost=True))
    info = write_once(store, "a", b"data")
    assert store.stat("a") == info
    assert requests_of(store, "upload", "a") == [0, 412]


def test_a_lost_answer_followed_by_a_refusal_is_an_unknown_outcome(
    store: CloudStore, faults: Faults
) -> None:
    faults.add(Fault("upload", "a", answer_lost=True))
    with pytest.raises(OutcomeUnknown, match=r"^a: it may have been changed, or not \(Cloud"):
        store.write("a", b"data", if_generation=0)
    assert store.read("a").data == b"data"


def test_a_creation_that_never_arrived_is_made_again(store: CloudStore, faults: Faults) -> None:
    faults.add(Fault("upload", "a", status=503, times=2))
    faults.add(Fault("upload", "a", status=429))
    store.write("a", b"data", if_generation=0)
    assert requests_of(store, "upload", "a") == [503, 503, 429, 200]


def test_somebody_elses_creation_is_not_taken_for_ours(store: CloudStore, faults: Faults) -> None:
    faults.add(Fault("upload", "a", status=503))
    faults.add(Fault("upload", "a", meanwhile=replaced(cloud_store(), "a", b"elsewhere")))
    store.write("a", b"ours", if_generation=0)
    store.write("b", b"theirs", if_generation=0)
    faults.add(Fault("upload", "b", status=503))
    with pytest.raises(PreconditionFailed, match="b: exists with other content"):
        write_once(store, "b", b"ours")


def test_a_write_that_gets_no_answer_ends_in_a_clear_error(
    store: CloudStore, faults: Faults
) -> None:
    impatience = impatient(store)
    faults.add(Fault("upload", "a", status=503, times=1000))
    with pytest.raises(OutcomeUnknown, match=r"^a: it may have been changed, or not \(.*503\); "):
        impatience.write("a", b"data", if_generation=0)
    faults.clear()
    faults.add(Fault("upload", "a", status=429, times=1000))
    with pytest.raises(TransientError, match=r"^a: Cloud Storage gives no answer: .*429\)"):
        impatience.write("a", b"data", if_generation=0)
    faults.clear()
    assert store.stat("a") is None


def test_a_lost_answer_of_the_pointer_is_resolved(
    store: CloudStore, faults: Faults, tmp_path: Path
) -> None:
    pointer = f"orgs/{ORG}/current.json"
    faults.add(Fault("upload", pointer, answer_lost=True))
    first = publish(store, tmp_path)
    faults.add(Fault("upload", pointer, answer_lost=True))
    second = publish(store, tmp_path, "2026-11-22-daily")
    found = versions.current(store, ORG)
    assert found
    assert found[0] == second
    assert (first.version, second.version) == (1, 2)


def test_a_lost_answer_of_any_write_leaves_one_version(
    store: CloudStore, faults: Faults, tmp_path: Path
) -> None:
    folder = f"orgs/{ORG}/versions/00000001-{RUN}"
    for name in (f"{folder}/database.sqlite3", f"{folder}/manifest.json"):
        faults.add(Fault("upload", name, answer_lost=True))
    assert publish(store, tmp_path).version == 1
    assert [each.version for each in list_versions(store, ORG)] == [1]


def test_lost_answers_of_the_lease_are_resolved(store: CloudStore, faults: Faults) -> None:
    name = f"orgs/{ORG}/lease.json"
    faults.add(Fault("upload", name, answer_lost=True))
    taken = lease.acquire(store, ORG, RUN, "here", NOW, 60)
    assert taken.run_id == RUN
    with pytest.raises(TransientError, match="holds the lease"):
        lease.acquire(store, ORG, "2026-11-22-daily", "there", NOW, 60)
    faults.add(Fault("delete", name, answer_lost=True))
    lease.release(store, ORG, RUN)
    assert store.stat(name) is None
    assert requests_of(store, "delete", name) == [0, 404]


def test_a_deletion_whose_answer_is_lost_is_an_unknown_outcome(
    store: CloudStore, faults: Faults
) -> None:
    info = store.write("a", b"data", if_generation=0)
    faults.add(Fault("delete", "a", answer_lost=True))
    with pytest.raises(OutcomeUnknown):
        store.delete("a", if_generation=info.generation)
    assert store.stat("a") is None
    faults.add(Fault("delete", "b", status=503))
    info = store.write("b", b"data", if_generation=0)
    store.delete("b", if_generation=info.generation)
    assert store.stat("b") is None


@pytest.mark.parametrize("cut", [0, 1, 9])
def test_a_download_that_breaks_off_is_asked_again(
    store: CloudStore, faults: Faults, tmp_path: Path, cut: int
) -> None:
    info = store.write("a", b"0123456789", if_generation=0)
    faults.add(Fault("media", "a", breaks_after=cut, times=3))
    assert store.read("a").data == b"0123456789"
    faults.add(Fault("media", "a", breaks_after=cut, times=3))
    assert store.read_range("a", info.generation, 0, 10) == b"0123456789"
    faults.add(Fault("media", "a", breaks_after=cut, times=3))
    store.fetch_file("a", tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == b"0123456789"


@pytest.mark.parametrize("damage", [{"altered": True}, {"shortened_to": 9}, {"shortened_to": 0}])
def test_a_download_that_is_damaged_is_made_again(
    store: CloudStore, faults: Faults, tmp_path: Path, damage: dict[str, Any]
) -> None:
    store.write("a", b"0123456789", if_generation=0)
    faults.add(Fault("media", "a", times=2, **damage))
    assert store.read("a").data == b"0123456789"
    faults.add(Fault("media", "a", times=2, **damage))
    store.fetch_file("a", tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == b"0123456789"
    faults.add(Fault("media", "a", times=3, **damage))
    with pytest.raises(TransientError, match=r"a: was damaged on its way 3 times; .* is sound"):
        store.read("a")
    faults.add(Fault("media", "a", times=3, **damage))
    with pytest.raises(TransientError, match=r"a: was damaged on its way 3 times; .* is sound"):
        store.fetch_file("a", tmp_path / "b")
    assert [each.name for each in tmp_path.iterdir()] == ["a"]


def test_a_range_that_is_too_short_is_fetched_again(store: CloudStore, faults: Faults) -> None:
    info = store.write("a", b"0123456789", if_generation=0)
    faults.add(Fault("media", "a", shortened_to=3, times=2))
    assert store.read_range("a", info.generation, 2, 5) == b"23456"
    faults.add(Fault("media", "a", shortened_to=3, times=3))
    with pytest.raises(TransientError, match="a: was damaged on its way 3 times"):
        store.read_range("a", info.generation, 2, 5)


def test_an_upload_that_stays_damaged_is_refused_and_made_again_by_the_next_delivery(
    store: CloudStore, faults: Faults, tmp_path: Path
) -> None:
    (tmp_path / "small").write_bytes(b"0123456789")
    (tmp_path / "large").write_bytes(b"0123456789" * MIB)
    for name, operation in (("small", "upload"), ("large", "chunk")):
        for _ in range(3):
            faults.add(Fault("upload" if operation == "upload" else "chunk", name, altered=True))
        with pytest.raises(TransientError, match=f"{name}: was damaged on its way"):
            store.put_file(name, tmp_path / name)
        assert store.stat(name) is None
        put_file_once(store, name, tmp_path / name)


def test_reads_are_tried_again_until_they_are_answered(
    store: CloudStore, faults: Faults, tmp_path: Path
) -> None:
    info = store.write("a/b", b"data", if_generation=0)
    for status in (429, 500, 502, 503, 504):
        asked: list[tuple[Operation, str | None]]
        asked = [("media", "a/b"), ("metadata", "a/b"), ("list", None)]
        for operation, name in asked:
            faults.add(Fault(operation, name, status=status))
    assert store.read("a/b").data == b"data"
    assert store.stat("a/b") == info
    assert list(store.list("a/")) == [info]
    faults.add(Fault("list", status=503))
    assert store.subfolders("") == ["a"]
    faults.add(Fault("media", "a/b", answer_lost=True))
    assert store.read_range("a/b", info.generation, 1, 2) == b"at"


def test_a_read_that_gets_no_answer_ends_in_a_clear_error(
    store: CloudStore, faults: Faults, tmp_path: Path
) -> None:
    info = store.write("a", b"data", if_generation=0)
    impatience = impatient(store)
    attempts: list[tuple[Operation, Callable[[], object]]] = [
        ("media", lambda: impatience.read("a")),
        ("media", lambda: impatience.read_range("a", info.generation, 0, 1)),
        ("media", lambda: impatience.fetch_file("a", tmp_path / "a")),
        ("metadata", lambda: impatience.stat("a")),
        ("list", lambda: list(impatience.list("a"))),
        ("list", lambda: impatience.subfolders("a/")),
    ]
    for operation, attempt in attempts:
        faults.add(Fault(operation, status=503, times=1000))
        with pytest.raises(TransientError, match=r"^a.*: Cloud Storage gives no answer: .*503\)"):
            attempt()
        faults.clear()
    assert list(tmp_path.iterdir()) == []


def test_an_answer_that_never_comes_is_not_waited_for(store: CloudStore, faults: Faults) -> None:
    store.write("a", b"data", if_generation=0)
    hanging = threading.Event()
    faults.add(Fault("metadata", "a", meanwhile=lambda: void(hanging.wait(30)), times=1))
    hasty = CloudStore(
        store.bucket_name, client=storage_emulator()[1], timeout=0.2, first_pause=0.01
    )
    assert hasty.stat("a") == store.stat("a")
    hanging.set()


def test_access_denied_names_the_bucket_and_the_role(store: CloudStore, faults: Faults) -> None:
    faults.add(Fault("media", "a", status=403))
    faults.add(Fault("upload", "a", status=403))
    expected = f"gs://{store.bucket_name}: access to a is denied.*Storage Object User"
    with pytest.raises(StorageError, match=expected):
        store.read("a")
    with pytest.raises(StorageError, match=expected):
        store.write("a", b"", if_generation=0)


def test_a_bucket_that_is_not_there_is_a_mistake_of_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"0" * 10 * MIB)
    nowhere = CloudStore("not-here", client=storage_emulator()[1])
    for attempt in (
        lambda: nowhere.read("a"),
        lambda: nowhere.stat("a"),
        lambda: nowhere.write("a", b"", if_generation=0),
        lambda: nowhere.put_file("a", tmp_path / "file"),
        lambda: nowhere.fetch_file("a", tmp_path / "b"),
        lambda: nowhere.delete("a", if_generation=None),
        lambda: list(nowhere.list("")),
        lambda: nowhere.subfolders(""),
    ):
        with pytest.raises(ConfigError, match="gs://not-here: there is no such bucket"):
            attempt()


def test_a_file_that_is_replaced_while_it_is_fetched_is_of_one_generation(
    store: CloudStore, faults: Faults, tmp_path: Path
) -> None:
    old, new = b"1" * 70 * MIB, b"2" * 70 * MIB
    first = store.write("a", old, if_generation=0)
    faults.add(Fault("media", "a"))  # the first part comes as it is, then:
    faults.add(Fault("media", "a", meanwhile=replaced(store, "a", new)))
    info = store.fetch_file("a", tmp_path / "a")
    assert info == store.stat("a")
    assert (tmp_path / "a").read_bytes() == new
    with pytest.raises(PreconditionFailed):
        store.fetch_file("a", tmp_path / "b", generation=first.generation)
    faults.add(Fault("media", "a"))
    faults.add(Fault("media", "a", meanwhile=lambda: store.delete("a", if_generation=None)))
    with pytest.raises(NotFound):
        store.fetch_file("a", tmp_path / "c")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_range_of_a_generation_that_is_gone_says_what_became_of_it(
    store: CloudStore, faults: Faults
) -> None:
    first = store.write("a", b"0123456789", if_generation=0)
    assert store.read_range("a", first.generation, 0, 2) == b"01"
    store.write("a", b"abcdefghij", if_generation=first.generation)
    with pytest.raises(PreconditionFailed):
        store.read_range("a", first.generation, 2, 2)
    with pytest.raises(PreconditionFailed):
        store.read_range("a", first.generation, 10, 2)
    store.delete("a", if_generation=None)
    with pytest.raises(NotFound):
        store.read_range("a", first.generation, 2, 2)


def test_readers_and_a_writer_at_once_see_whole_objects(store: CloudStore, tmp_path: Path) -> None:
    contents = [bytes([number]) * 50_000 for number in range(30)]
    store.write("a", contents[0], if_generation=0)
    done = threading.Event()
    problems: list[bytes] = []

    def read(number: int) -> None:
        while not done.is_set():
            found = store.read("a")
            store.fetch_file("a", tmp_path / str(number))
            fetched = (tmp_path / str(number)).read_bytes()
            problems.extend(data for data in (found.data, fetched) if data not in contents)

    readers = [threading.Thread(target=read, args=(number,)) for number in range(4)]
    for reader in readers:
        reader.start()
    for data in contents:
        store.write("a", data, if_generation=None)
    done.set()
    for reader in readers:
        reader.join()
    assert problems == []


def test_a_large_file_goes_in_parts_which_are_tried_again(
    store: CloudStore, faults: Faults, tmp_path: Path
) -> None:
    data = bytes(range(256)) * (70 * MIB // 256)
    (tmp_path / "in").write_bytes(data)
    faults.add(Fault("start", "a", status=503))
    faults.add(Fault("chunk", "a", status=503))
    faults.add(Fault("chunk", "a", answer_lost=True, times=2))
    faults.add(Fault("chunk", "a"))
    faults.add(Fault("chunk", "a", answer_lost=True))
    info = store.put_file("a", tmp_path / "in")
    assert (info.size, info.crc32c) == (len(data), crc32c_of(data))
    store.fetch_file("a", tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == data
    assert len(requests_of(store, "start", "a")) == 2


def test_an_upload_that_kept_only_some_of_a_part_begins_anew(
    store: CloudStore, faults: Faults, tmp_path: Path
) -> None:
    (tmp_path / "in").write_bytes(b"0123456789" * MIB)
    faults.add(Fault("chunk", "a", keeps=3 * MIB))
    info = store.put_file("a", tmp_path / "in")
    assert info.size == 10 * MIB
    assert len(requests_of(store, "start", "a")) == 2


def test_a_file_put_where_something_is_is_not_sent(store: CloudStore, tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(b"0123456789" * MIB)
    first = put_file_once(store, "a", tmp_path / "in")
    assert put_file_once(store, "a", tmp_path / "in") == first
    assert requests_of(store, "start", "a") == [200, 412]
    assert requests_of(store, "chunk", "a") == [200]


def test_objects_of_other_programs_are_read(store: CloudStore) -> None:
    """Such as an edited configuration, or a folder that somebody made in the console."""
    bucket = storage_emulator()[1].bucket(store.bucket_name)
    bucket.blob("orgs/206/").upload_from_string(b"")
    bucket.blob("orgs/206/config.yaml").upload_from_string(b"a: 1\n")
    bucket.blob("orgs/206/empty").upload_from_string(b"")
    assert store.read("orgs/206/config.yaml").data == b"a: 1\n"
    assert store.read("orgs/206/empty").data == b""
    names = [info.name for info in store.list("orgs/206/")]
    assert names == ["orgs/206/config.yaml", "orgs/206/empty"]
    assert store.subfolders("orgs/") == ["206"]


@pytest.mark.slow
def test_a_listing_of_several_pages_is_whole(store: CloudStore) -> None:
    emulator = storage_emulator()[0]
    bucket = storage_emulator()[1].bucket(store.bucket_name)
    for number in range(1003):
        bucket.blob(f"a/{number:04d}/x").upload_from_string(b"")
    emulator.log.clear()
    assert len(list(store.list("a/"))) == 1003
    assert len(store.subfolders("a/")) == 1003
    assert [each.status for each in emulator.log.of("list")] == [200] * 4


def test_requests_and_bytes_are_counted(store: CloudStore, tmp_path: Path) -> None:
    info = store.write("a", b"0123456789", if_generation=0)
    store.read_range("a", info.generation, 2, 3)
    assert (store.requests, store.bytes_read) == (2, 3)
    store.read("a")
    assert (store.requests, store.bytes_read) == (3, 13)
    store.fetch_file("a", tmp_path / "a")
    assert (store.requests, store.bytes_read) == (5, 23)


@pytest.mark.slow
def test_a_file_of_200_mb_passes_through_little_memory(tmp_path: Path) -> None:
    """Of a file only a part or two are in memory at once, on the way in and on the way out."""
    store = cloud_store()
    with (tmp_path / "in").open("wb") as file:
        for number in range(200):
            file.write(bytes([number]) * MIB)
    code = f"""
import tracemalloc
from pathlib import Path
from almanac.storage.opening import open_store
store = open_store("gs://{store.bucket_name}")
tracemalloc.start()
store.put_file("a", Path({str(tmp_path / "in")!r}))
print(tracemalloc.get_traced_memory()[1])
tracemalloc.reset_peak()
store.fetch_file("a", Path({str(tmp_path / "out")!r}))
print(tracemalloc.get_traced_memory()[1])
store.close()
"""
    environment = {**os.environ, "STORAGE_EMULATOR_HOST": storage_emulator()[0].url}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    put, fetched = map(int, done.stdout.split())
    assert put < 80 * MIB
    assert fetched < 80 * MIB
    assert (tmp_path / "out").stat().st_size == 200 * MIB
