"""Which versions have been in force, after races, rollbacks, collections and older releases."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Collection
from pathlib import Path

import pytest

from almanac.errors import OutcomeUnknown, RequestError, Superseded, TransientError
from almanac.storage import layout
from almanac.storage.collection import collect_versions
from almanac.storage.history import committed_by, list_versions
from almanac.storage.publish import NewVersion, publish, rollback
from almanac.storage.versions import ANCESTORS, current, manifest_of, require_current
from tests.support.rivals import NOW, ORG, RivalStore, put, versions_there


class Died(Exception):
    """Stands for the death of the writer."""


@pytest.fixture
def store(tmp_path: Path) -> RivalStore:
    return RivalStore(tmp_path)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "new.sqlite3"


def numbers(store: RivalStore) -> list[int]:
    return [each.version for each in list_versions(store, ORG)]


def forget(store: RivalStore, name: str, keys: Collection[str]) -> None:
    """Write a document as a release that did not know these keys."""
    found = store.read(name)
    known = {key: value for key, value in json.loads(found.data).items() if key not in keys}
    store.write(name, json.dumps(known).encode(), found.generation)


def as_of_an_older_release(store: RivalStore) -> None:
    forget(store, layout.current(ORG), ("left", "highest"))
    for info in list(store.list(layout.versions(ORG))):
        if info.name.endswith(layout.MANIFEST):
            forget(store, info.name, ("ancestors",))


def lost_to_a_rival(store: RivalStore, file: Path, run_id: str) -> None:
    store.come_first_at("current.json")
    with pytest.raises(Superseded):
        put(store, file, run_id, b"lost")


def refused(
    store: RivalStore,
    file: Path,
    run_id: str,
    error: Exception,
    seen: type[Exception] | None = None,
) -> str:
    """Publish a version that stays complete, as current.json cannot be written; its folder.

    seen: what the caller gets, if it is not the store's error.
    """
    before = versions_there(store)
    store.refusal = error
    with pytest.raises(seen or type(error)):
        put(store, file, run_id, b"refused")
    store.refusal = None
    (left,) = versions_there(store) - before
    return left


# --- races ----------------------------------------------------------------------------------------


def test_a_delivery_after_its_version_was_replaced_or_left_knows_that_it_was_published(
    store: RivalStore, file: Path
) -> None:
    put(store, file, "run-1", b"1")
    parent = current(store, ORG)
    put(store, file, "run-2", b"2")
    store.publish_again()
    new = NewVersion(run_id="run-2", parent=parent, as_of=NOW.date(), now=NOW)
    for latest in (3, 1):
        done = publish(store, ORG, file, new)
        assert (done.version, done.replaced_by and done.replaced_by.version) == (2, latest)
        found = committed_by(store, ORG, "run-2", since=1)
        assert found
        assert found.path == done.path
        rollback(store, ORG, 1, now=NOW)


def test_a_loser_leaves_nothing_and_its_number_may_be_used(store: RivalStore, file: Path) -> None:
    put(store, file, "run-1", b"1")
    lost_to_a_rival(store, file, "run-2")
    assert versions_there(store) == {"00000001-run-1", "00000003-rival-1"}
    assert put(store, file, "run-3", b"3").version == 4
    assert numbers(store) == [1, 3, 4]


def test_after_answers_that_never_came_nothing_is_deleted(store: RivalStore, file: Path) -> None:
    put(store, file, "run-1", b"1")

    refused(store, file, "run-2", OutcomeUnknown("no answer"), TransientError)
    assert "00000002-run-2" in versions_there(store)
    assert numbers(store) == [1]


def test_a_loser_that_cannot_delete_has_lost_all_the_same(store: RivalStore, file: Path) -> None:
    def delete(name: str, if_generation: int | None) -> None:
        raise OutcomeUnknown(name)

    put(store, file, "run-1", b"1")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "delete", delete)
        lost_to_a_rival(store, file, "run-2")
    assert numbers(store) == [1, 3]
    with pytest.raises(RequestError, match=r"version 2 is not kept \(1, 3 are\)"):
        rollback(store, ORG, 2, now=NOW)
    assert collect_versions(store, ORG, NOW) == ["orgs/206/versions/00000002-run-2"]


def test_a_version_that_may_still_come_into_force_is_not_collected(
    store: RivalStore, file: Path
) -> None:
    put(store, file, "run-1", b"1")
    parent = current(store, ORG)
    left = refused(store, file, "run-2", Died())
    assert collect_versions(store, ORG, NOW + dt.timedelta(days=30)) == []
    new = NewVersion(run_id="run-2", parent=parent, as_of=NOW.date(), now=NOW)
    assert left in publish(store, ORG, file, new).folder
    assert numbers(store) == [1, 2]


# --- rollbacks ------------------------------------------------------------------------------------


def test_what_a_rollback_left_stays_a_version_and_its_number_is_not_used_again(
    store: RivalStore, file: Path
) -> None:
    for number in range(1, 4):
        put(store, file, f"run-{number}", b"%d" % number)
    rollback(store, ORG, 1, now=NOW)
    assert put(store, file, "run-4", b"4").version == 4
    assert numbers(store) == [1, 2, 3, 4]
    rollback(store, ORG, 2, now=NOW)
    put(store, file, "run-5", b"5")
    assert numbers(store) == [1, 2, 3, 4, 5]
    assert collect_versions(store, ORG, NOW) == []
    left = require_current(store, ORG)[0].left or {}
    assert [path.split("/")[3] for path in left] == ["00000003-run-3", "00000004-run-4"]
    collect_versions(store, ORG, NOW + dt.timedelta(days=30))
    assert numbers(store) == [2, 5]
    rollback(store, ORG, 2, now=NOW)
    assert list(require_current(store, ORG)[0].left or {}) == [
        "orgs/206/versions/00000005-run-5/database.sqlite3"
    ]


def test_a_rollback_replaces_the_version_that_was_seen_and_no_other(
    store: RivalStore, file: Path
) -> None:
    for number in range(1, 3):
        put(store, file, f"run-{number}", b"%d" % number)
    seen = current(store, ORG)
    store.publish_again()
    with pytest.raises(Superseded, match="version 3 of run rival-1 is current"):
        rollback(store, ORG, 1, now=NOW, there=seen)
    assert require_current(store, ORG)[0].version == 3


# --- many versions, and stores of before ----------------------------------------------------------


def test_a_manifest_names_so_many_versions_that_few_are_read(store: RivalStore, file: Path) -> None:
    first = put(store, file, "run-0", b"0")
    for number in range(1, ANCESTORS + 20):
        put(store, file, f"run-{number}", b"%d" % number)
    there = require_current(store, ORG)[0]
    manifest = manifest_of(store, there.folder)
    assert manifest
    assert len(manifest.ancestors) == ANCESTORS
    assert store.counted(lambda: committed_by(store, ORG, "run-0", since=0)) <= 4
    found = committed_by(store, ORG, "run-0", since=0)
    assert found
    assert found.path == first.path
    assert store.counted(lambda: collect_versions(store, ORG, NOW)) <= 6
    assert len(numbers(store)) == ANCESTORS + 20


def test_of_a_store_of_an_older_release_all_but_double_numbers_are_versions(
    store: RivalStore, file: Path
) -> None:
    put(store, file, "run-1", b"1")
    put(store, file, "left", b"2")
    rollback(store, ORG, 1, now=NOW)
    refused(store, file, "lost", Died())
    put(store, file, "run-4", b"4")
    as_of_an_older_release(store)
    expected = ["run-1", "left", "lost", "run-4"]  # whether `lost` was in force cannot be known
    assert [each.run_id for each in list_versions(store, ORG)] == expected
    assert collect_versions(store, ORG, NOW) == []
    put(store, file, "run-5", b"5")
    lost_to_a_rival(store, file, "loser")
    expected += ["run-5", "rival-1"]
    assert [each.run_id for each in list_versions(store, ORG)] == expected
    assert collect_versions(store, ORG, NOW) == []
    assert committed_by(store, ORG, "run-4", since=1)
    assert rollback(store, ORG, 2, now=NOW).run_id == "left"
    assert put(store, file, "run-8", b"8").version == 8


def test_a_number_that_two_versions_of_an_older_release_have_is_that_of_the_chain(
    store: RivalStore, file: Path
) -> None:
    put(store, file, "run-1", b"1")
    second = put(store, file, "run-2", b"2")
    twin = second.folder.replace("run-2", "twin")
    text = store.read(f"{second.folder}/{layout.MANIFEST}").data.replace(b"run-2", b"twin")
    store.write(f"{twin}/{layout.MANIFEST}", text, 0)
    as_of_an_older_release(store)
    assert [each.run_id for each in list_versions(store, ORG)] == ["run-1", "run-2"]
    assert rollback(store, ORG, 1, now=NOW).run_id == "run-1"


def test_a_lost_current_json_costs_no_version(store: RivalStore, file: Path) -> None:
    put(store, file, "run-1", b"1")
    put(store, file, "run-2", b"2")
    store.delete(layout.current(ORG), None)
    assert put(store, file, "run-3", b"3").version == 3
    assert collect_versions(store, ORG, NOW) == []
    assert numbers(store) == [1, 2, 3]


def test_versions_before_one_whose_manifest_is_lost_go_by_their_age(
    store: RivalStore, file: Path
) -> None:
    for number in range(1, ANCESTORS + 4):
        put(store, file, f"run-{number}", b"%d" % number)
    as_of_an_older_release(store)
    put(store, file, "run-new", b"new")
    store.delete(f"orgs/206/versions/00000003-run-3/{layout.MANIFEST}", None)
    assert collect_versions(store, ORG, NOW) == []
    assert len(numbers(store)) == ANCESTORS + 1
    assert "orgs/206/versions/00000001-run-1" in collect_versions(
        store, ORG, NOW + dt.timedelta(days=8)
    )
