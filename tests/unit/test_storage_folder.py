"""What is special about a store in a folder: processes, crashes, and people who look in."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest

from almanac.errors import Corrupt, NotFound, PreconditionFailed, StorageError
from almanac.storage.folder import FolderStore
from almanac.storage.store import read_or_none

SPAWN = multiprocessing.get_context("spawn")


class Crash(BaseException):
    """Stands for the death of the process: nothing catches it."""


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "store", durable=False)


def _create(root: Path, number: int, start: Barrier) -> bool:
    store = FolderStore(root, durable=False)
    start.wait()
    try:
        store.write("orgs/206/lease.json", b"%d" % number * 100_000, if_generation=0)
    except PreconditionFailed:
        return False
    return True


def _create_in_process(root: Path, number: int, start: Barrier, answers: Path) -> None:
    (answers / f"{number}").write_text(str(_create(root, number, start)))


@pytest.mark.parametrize("number", [3, pytest.param(8, marks=pytest.mark.slow)])
def test_of_processes_at_once_one_creates_the_object(tmp_path: Path, number: int) -> None:
    start = SPAWN.Barrier(number)
    answers = tmp_path / "answers"
    answers.mkdir()
    processes = [
        SPAWN.Process(target=_create_in_process, args=(tmp_path / "store", each, start, answers))
        for each in range(number)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    won = [path.name for path in answers.iterdir() if path.read_text() == "True"]
    assert len(won) == 1
    assert len(list(answers.iterdir())) == number
    found = FolderStore(tmp_path / "store").read("orgs/206/lease.json")
    assert found.data == won[0].encode() * 100_000


def test_an_object_is_the_plain_file_of_its_name(store: FolderStore) -> None:
    store.write("orgs/206/current.json", b"{}", if_generation=0)
    assert (store.root / "orgs/206/current.json").read_bytes() == b"{}"


def test_reading_creates_nothing(tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "store")
    assert store.stat("a") is None
    assert list(store.list("")) == []
    with pytest.raises(NotFound):
        store.read("a")
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:-1],
        lambda data: b"",
        lambda data: data + b"x",
        lambda data: b"X" + data[1:],
    ],
)
def test_a_file_changed_behind_the_store_is_corrupt(
    store: FolderStore, tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    info = store.write("runs/1/fragment", b"0123456789", if_generation=0)
    path = store.root / "runs/1/fragment"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(Corrupt, match="runs/1/fragment"):
        store.read("runs/1/fragment")
    with pytest.raises(Corrupt):
        store.open_local("runs/1/fragment")
    with pytest.raises(Corrupt):
        store.read_range("runs/1/fragment", info.generation, 0, 4)
    with pytest.raises(Corrupt):
        store.fetch_file("runs/1/fragment", tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert store.stat("runs/1/fragment") == info
    assert list(store.list("runs/")) == [info]


def test_a_bit_that_flips_without_a_trace_is_corrupt(store: FolderStore, tmp_path: Path) -> None:
    store.write("a", b"0123456789", if_generation=0)
    path = store.root / "a"
    times = path.stat()
    path.write_bytes(b"0123456788")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    with pytest.raises(Corrupt):
        store.read("a")
    with pytest.raises(Corrupt):
        store.open_local("a")
    with pytest.raises(Corrupt):
        store.fetch_file("a", tmp_path / "out")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["store"]


def test_a_corrupt_object_can_be_replaced(store: FolderStore) -> None:
    info = store.write("a", b"good", if_generation=0)
    (store.root / "a").write_bytes(b"bad")
    with pytest.raises(PreconditionFailed):
        store.write("a", b"good", if_generation=0)
    store.delete("a", if_generation=info.generation)
    store.write("a", b"good", if_generation=0)
    assert store.read("a").data == b"good"


def test_a_file_that_somebody_put_there_is_an_object(store: FolderStore) -> None:
    (store.root / "orgs/206").mkdir(parents=True)
    (store.root / "orgs/206/notes.txt").write_text("by hand")
    first = store.read("orgs/206/notes.txt")
    assert first.data == b"by hand"
    assert store.open_local("orgs/206/notes.txt") == store.root / "orgs/206/notes.txt"
    with pytest.raises(PreconditionFailed):
        store.write("orgs/206/notes.txt", b"x", if_generation=0)
    second = store.write("orgs/206/notes.txt", b"x", if_generation=first.generation)
    assert second.generation > first.generation


def test_a_configuration_may_be_edited_in_place(store: FolderStore) -> None:
    name = "orgs/206/config.yaml"
    first = store.write(name, b"horizon_days: 365\n", if_generation=0)
    (store.root / name).write_text("horizon_days: 30\n")
    found = store.read(name)
    assert found.data == b"horizon_days: 30\n"
    assert found.generation > first.generation
    with pytest.raises(PreconditionFailed):
        store.write(name, b"x", if_generation=first.generation)


def test_a_moved_file_is_taken_and_a_put_one_stays(store: FolderStore, tmp_path: Path) -> None:
    for name, move in (("moved", True), ("put", False)):
        (tmp_path / name).write_bytes(b"data")
        store.put_file(name, tmp_path / name, move=move)
    assert not (tmp_path / "moved").exists()
    assert (tmp_path / "put").exists()


def test_folders_that_became_empty_go(store: FolderStore) -> None:
    store.write("orgs/206/versions/1/database", b"x", if_generation=0)
    store.write("orgs/206/current.json", b"x", if_generation=0)
    store.delete("orgs/206/versions/1/database", if_generation=None)
    assert [path.name for path in (store.root / "orgs/206").iterdir()] == ["current.json"]


def test_an_object_and_a_folder_cannot_have_one_name(store: FolderStore) -> None:
    store.write("a/b", b"x", if_generation=0)
    with pytest.raises(StorageError, match="a: "):
        store.write("a", b"x", if_generation=0)
    with pytest.raises(StorageError, match="a/b/c: "):
        store.write("a/b/c", b"x", if_generation=0)
    assert store.read("a/b").data == b"x"


def test_nothing_is_left_beside_the_objects_after_errors(store: FolderStore) -> None:
    store.write("a", b"x", if_generation=0)
    for _ in range(3):
        with pytest.raises(PreconditionFailed):
            store.write("a", b"y", if_generation=0)
    assert list((store.root / ".almanac/temporary").iterdir()) == []


def test_what_a_dead_writer_left_is_swept_after_a_day(store: FolderStore) -> None:
    store.write("a", b"x", if_generation=0)
    old, young = (store.root / ".almanac/temporary" / name for name in ("1-old", "1-young"))
    for path in (old, young):
        path.write_bytes(b"half")
    os.utime(old, (0, 0))
    FolderStore(store.root)
    assert not old.exists()
    assert young.exists()


class _Dying:
    """Once armed, the process dies for the file system before the n-th thing it asks of it."""

    def __init__(self) -> None:
        self._left: int | None = None
        sys.addaudithook(self._hook)

    @contextmanager
    def before(self, step: int) -> Iterator[None]:
        self._left = step
        try:
            yield
        finally:
            self._left = None

    def _hook(self, event: str, args: tuple[object, ...]) -> None:
        if self._left is not None and event in ASKED:
            if self._left == 0:
                raise Crash(event)  # and so does all that follows: the dead clean nothing up
            self._left -= 1


ASKED = {"open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.utime"}


@pytest.fixture(scope="module")
def dying() -> _Dying:
    return _Dying()


Change = Callable[[FolderStore, Path, int], object]
CHANGES: dict[str, Change] = {
    "write": lambda store, file, there: store.write("a/b", b"new!", if_generation=there),
    "delete": lambda store, file, there: store.delete("a/b", if_generation=there),
}
CREATIONS: dict[str, Change] = {
    "write": lambda store, file, there: store.write("a/b", b"new!", if_generation=0),
    "put": lambda store, file, there: store.put_file("a/b", file),
    "move": lambda store, file, there: store.put_file("a/b", file, move=True),
}


@pytest.mark.parametrize("change", CHANGES)
def test_death_at_any_step_of_a_change_leaves_the_old_object_or_the_new(
    tmp_path: Path, dying: _Dying, change: str
) -> None:
    new = b"new!" if change == "write" else None
    seen = set()
    for step in itertools.count():
        store = FolderStore(tmp_path / f"{step}", durable=True)
        old = store.write("a/b", b"old", if_generation=0)
        died = _dies(dying, step, partial(CHANGES[change], store, tmp_path, old.generation))
        survivor = FolderStore(store.root)
        found = read_or_none(survivor, "a/b")
        seen.add(found.data if found else None)
        assert (found.data if found else None) in (b"old", new)
        if found and found.data == b"old":
            assert found.generation == old.generation
            again = survivor.write("a/b", b"again", if_generation=old.generation)
        else:
            again = survivor.write("a/b", b"again", found.generation if found else 0)
            assert found is None or again.generation > found.generation > old.generation
        assert again.generation > old.generation
        assert survivor.read("a/b").data == b"again"
        if not died:
            break
    assert step >= 3
    assert seen == {b"old", new}


@pytest.mark.parametrize("creation", CREATIONS)
def test_death_at_any_step_of_a_creation_leaves_nothing_or_the_whole(
    tmp_path: Path, dying: _Dying, creation: str
) -> None:
    for step in itertools.count():
        store = FolderStore(tmp_path / f"{step}")
        file = tmp_path / f"{step}.file"
        file.write_bytes(b"new!")
        died = _dies(dying, step, partial(CREATIONS[creation], store, file, 0))
        survivor = FolderStore(store.root)
        found = read_or_none(survivor, "a/b")
        if found is None:
            assert died
            assert file.read_bytes() == b"new!"
            CREATIONS[creation](survivor, file, 0)
        assert survivor.read("a/b").data == b"new!"
        assert [info.name for info in survivor.list("")] == ["a/b"]
        if not died:
            break
    assert step >= 3


def _dies(dying: _Dying, step: int, act: Callable[[], object]) -> bool:
    try:
        with dying.before(step):
            act()
    except Crash:
        return True
    return False
