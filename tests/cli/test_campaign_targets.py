"""`almanac campaign targets`: list, add and remove the contacts that a campaign is to reach."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from almanac.intake import inbox
from almanac.storage.folder import FolderStore
from tests.support.cli_calls import Answer, almanac
from tests.support.tiny import Agency
from tests.support.undo_calls import copy_of

DAY = "2027-02-01"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    agency = Agency(tmp_path_factory.mktemp("made") / "agency.sqlite3")
    for number in (1, 2, 3):
        agency.contact(number)
    agency.campaign(1)
    agency.target(1, DAY, 1, status="sent")
    agency.target(1, DAY, 2, metadata='{"premium": 1}')
    return agency.path


@pytest.fixture
def agency(made: Path, tmp_path: Path) -> Agency:
    return copy_of(made, tmp_path / "agency.sqlite3")


def targets(agency: Agency, word: str, *options: object) -> Answer:
    return almanac("campaign", "targets", word, agency.path, "promo 1", *options)


def rows(agency: Agency) -> list[tuple[Any, ...]]:
    return agency.query(
        "SELECT contact_id, trigger_date, status, metadata FROM contact_campaigns ORDER BY 1, 2"
    )


def test_targets_are_listed_as_text_and_as_rows(agency: Agency) -> None:
    answer = targets(agency, "list", "--limit", "1")
    assert answer.code == 0, answer.err
    assert ("2 targets in all" in answer.out, '{"premium": 1}' in answer.out) == (True, False)
    found = json.loads(targets(agency, "list", "--status", "Pending", "--json").out)
    assert (found["instance_id"], [row["contact_id"] for row in found["rows"]]) == (1, [2])
    found = json.loads(targets(agency, "list", "--status", "sent", "--json").out)
    assert found["rows"] == [
        {"contact_id": 1, "trigger_date": DAY, "status": "sent", "metadata": ""}
    ]


def test_targets_are_added_by_id_and_address(agency: Agency) -> None:
    options = ("--contacts", "2-4", "--email", "USER1@example.com", "--metadata", '{"plan": "G"}')
    found = json.loads(targets(agency, "add", *options, "--trigger-date", DAY, "--json").out)
    assert (found["given"], found["changed"], found["outcome"]) == (4, 2, "written")
    assert found["refused"] == [{"contact": "4", "why": "contact_id: there is no contact 4"}]
    assert rows(agency) == [
        (1, DAY, "sent", None),
        (2, DAY, "pending", '{"premium":1,"plan":"G"}'),
        (3, DAY, "pending", '{"plan": "G"}'),
    ]


def test_a_dry_run_adds_nothing_and_replan_plans_the_new_target(agency: Agency) -> None:
    before = agency.path.read_bytes()
    options = ("--contacts", "3", "--trigger-date", DAY)
    assert "1 target would be added" in targets(agency, "add", *options, "--dry-run").out
    assert agency.path.read_bytes() == before
    answer = targets(agency, "add", *options, "--replan", "--as-of", "2027-01-01")
    assert "Replanned" in answer.out, answer.err
    sql = "SELECT contact_id FROM email_schedules WHERE campaign_instance_id = 1"
    assert (3,) in agency.query(sql)


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        ((), 2, "--contacts or --email: is missing"),
        (("--contacts", "9"), 1, "there is no contact 9"),
        (("--contacts", "1-100001"), 2, "campaign import takes a file"),
        (("--contacts", "1", "--metadata", "[1]"), 2, "--metadata: '[1]' is not a JSON object"),
        (("--contacts", "1", "--trigger-date", "soon"), 2, "--trigger-date: 'soon'"),
    ],
)
def test_what_cannot_be_added_is_an_error(
    agency: Agency, options: tuple[str, ...], code: int, words: str
) -> None:
    answer = targets(agency, "add", *options)
    assert (answer.code, words in answer.err) == (code, True), answer.err


def test_in_a_store_targets_wait_in_the_inbox(agency: Agency, tmp_path: Path) -> None:
    where = ("--org", "206", "--store", tmp_path / "store")
    assert almanac("store", "push", "206", agency.path, *where[2:]).code == 0
    for words in (("add", "1", "--contacts", "3,99"), ("remove", "promo 1", "--contacts", "2")):
        answer = almanac("campaign", "targets", *words, *where)
        assert (answer.code, "in the inbox" in answer.out) == (0, True), answer.err
    assert almanac("campaign", "targets", "add", "2", "--contacts", "3", *where).code == 2
    answer = almanac("campaign", "targets", "add", "1", "--contacts", "4", "--replan", *where)
    assert answer.code == 2
    assert " ".join(answer.err.split()) == (
        "Error: ALMANAC_PROJECT: is not set; --replan in a store asks the functions of that Google "
        "Cloud project, so nothing was written: set it, or leave --replan out, and the next run "
        "plans what changed"
    )
    store = FolderStore(tmp_path / "store")
    waiting = inbox.read(store, inbox.waiting(store, "206"))
    assert [entry for each in waiting for entry in each.event["entries"]] == [
        {"action": "add", "campaign_instance_id": 1, "contact_id": 3},
        {"action": "add", "campaign_instance_id": 1, "contact_id": 99},
        {"action": "remove", "campaign_instance_id": 1, "contact_id": 2},
    ]
