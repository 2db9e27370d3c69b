"""Versions, the pointer, going back, and what is collected."""

from __future__ import annotations

import datetime as dt
import threading
from pathlib import Path
from typing import Any

import pytest

from almanac.errors import Corrupt, OutcomeUnknown, RequestError, Superseded, TransientError
from almanac.storage import layout
from almanac.storage.collection import collect_versions
from almanac.storage.history import list_versions
from almanac.storage.memory import MemoryStore
from almanac.storage.publish import NewVersion, publish, rollback
from almanac.storage.store import ObjectInfo, ObjectStore, StoredObject
from almanac.storage.versions import (
    Current,
    current,
    database_of,
    folders,
    manifest_of,
)
from tests.support.storage_stores import FAULTS, STORES, Death, Fault, FaultyStore

ORG = "206"
NOW = dt.datetime(2026, 11, 21, 10, 0, tzinfo=dt.UTC)
Parent = tuple[Current, int] | None


@pytest.fixture(params=sorted(STORES))
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    return STORES[request.param](tmp_path)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "new.sqlite3"


def put(
    store: ObjectStore,
    file: Path,
    run_id: str,
    *,
    parent: Parent | str = "the one in force",
    now: dt.datetime = NOW,
    content: str | None = None,
) -> Current:
    file.write_text(content or f"database of {run_id}")
    return publish(
        store,
        ORG,
        file,
        NewVersion(
            run_id=run_id,
            parent=current(store, ORG) if isinstance(parent, str) else parent,
            as_of=now.date(),
            now=now,
            manifest_extra={"rows": {"pre-scheduled": 5}, "t0": now.date(), "seconds": 1.5},
            attachments=lambda _: {
                "report.json": f"report of {run_id}".encode(),
                "report-tables/days.csv": b"Day,Messages\r\n",
                "report.html": f"made at {now}".encode(),
            },
            timed=["report.html"],
        ),
    )


def in_force(store: ObjectStore) -> Current:
    found = current(store, ORG)
    assert found
    return found[0]


def test_before_the_first_version_there_is_none(store: ObjectStore) -> None:
    assert current(store, ORG) is None
    assert list_versions(store, ORG) == []


def test_a_published_version_is_in_force(store: ObjectStore, file: Path) -> None:
    first = put(store, file, "run-1")
    assert in_force(store) == first
    assert first.path == "orgs/206/versions/00000001-run-1/database.sqlite3"
    assert (first.version, first.run_id, first.as_of) == (1, "run-1", NOW.date())
    assert store.read(first.path).data == b"database of run-1"
    assert database_of(store, first).size == first.size == 17
    second = put(store, file, "run-2")
    assert second.version == 2
    assert in_force(store) == second


def test_a_manifest_says_what_the_version_is(store: ObjectStore, file: Path) -> None:
    put(store, file, "run-1")
    second = put(store, file, "run-2")
    manifest = manifest_of(store, second.folder)
    assert manifest
    assert (manifest.version, manifest.parent, manifest.run_id) == (2, 1, "run-2")
    assert manifest.parent_path == "orgs/206/versions/00000001-run-1/database.sqlite3"
    assert (manifest.path, manifest.crc32c) == (second.path, second.crc32c)
    assert (manifest.rows, manifest.t0) == ({"pre-scheduled": 5}, NOW.date())
    assert manifest.model_extra == {"seconds": 1.5}
    report = store.stat(f"{second.folder}/report.json")
    assert report
    assert manifest.attachments["report.json"].crc32c == report.crc32c
    assert manifest.months == {"2026-11": manifest.parent_path}
    assert [each.version for each in list_versions(store, ORG)] == [1, 2]


def test_publishing_again_changes_nothing(store: ObjectStore, file: Path) -> None:
    parent = current(store, ORG)
    first = put(store, file, "run-1", parent=parent)
    names = [info.name for info in store.list("")]
    later = NOW + dt.timedelta(minutes=5)
    again = put(store, file, "run-1", parent=parent, now=later, content="differs")
    assert again == first
    assert [info.name for info in store.list("")] == names


def test_another_writer_is_never_overwritten(store: ObjectStore, file: Path) -> None:
    put(store, file, "run-1")
    parent = current(store, ORG)
    other = put(store, file, "push")
    with pytest.raises(Superseded, match="version 2 of run push is current, run run-2 began"):
        put(store, file, "run-2", parent=parent)
    assert in_force(store) == other
    assert put(store, file, "run-2").version == 3


def test_a_first_version_does_not_overwrite_one_that_came_meanwhile(
    store: ObjectStore, file: Path
) -> None:
    put(store, file, "push", parent=None)
    with pytest.raises(Superseded):
        put(store, file, "run-1", parent=None)


def test_a_writer_who_comes_during_the_publishing_wins(file: Path, tmp_path: Path) -> None:
    class Overtaken(MemoryStore):
        def put_file(self, name: str, path: Path, **options: Any) -> ObjectInfo:
            info = super().put_file(name, path, **options)
            if "run-2" in name:
                put(self, tmp_path / "other", "push")
            return info

    store = Overtaken()
    put(store, file, "run-1")
    with pytest.raises(Superseded):
        put(store, file, "run-2")
    assert in_force(store).run_id == "push"


def test_a_damaged_pointer_is_corrupt(store: ObjectStore) -> None:
    store.write("orgs/206/current.json", b'{"version": 0}', if_generation=0)
    with pytest.raises(Corrupt, match=r"orgs/206/current.json: version: "):
        current(store, ORG)


def test_a_database_that_is_not_the_published_one_is_corrupt(
    store: ObjectStore, file: Path
) -> None:
    first = put(store, file, "run-1")
    store.delete(first.path, if_generation=None)
    store.write(first.path, b"another", if_generation=0)
    with pytest.raises(Corrupt, match="were published"):
        database_of(store, first)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("content", ["same", "differs"])
def test_a_fault_at_any_write_of_publishing_is_overcome(
    file: Path, fault: Fault, content: str
) -> None:
    """content: whether the delivery after the death makes the same database, or another."""
    for at in range(100):
        store = FaultyStore()
        put(store, file, "run-1")
        parent = current(store, ORG)
        before = len(store.changes)
        store.at, store.fault = before + at, fault
        try:
            put(store, file, "run-2", parent=parent, content="same")
        except Death:
            assert in_force(store).run_id in ("run-1", "run-2")
            database_of(store, in_force(store))
            later = NOW + dt.timedelta(minutes=10)
            put(store, file, "run-2", parent=parent, content=content, now=later)
        assert in_force(store).run_id == "run-2"
        database_of(store, in_force(store))
        manifest = manifest_of(store, in_force(store).folder)
        assert manifest
        assert manifest.parent == 1
        if content == "same":  # though the page of the second attempt is another one
            assert manifest.version == 2
        for name, each in manifest.attachments.items():
            report = store.stat(f"{manifest.folder}/{name}")
            assert report
            assert report.crc32c == each.crc32c
        if not store.at_was_met():
            break
        put(store, file, "run-3")
        assert in_force(store).run_id == "run-3"
    assert at == 7  # a table, report, page, database, its checksums, manifest, pointer


def test_a_stale_pointer_is_no_version_of_another_writer(file: Path) -> None:
    class Stale(MemoryStore):
        before: StoredObject | None = None

        def read(self, name: str) -> StoredObject:
            stale = self.before if name == layout.current(ORG) else None
            return stale or super().read(name)

    store = Stale()
    put(store, file, "run-1")
    before = store.read(layout.current(ORG))
    put(store, file, "run-2")
    parent = current(store, ORG)
    store.before = before
    with pytest.raises(TransientError, match="an earlier version, 1, was read as the current one"):
        put(store, file, "run-3", parent=parent)
    store.before = None
    assert put(store, file, "run-3", parent=parent).version == 3


def test_answers_lost_one_after_the_other_end_with_what_the_read_back_shows(file: Path) -> None:
    class Silent(MemoryStore):
        def write(self, name, data, if_generation):  # type: ignore[no-untyped-def]
            raise OutcomeUnknown(name)

    with pytest.raises(TransientError, match="was not changed"):
        put(Silent(), file, "run-1")


def test_deliveries_at_once_of_one_run_publish_one_version(
    store: ObjectStore, tmp_path: Path
) -> None:
    put(store, tmp_path / "first", "run-1")
    parent = current(store, ORG)
    results: list[Current] = []

    def deliver(number: int) -> None:
        now = NOW + dt.timedelta(seconds=number)
        content = f"database {number % 2}"
        results.append(
            put(store, tmp_path / f"{number}", "run-2", parent=parent, now=now, content=content)
        )

    threads = [threading.Thread(target=deliver, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 6
    assert {each.path for each in results} == {in_force(store).path}


def test_going_back_puts_the_old_version_in_force(store: ObjectStore, file: Path) -> None:
    first = put(store, file, "run-1")
    second = put(store, file, "run-2")
    later = NOW + dt.timedelta(hours=1)
    back = rollback(store, ORG, 1, now=later)
    assert (back.path, back.crc32c, back.committed_at) == (first.path, first.crc32c, later)
    assert in_force(store) == back
    assert rollback(store, ORG, 1, now=later) == back
    assert rollback(store, ORG, 2, now=later).path == second.path


def test_after_going_back_the_same_run_can_come_again(store: ObjectStore, file: Path) -> None:
    put(store, file, "run-1")
    put(store, file, "run-2", content="bad")
    rollback(store, ORG, 1, now=NOW)
    third = put(store, file, "run-2", content="good")
    assert (third.version, third.run_id) == (3, "run-2")
    assert store.read(third.path).data == b"good"
    manifest = manifest_of(store, third.folder)
    assert manifest
    assert manifest.parent == 1


def test_a_run_that_began_before_going_back_is_superseded(store: ObjectStore, file: Path) -> None:
    put(store, file, "run-1")
    put(store, file, "run-2")
    parent = current(store, ORG)
    rollback(store, ORG, 1, now=NOW)
    with pytest.raises(Superseded):
        put(store, file, "run-3", parent=parent)


def test_going_back_needs_a_version_that_is_kept(store: ObjectStore, file: Path) -> None:
    with pytest.raises(RequestError, match="has no version yet"):
        rollback(store, ORG, 1, now=NOW)
    first = put(store, file, "run-1")
    put(store, file, "run-2")
    with pytest.raises(RequestError, match=r"version 7 is not kept \(1, 2 are\)"):
        rollback(store, ORG, 7, now=NOW)
    store.delete(first.path, if_generation=None)
    store.write(first.path, b"another", if_generation=0)
    with pytest.raises(Corrupt):
        rollback(store, ORG, 1, now=NOW)
    assert in_force(store).version == 2


def _daily(store: ObjectStore, file: Path, days: int) -> dt.datetime:
    now = NOW
    for day in range(days):
        now = NOW + dt.timedelta(days=day)
        put(store, file, f"{now.date()}-daily", now=now)
        collect_versions(store, ORG, now)
    return now


@pytest.mark.slow
def test_of_four_hundred_days_a_week_and_twelve_months_are_kept(file: Path) -> None:
    store = MemoryStore()
    _daily(store, file, 400)  # 2026-11-21 to 2027-12-25
    kept = [each.run_id.removesuffix("-daily") for each in list_versions(store, ORG)]
    assert kept == [
        "2026-12-31",
        "2027-01-31",
        "2027-02-28",
        "2027-03-31",
        "2027-04-30",
        "2027-05-31",
        "2027-06-30",
        "2027-07-31",
        "2027-08-31",
        "2027-09-30",
        "2027-10-31",
        "2027-11-30",
        *(f"2027-12-{day}" for day in range(18, 26)),
    ]
    assert len(folders(store, ORG)) == len(kept)


def test_the_version_in_force_and_its_parent_stay_however_old(
    store: ObjectStore, file: Path
) -> None:
    for number in range(1, 5):
        put(store, file, f"run-{number}")
    later = NOW + dt.timedelta(days=1000)
    deleted = collect_versions(store, ORG, later)
    assert deleted == [f"orgs/206/versions/0000000{n}-run-{n}" for n in (1, 2)]
    assert [each.version for each in list_versions(store, ORG)] == [3, 4]
    assert not [info for info in store.list("") if info.name.startswith(tuple(deleted))]
    assert collect_versions(store, ORG, later) == []


def test_what_is_kept_can_be_configured(store: ObjectStore, file: Path) -> None:
    for number in range(1, 6):
        put(store, file, f"run-{number}", now=NOW + dt.timedelta(days=20 * number))
    now = NOW + dt.timedelta(days=100)
    collect_versions(store, ORG, now, keep_days=0, monthly=0)
    assert [each.version for each in list_versions(store, ORG)] == [4, 5]


def test_a_version_that_was_gone_back_to_is_the_month_s_and_not_the_bad_one(
    store: ObjectStore, file: Path
) -> None:
    put(store, file, "run-1")
    put(store, file, "run-2", content="bad")
    rollback(store, ORG, 1, now=NOW)
    for number, days in ((3, 30), (4, 60), (5, 61)):
        put(store, file, f"run-{number}", now=NOW + dt.timedelta(days=days))
    collect_versions(store, ORG, NOW + dt.timedelta(days=62))
    assert [each.version for each in list_versions(store, ORG)] == [1, 3, 4, 5]


@pytest.mark.parametrize("ends", ["database.sqlite3", "manifest.json"])
def test_the_remains_of_a_dead_run_go_once_their_number_has_been_reached(
    store: ObjectStore, file: Path, ends: str
) -> None:
    put(store, file, "run-1")
    left, young = layout.version(ORG, 2, "dead"), layout.version(ORG, 9, "young")
    store.write(f"{left}/{ends}", b"half", if_generation=0)
    assert collect_versions(store, ORG, NOW + dt.timedelta(days=30)) == []
    put(store, file, "run-3")
    store.write(f"{young}/{ends}", b"half", if_generation=0)
    assert collect_versions(store, ORG, NOW) == [left]
    assert young in folders(store, ORG)


def test_without_a_version_in_force_nothing_is_collected(store: ObjectStore) -> None:
    store.write(f"{layout.version(ORG, 1, 'run')}/database.sqlite3", b"x", if_generation=0)
    assert collect_versions(store, ORG, NOW) == []


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_at_any_deletion_leaves_no_version_half_there(file: Path, fault: Fault) -> None:
    for at in range(100):
        store = FaultyStore()
        for number in range(1, 5):
            put(store, file, f"run-{number}")
        store.at, store.fault = len(store.changes) + at, fault
        later = NOW + dt.timedelta(days=1000)
        try:
            collect_versions(store, ORG, later)
        except Death:
            for manifest in list_versions(store, ORG):
                database_of(store, manifest)
            collect_versions(store, ORG, later)
        assert [each.version for each in list_versions(store, ORG)] == [3, 4]
        assert len(folders(store, ORG)) == 2
        if not store.at_was_met():
            break
    assert at == 12  # six objects of each of two versions
