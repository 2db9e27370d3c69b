"""A copy of a store follows its pointers, and runs go on from it."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from almanac.errors import RequestError
from almanac.organizations.replica import as_of_copy
from almanac.storage import copying, layout, pins
from almanac.storage.memory import MemoryStore
from almanac.storage.store import ObjectInfo
from tests.support import agencies
from tests.support.clouds import NOW, Cloud
from tests.support.copies import NIGHT, copy, is_whole, names

ORG = "206"
# where an event waits
EVENT = layout.inbox_object(ORG, NOW, "e1")


class Ordered(MemoryStore):
    """A store that remembers in which order objects came."""

    def __init__(self) -> None:
        super().__init__()
        self.came: list[str] = []

    def write(self, name: str, data: bytes, if_generation: int | None) -> ObjectInfo:
        self.came.append(name)
        return super().write(name, data, if_generation)


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Cloud:
    folder = tmp_path_factory.mktemp("cloud")
    database = agencies.build(folder / "agency.sqlite3", 3, 24, as_of=NOW.date(), config={})
    cloud = Cloud(folder)
    cloud.push(ORG, database)
    cloud.configure(ORG, "")
    cloud.ask(ORG)
    cloud.run()
    return cloud


@pytest.fixture
def source(cloud: Cloud) -> MemoryStore:
    """A store of its own, as the cloud's is."""
    store = MemoryStore()
    for info in cloud.store.list(""):
        store.write(info.name, cloud.store.read(info.name).data, 0)
    return store


def test_the_pointer_comes_last_and_a_manifest_after_its_version(
    source: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copying, "IN_MEMORY", 10_000)
    target = Ordered()
    assert copy(source, target).version == 2
    assert target.came[-2:] == [layout.copied(ORG), layout.current(ORG)]
    for name in target.came[:-1]:
        if folder := layout.folder_of_version(name):
            assert target.came.index(f"{folder}/{layout.MANIFEST}") >= target.came.index(name)
    again = copy(source, target)
    assert (again.copied, again.deleted) == (0, 0)
    assert as_of_copy(target, ORG) == NIGHT


def test_runs_go_on_from_a_copy_that_was_made_while_one_was_in_flight(
    cloud: Cloud, tmp_path: Path
) -> None:
    first = Cloud(tmp_path, like=cloud)
    first.now += dt.timedelta(days=1)
    first.only("orchestrator")
    first.ask(ORG)
    first.run()
    elsewhere = Cloud(tmp_path)
    copy(first.store, elsewhere.store)
    assert not elsewhere.names(layout.run(ORG, "2027-03-02-daily"))
    elsewhere.now = first.now
    elsewhere.ask(ORG)
    elsewhere.run()
    there = elsewhere.version(ORG)
    assert (there.version, there.run_id) == (3, "2027-03-02-daily")


def test_a_copy_deletes_what_its_source_has_deleted_and_keeps_what_waits(
    source: MemoryStore,
) -> None:
    target = MemoryStore()
    source.write(EVENT, b"{}", 0)
    copy(source, target)
    assert target.read(EVENT).data == b"{}"
    (old, *_) = sorted(name for name in names(source) if name.endswith(layout.MANIFEST))
    for name in (old, EVENT):
        source.delete(name, if_generation=None)
    assert copy(source, target).deleted == 2
    left = {name for name in names(source) if "/fragments/" not in name} - {layout.summary(ORG)}
    assert left == names(target) - {layout.copied(ORG)}


def test_a_pin_is_copied_and_goes_when_it_does(source: MemoryStore) -> None:
    target = MemoryStore()
    folder = layout.version(ORG, 1, "push")
    pins.pin(source, folder, "before the caps", NOW)
    copy(source, target)
    assert pins.pinned(target, ORG) == {folder: "before the caps"}
    pins.unpin(source, folder)
    copy(source, target)
    assert pins.pinned(target, ORG) == {}


def test_a_store_that_was_emptied_does_not_empty_its_copy(source: MemoryStore) -> None:
    target = MemoryStore()
    copy(source, target)
    before = names(target)
    assert copy(MemoryStore(), target).version is None
    assert names(target) == before


def test_what_was_worked_in_is_replaced_only_where_that_is_asked_for(
    source: MemoryStore, cloud: Cloud, tmp_path: Path
) -> None:
    elsewhere = Cloud(tmp_path)
    copy(source, elsewhere.store)
    elsewhere.push(ORG, cloud.pull(ORG), "push-there")
    with pytest.raises(RequestError, match="--replace copies all the same"):
        copy(source, elsewhere.store)
    assert elsewhere.version(ORG).version == 3
    assert copy(source, elsewhere.store, replace=True).version == 2
    assert is_whole(elsewhere.store, source)
    assert copy(source, elsewhere.store).copied == 0
