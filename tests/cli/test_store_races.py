"""Commands on a store in which another writer is quick: each says what became of its version."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import apsw
import pytest

from almanac.config import Config
from almanac.database.census import take_census
from almanac.organizations.transfer import publish_copy
from almanac.progress import silent
from almanac.status.organization import organization_status
from almanac.storage.versions import current
from tests.support.cli_calls import Answer, almanac
from tests.support.rivals import NOW, ORG, RivalStore, versions_there
from tests.support.tiny import Agency

CAMPAIGNS = "SELECT count(*) FROM campaign_instances"


@pytest.fixture
def agency(tmp_path: Path) -> Agency:
    """One contact with a planned row, and a campaign type `news`."""
    made = Agency(tmp_path / "agency.sqlite3")
    made.contact(1)
    made.sent("birthday", "2026-11-23", status="pre-scheduled", id=1)
    made.campaign(1, "news")
    return made


@pytest.fixture
def store(tmp_path: Path, agency: Agency, monkeypatch: pytest.MonkeyPatch) -> RivalStore:
    """The store of all commands, with the agency as version 1."""
    made = RivalStore(tmp_path)
    monkeypatch.setenv("ALMANAC_STORE", "store")
    for module in ("agency_arguments", "store"):
        monkeypatch.setattr(f"almanac.commands.{module}.open_store", lambda url: made)
    assert almanac("store", "push", ORG, agency.path).code == 0
    return made


def query(store: RivalStore, sql: str) -> list[tuple[object, ...]]:
    """The rows of the current version."""
    there = current(store, ORG)
    assert there
    path = store.folder / "current.sqlite3"
    path.write_bytes(store.read(there[0].path).data)
    connection = apsw.Connection(str(path))
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


def succeeded(answer: Answer) -> str:
    assert (answer.code, answer.err) == (0, "")
    return answer.out


def listed() -> list[dict[str, object]]:
    found = json.loads(succeeded(almanac("store", "versions", ORG, "--json")))["versions"]
    return list(found)


# --- the answer is lost, and another version is on top before it is read back ---------------------


def test_a_push_says_that_it_is_published_and_what_has_replaced_it(
    store: RivalStore, agency: Agency
) -> None:
    for as_json in (False, True):
        agency.contact(2 + as_json)
        store.lose_answer_and_come_next()
        given = almanac("store", "push", ORG, agency.path, *["--json"] * as_json)
        told = succeeded(given)
        if as_json:
            found = json.loads(told)
            assert (found["version"], found["published"], found["current"]) == (4, True, 5)
            assert not {"left", "highest", "replaced_by"} & set(found)
        else:
            assert "is version 2, now current. Version 3 (run rival-1) has replaced it" in told
    assert [each["version"] for each in listed()] == [1, 2, 3, 4, 5]


def test_a_change_is_made_once_and_reported_as_made(store: RivalStore) -> None:
    store.lose_answer_and_come_next()
    told = succeeded(almanac("campaign", "add", "--org", ORG, "news", "spring"))
    assert "spring" in told
    assert [each["run_id"] for each in listed()][-1] == "rival-1"
    assert query(store, CAMPAIGNS) == [(2,)]


def test_a_rollback_has_happened_though_its_target_has_a_child_by_now(store: RivalStore) -> None:
    store.publish_again()
    store.lose_answer_and_come_next()
    told = succeeded(almanac("store", "rollback", ORG, "1"))
    assert "version 1 is current again, in place of 2. Version 3 (run rival-2) has repl" in told
    store.lose_answer_and_come_next()
    assert "Version 4 has replaced it since" in succeeded(almanac("undo", "--org", ORG))


def test_a_rollback_that_came_too_late_has_not_happened(store: RivalStore) -> None:
    store.publish_again()
    store.come_first_at("current.json")
    given = almanac("store", "rollback", ORG, "1")
    assert given.code == 1
    assert "version 3 of run rival-2 is current" in given.err


# --- losers of races ------------------------------------------------------------------------------


def test_versions_that_lost_a_race_are_not_listed_and_numbers_are_unique(
    store: RivalStore, agency: Agency
) -> None:
    for number in range(6):
        agency.contact(2 + number)
        store.come_first_at("current.json" if number % 2 else "database.sqlite3")
        given = almanac("store", "push", ORG, agency.path)
        assert (given.code, "another version was published" in given.err) == (1, True)
    assert [each["run_id"] for each in listed()][1:] == [f"rival-{n}" for n in range(1, 7)]
    numbers = [each["version"] for each in listed()]
    assert len(set(numbers)) == 7
    assert len(versions_there(store)) == 7
    out = store.folder / "out.sqlite3"
    succeeded(almanac("store", "pull", ORG, "--version", "1", "--out", out))
    assert "version 1 is current again" in succeeded(almanac("store", "rollback", ORG, "1"))
    assert [each["version"] for each in listed()] == numbers


# --- requests -------------------------------------------------------------------------------------


def test_after_sixty_versions_without_a_run_a_writer_makes_no_more_requests(
    store: RivalStore, agency: Agency, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = iter(("spring", "summer"))

    def made() -> list[int]:
        agency.contact(len(store.requests))
        return [
            store.counted(do)
            for do in (
                lambda: succeeded(almanac("campaign", "add", "--org", ORG, "news", next(names))),
                lambda: succeeded(almanac("store", "push", ORG, agency.path)),
                lambda: organization_status(store, ORG, NOW),
            )
        ]

    few = made()
    connection = apsw.Connection(str(agency.path))
    census = take_census(connection, NOW.date(), Config().contacts)
    connection.close()
    for number in range(60):
        copy = store.folder / "copy"
        copy.write_bytes(agency.path.read_bytes())
        publish_copy(
            store,
            ORG,
            copy,
            word="mark",
            parent=current(store, ORG),
            census=census,
            days={},
            now=NOW + dt.timedelta(minutes=number),
            progress=silent,
        )
    assert made() == few
