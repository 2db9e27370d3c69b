"""Whatever happens while a store is copied, the copy names a version that is whole there."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass

import pytest

from almanac.errors import OutcomeUnknown, TransientError
from almanac.storage import layout
from almanac.storage.collection import collect_versions
from almanac.storage.memory import MemoryStore
from almanac.storage.store import ObjectInfo
from almanac.storage.versions import current
from tests.support import agencies
from tests.support.clouds import NOW, Cloud
from tests.support.copies import copy, is_whole, names
from tests.support.perils import FAULTS, Death, Fault, PerilousStore, Perils

ORG = "206"
OLD_EVENT, NEW_EVENT = (layout.inbox_object(ORG, NOW, event) for event in ("e1", "e2"))


class Watched(MemoryStore):
    """A store that others use at the at-th request (from 0)."""

    def __init__(self, like: MemoryStore) -> None:
        super().__init__()
        self._objects, self._generation = dict(like._objects), like._generation
        self.at = -1
        self.requests = 0
        self.meanwhile: Callable[[], None] = lambda: None

    def _count(self) -> None:
        self.requests += 1
        if self.requests - 1 == self.at:
            self.meanwhile()

    def read(self, name: str):  # type: ignore[no-untyped-def]
        self._count()
        return super().read(name)

    def stat(self, name: str) -> ObjectInfo | None:
        self._count()
        return super().stat(name)

    def list(self, prefix: str, *, deep: bool = True) -> Iterator[ObjectInfo]:
        self._count()
        return super().list(prefix, deep=deep)

    def write(self, name: str, data: bytes, if_generation: int | None) -> ObjectInfo:
        self._count()
        return super().write(name, data, if_generation)

    def delete(self, name: str, if_generation: int | None) -> None:
        self._count()
        super().delete(name, if_generation)


@dataclass
class States:
    """A store on three days, each of which has a version more and an old one less; its copy of the
    first day."""

    days: list[PerilousStore]
    copied: PerilousStore


@pytest.fixture(scope="module")
def states(tmp_path_factory: pytest.TempPathFactory) -> States:
    folder = tmp_path_factory.mktemp("cloud")
    database = agencies.build(folder / "agency.sqlite3", 3, 24, as_of=NOW.date(), config={})
    cloud = Cloud(folder)
    days: list[PerilousStore] = []
    for event in (OLD_EVENT, NEW_EVENT, None):
        for name in cloud.names(layout.inbox(ORG)):  # as if the version had it
            cloud.store.delete(name, None)
        cloud.push(ORG, database, f"push-{len(days)}")
        collect_versions(cloud.store, ORG, cloud.now, keep_days=0)
        if event:
            cloud.store.write(event, b"{}", 0)
        days.append(PerilousStore(Perils()))
        days[-1].begin_as(cloud.store)
        cloud.now += dt.timedelta(days=1)
    copied = PerilousStore(Perils())
    copy(days[0], copied)
    return States(days, copied)


def begun_as(store: PerilousStore) -> tuple[PerilousStore, Perils]:
    perils = Perils()
    another = PerilousStore(perils)
    another.begin_as(store)
    return another, perils


def ends_as(source: MemoryStore, target: MemoryStore) -> None:
    """One more copy that nothing disturbs makes the target what the source is."""
    copy(source, target)
    assert names(target) == names(source) | {layout.copied(ORG)}
    there, wanted = current(target, ORG), current(source, ORG)
    assert there
    assert wanted
    assert there[0] == wanted[0]


@pytest.mark.parametrize("fault", FAULTS)
def test_a_copy_that_dies_or_loses_an_answer_leaves_a_whole_version(
    states: States, fault: Fault
) -> None:
    plain, perils = begun_as(states.copied)
    copy(states.days[2], plain)
    for at in range(len(perils.changes)):
        target, perils = begun_as(states.copied)
        perils.expect(at, fault)
        try:
            copy(states.days[2], target)
        except (Death, TransientError, OutcomeUnknown):
            perils.revive()
        assert perils.at is None, "the fault was not met"
        assert is_whole(target, states.days[2]) or is_whole(target, states.days[0])
        ends_as(states.days[2], target)


def test_of_two_copies_at_once_the_one_of_the_newer_version_stays(states: States) -> None:
    plain = Watched(states.copied)
    copy(states.days[1], plain)
    for at in range(plain.requests):
        source, target = Watched(states.days[1]), Watched(states.copied)

        def whole_copy(source: Watched = source, target: Watched = target) -> None:
            source._objects = {**source._objects, **states.days[2]._objects}
            copy(source, target)
            assert is_whole(target, source)

        target.at, target.meanwhile = at, whole_copy
        with suppress(TransientError):
            copy(source, target)
        assert is_whole(target, states.days[2])
        there = current(target, ORG)
        assert there
        assert there[0].version == 3
        ends_as(source, target)


def test_a_source_that_changes_meanwhile_leaves_a_whole_version_and_what_waits(
    states: States,
) -> None:
    plain = Watched(states.days[1])
    copy(plain, begun_as(states.copied)[0])
    for at in range(plain.requests):
        source, (target, _) = Watched(states.days[1]), begun_as(states.copied)

        def move(source: Watched = source) -> None:
            source._objects, source._generation = (
                dict(states.days[2]._objects),
                states.days[2]._generation,
            )

        source.at, source.meanwhile = at, move
        with suppress(TransientError):
            copy(source, target)
        there = current(target, ORG)
        assert there
        day = next(each for each in states.days if each.stat(there[0].path))
        assert is_whole(target, day)
        if there[0].version == 2:  # before it has an event, the event waits
            assert target.stat(NEW_EVENT)
        ends_as(source, target)


def test_what_another_copy_has_brought_meanwhile_stays(states: States) -> None:
    """A copy after it, which found it there, may be about to name it."""

    def attempt(at: int) -> Watched:
        source, target = Watched(states.days[1]), Watched(states.copied)

        def take_event() -> None:  # so that the source is looked at again
            source._objects.pop(NEW_EVENT, None)

        def bring() -> None:  # the next version, by a copy that dies before it writes copied.json
            source._objects = dict(states.days[2]._objects)
            target._objects = {**source._objects, **target._objects}

        source.at, source.meanwhile = 2, take_event
        target.at, target.meanwhile = at, bring
        with suppress(TransientError):
            copy(source, target)
        if at >= 0:
            assert names(states.days[2]) <= names(target), at
            ends_as(source, target)
        return target

    for at in range(attempt(-1).requests):
        attempt(at)
