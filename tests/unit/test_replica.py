"""A copy of a store follows its pointers, and runs go on from it."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from almanac.organizations import replica
from almanac.organizations.replica import copy_organization
from almanac.storage import layout
from almanac.storage.memory import MemoryStore
from almanac.storage.versions import current
from tests.support import agencies
from tests.support.clouds import NOW, Cloud

ORG = "206"


class Ordered(MemoryStore):
    """A store that remembers in which order objects came."""

    def __init__(self) -> None:
        super().__init__()
        self.came: list[str] = []

    def write(self, name: str, data: bytes, if_generation: int | None):  # type: ignore[no-untyped-def]
        self.came.append(name)
        return super().write(name, data, if_generation)

    def put_file(self, name: str, path: Path, *, move: bool = False):  # type: ignore[no-untyped-def]
        self.came.append(name)
        return super().put_file(name, path, move=move)


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


def names(store: MemoryStore) -> set[str]:
    return {info.name for info in store.list("orgs/")}


def test_the_pointer_comes_last_and_a_manifest_after_its_version(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replica, "IN_MEMORY", 10_000)
    target = Ordered()
    done = copy_organization(cloud.store, target, ORG)
    assert done.version == 2
    assert target.came[-1] == layout.current(ORG)
    for name in target.came[:-1]:
        if folder := layout.folder_of_version(name):
            assert target.came.index(f"{folder}/{layout.MANIFEST}") >= target.came.index(name)
    again = copy_organization(cloud.store, target, ORG)
    assert (again.copied, again.deleted) == (0, 0)


def test_runs_go_on_from_a_copy(cloud: Cloud, tmp_path: Path) -> None:
    elsewhere = Cloud(tmp_path)
    copy_organization(cloud.store, elsewhere.store, ORG)
    elsewhere.now = cloud.now + dt.timedelta(days=1)
    elsewhere.ask(ORG)
    elsewhere.run()
    there = current(elsewhere.store, ORG)
    assert there
    assert (there[0].version, there[0].run_id) == (3, "2027-03-02-daily")


def test_a_copy_deletes_what_its_source_has_deleted(cloud: Cloud) -> None:
    target = MemoryStore()
    copy_organization(cloud.store, target, ORG)
    source = MemoryStore()
    copy_organization(target, source, ORG)
    (old, *_) = sorted(name for name in names(source) if name.endswith(layout.MANIFEST))
    source.delete(old, if_generation=None)
    assert copy_organization(source, target, ORG).deleted == 1
    assert names(source) == names(target)


def test_a_store_that_was_emptied_does_not_empty_its_copy(cloud: Cloud) -> None:
    target = MemoryStore()
    copy_organization(cloud.store, target, ORG)
    before = names(target)
    assert copy_organization(MemoryStore(), target, ORG).version is None
    assert names(target) == before
