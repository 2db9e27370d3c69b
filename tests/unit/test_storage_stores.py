"""What every object store does, whatever it keeps its objects in."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from almanac.errors import AlmanacError, NotFound, PreconditionFailed, RequestError
from almanac.storage.checksums import crc32c_of
from almanac.storage.store import ObjectInfo, ObjectStore, put_file_once, write_once
from tests.support.storage_stores import STORES

BAD_NAMES = [
    "",
    "/",
    "/etc/passwd",
    "..",
    "../outside",
    "orgs/../../outside",
    "orgs/./206",
    "orgs//206",
    "orgs/206/",
    "orgs\\206",
    "orgs/2\n06",
    "orgs/2\x0006",
    "orgs/\x7f",
    "orgs/\u202e206",
    ".almanac/locks/00",
    "orgs/.hidden",
    "orgs/\ud800",
    "x" * 251,
    "/".join(["abcdefgh"] * 200),
]


@pytest.fixture(params=sorted(STORES))
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    return STORES[request.param](tmp_path)


def test_what_was_written_comes_back(store: ObjectStore) -> None:
    info = store.write("orgs/206/plan.json", b"{}", if_generation=0)
    found = store.read("orgs/206/plan.json")
    assert found.data == b"{}"
    assert info == ObjectInfo("orgs/206/plan.json", found.generation, 2, found.crc32c)
    assert store.stat("orgs/206/plan.json") == info
    assert info.generation > 0


def test_the_checksum_is_the_one_that_cloud_storage_states(store: ObjectStore) -> None:
    # The check value of CRC32C for "123456789" is E3069283.
    assert store.write("a", b"123456789", if_generation=0).crc32c == "4waSgw=="


def test_an_empty_object_is_an_object(store: ObjectStore) -> None:
    store.write("a", b"", if_generation=0)
    assert store.read("a").data == b""
    assert store.read("a").crc32c == "AAAAAA=="


def test_what_is_not_there_is_not_found(store: ObjectStore, tmp_path: Path) -> None:
    store.write("a/b", b"x", if_generation=0)
    for name in ("a", "b", "a/c", "a/b/c"):
        assert store.stat(name) is None
        with pytest.raises(NotFound, match=name):
            store.read(name)
        with pytest.raises(NotFound):
            store.delete(name, if_generation=None)
        with pytest.raises(NotFound):
            store.read_range(name, 1, 0, 1)
        with pytest.raises(NotFound):
            store.fetch_file(name, tmp_path / "fetched")
    assert not (tmp_path / "fetched").exists()


def test_an_object_is_created_once(store: ObjectStore) -> None:
    store.write("a", b"first", if_generation=0)
    with pytest.raises(PreconditionFailed, match="a: is at "):
        store.write("a", b"second", if_generation=0)
    assert store.read("a").data == b"first"


def test_a_swap_needs_the_generation_that_is_there(store: ObjectStore) -> None:
    first = store.write("a", b"1", if_generation=0)
    second = store.write("a", b"2", if_generation=first.generation)
    assert second.generation > first.generation
    for stale in (first.generation, second.generation + 1):
        with pytest.raises(PreconditionFailed):
            store.write("a", b"3", if_generation=stale)
    with pytest.raises(PreconditionFailed):
        store.write("absent", b"3", if_generation=second.generation)
    assert store.read("a").data == b"2"
    assert store.stat("absent") is None


def test_a_write_without_condition_replaces_what_is_there(store: ObjectStore) -> None:
    first = store.write("a", b"1", if_generation=None)
    assert store.write("a", b"2", if_generation=None).generation > first.generation
    assert store.read("a").data == b"2"


def test_a_deletion_needs_the_generation_that_is_there(store: ObjectStore) -> None:
    first = store.write("a", b"1", if_generation=0)
    second = store.write("a", b"2", if_generation=first.generation)
    with pytest.raises(PreconditionFailed):
        store.delete("a", if_generation=first.generation)
    store.delete("a", if_generation=second.generation)
    assert store.stat("a") is None


def test_generations_grow_across_a_deletion(store: ObjectStore) -> None:
    first = store.write("a/b", b"1", if_generation=0)
    store.delete("a/b", if_generation=first.generation)
    again = store.write("a/b", b"1", if_generation=0)
    assert again.generation > first.generation
    with pytest.raises(PreconditionFailed):
        store.read_range("a/b", first.generation, 0, 1)


def test_a_range_is_of_one_generation(store: ObjectStore) -> None:
    first = store.write("a", b"0123456789", if_generation=0)
    assert store.read_range("a", first.generation, 2, 3) == b"234"
    assert store.read_range("a", first.generation, 8, 5) == b"89"
    assert store.read_range("a", first.generation, 10, 5) == b""
    assert store.read_range("a", first.generation, 12, 5) == b""
    store.write("a", b"abcdefghij", if_generation=first.generation)
    with pytest.raises(PreconditionFailed):
        store.read_range("a", first.generation, 2, 3)


def test_a_file_goes_in_and_comes_out_whole(store: ObjectStore, tmp_path: Path) -> None:
    data = bytes(range(256)) * 10_000  # more than two chunks
    (tmp_path / "in").write_bytes(data)
    info = store.put_file("a/database", tmp_path / "in")
    assert (info.size, info.crc32c) == (len(data), crc32c_of(data))
    assert (tmp_path / "in").read_bytes() == data
    assert store.fetch_file("a/database", tmp_path / "out") == info
    assert (tmp_path / "out").read_bytes() == data
    assert store.read("a/database").data == data
    (tmp_path / "out").write_bytes(b"changed")
    (tmp_path / "in").write_bytes(b"changed")
    assert store.read("a/database").data == data


def test_a_file_is_put_only_where_nothing_is(store: ObjectStore, tmp_path: Path) -> None:
    store.write("a", b"first", if_generation=0)
    (tmp_path / "in").write_bytes(b"second")
    for move in (False, True):
        with pytest.raises(PreconditionFailed):
            store.put_file("a", tmp_path / "in", move=move)
    assert store.read("a").data == b"first"
    assert (tmp_path / "in").read_bytes() == b"second"


def test_a_moved_file_is_stored(store: ObjectStore, tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(b"moved")
    info = store.put_file("a/b", tmp_path / "in", move=True)
    assert store.read("a/b").data == b"moved"
    assert store.stat("a/b") == info


def test_a_fetch_can_ask_for_one_generation(store: ObjectStore, tmp_path: Path) -> None:
    first = store.write("a", b"1", if_generation=0)
    store.fetch_file("a", tmp_path / "out", generation=first.generation)
    store.write("a", b"2", if_generation=first.generation)
    with pytest.raises(PreconditionFailed):
        store.fetch_file("a", tmp_path / "other", generation=first.generation)
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == ["out"]


def test_a_local_file_if_there_is_one_holds_the_data(store: ObjectStore) -> None:
    store.write("a/b", b"data", if_generation=0)
    path = store.open_local("a/b")
    assert path is None or path.read_bytes() == b"data"


def test_a_listing_is_sorted_and_only_of_the_prefix(store: ObjectStore) -> None:
    names = ["b/1", "a/c/2", "a/b", "a-b/1", "a/c-d", "ab", "a/c/10"]
    infos = {name: store.write(name, name.encode(), if_generation=0) for name in names}
    assert [info.name for info in store.list("")] == sorted(names)
    assert [info.name for info in store.list("a/")] == ["a/b", "a/c-d", "a/c/10", "a/c/2"]
    assert [info.name for info in store.list("a")] == sorted(set(names) - {"b/1"})
    assert list(store.list("a/c/1")) == [infos["a/c/10"]]
    assert list(store.list("nothing/")) == []
    store.delete("a/c/2", if_generation=None)
    assert [info.name for info in store.list("a/c/")] == ["a/c/10"]


def test_subfolders_are_those_with_objects_below(store: ObjectStore) -> None:
    for name in ("orgs/206/current.json", "orgs/7/runs/a/plan.json", "orgs/207", "rejected/x"):
        store.write(name, b"x", if_generation=0)
    assert store.subfolders("") == ["orgs", "rejected"]
    assert store.subfolders("orgs/") == ["206", "7"]
    assert store.subfolders("orgs/7/") == ["runs"]
    assert store.subfolders("orgs/206/") == []
    assert store.subfolders("orgs/207/") == []
    assert store.subfolders("nothing/") == []
    assert [each.name for each in store.list("orgs/206/", deep=False)] == ["orgs/206/current.json"]
    assert [each.name for each in store.list("orgs/", deep=False)] == ["orgs/207"]
    assert list(store.list("nothing/", deep=False)) == []
    store.delete("orgs/7/runs/a/plan.json", if_generation=None)
    assert store.subfolders("orgs/") == ["206"]


@pytest.mark.parametrize("prefix", ["/", "orgs", "../", "orgs//", ".almanac/"])
def test_subfolders_are_asked_of_a_folder(store: ObjectStore, prefix: str) -> None:
    with pytest.raises(RequestError, match="object name"):
        store.subfolders(prefix)


@pytest.mark.parametrize("name", BAD_NAMES)
def test_no_name_leads_out_of_the_store(store: ObjectStore, tmp_path: Path, name: str) -> None:
    (tmp_path / "in").write_bytes(b"x")
    with pytest.raises(RequestError, match="object name"):
        store.write(name, b"x", if_generation=None)
    with pytest.raises(RequestError):
        store.read(name)
    with pytest.raises(RequestError):
        store.stat(name)
    with pytest.raises(RequestError):
        store.put_file(name, tmp_path / "in", move=True)
    with pytest.raises(RequestError):
        store.fetch_file(name, tmp_path / "out")
    with pytest.raises(RequestError):
        store.open_local(name)
    with pytest.raises(RequestError):
        store.read_range(name, 1, 0, 1)
    with pytest.raises(RequestError):
        store.delete(name, if_generation=None)
    assert [path for path in tmp_path.iterdir() if path.name != "store"] == [tmp_path / "in"]


@pytest.mark.parametrize("prefix", ["/", "..", "../", "a//", "a/../b", ".almanac", "a\\", "a\n"])
def test_no_listing_leads_out_of_the_store(store: ObjectStore, prefix: str) -> None:
    with pytest.raises(RequestError, match="object name"):
        list(store.list(prefix))


def test_of_sixteen_threads_one_creates_the_object(store: ObjectStore) -> None:
    start = threading.Barrier(16)
    won: list[bytes] = []
    lost: list[AlmanacError] = []

    def create(number: int) -> None:
        data = b"%d" % number * 1000
        start.wait()
        try:
            store.write("orgs/206/lease.json", data, if_generation=0)
            won.append(data)
        except PreconditionFailed as error:
            lost.append(error)

    _run_all([threading.Thread(target=create, args=(number,)) for number in range(16)])
    assert (len(won), len(lost)) == (1, 15)
    assert store.read("orgs/206/lease.json").data == won[0]


@pytest.mark.parametrize("rounds", [2, pytest.param(10, marks=pytest.mark.slow)])
def test_concurrent_swaps_lose_no_update(store: ObjectStore, rounds: int) -> None:
    store.write("counter", b"0", if_generation=0)

    def count() -> None:
        for _ in range(rounds):
            while True:
                there = store.read("counter")
                data = b"%d" % (int(there.data) + 1)
                try:
                    store.write("counter", data, if_generation=there.generation)
                    break
                except PreconditionFailed:
                    continue

    _run_all([threading.Thread(target=count) for _ in range(8)])
    assert int(store.read("counter").data) == 8 * rounds


def test_writing_once_twice_is_success_with_the_same_content(
    store: ObjectStore, tmp_path: Path
) -> None:
    info = write_once(store, "a", b"same")
    assert write_once(store, "a", b"same") == info
    with pytest.raises(PreconditionFailed, match="a: exists with other content"):
        write_once(store, "a", b"other")
    (tmp_path / "same").write_bytes(b"same")
    (tmp_path / "other").write_bytes(b"other")
    assert put_file_once(store, "a", tmp_path / "same", move=True) == info
    with pytest.raises(PreconditionFailed, match="a: exists with other content"):
        put_file_once(store, "a", tmp_path / "other")


def _run_all(threads: list[threading.Thread]) -> None:
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
