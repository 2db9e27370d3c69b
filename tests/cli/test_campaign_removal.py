"""`almanac campaign remove` and `targets remove`: what was set up by mistake goes again."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from almanac.storage.folder import FolderStore
from tests.support.campaign_calls import put, version
from tests.support.cli_calls import Answer, almanac
from tests.support.tiny import Agency

PROMO = 1
DAY = "2027-03-01"
PROMOS = """SELECT contact_id FROM email_schedules WHERE campaign_instance_id = 1
    AND status IN ('pre-scheduled', 'skipped') ORDER BY 1"""
TARGETS = "SELECT contact_id FROM contact_campaigns WHERE campaign_instance_id = 1 ORDER BY 1"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    agency = Agency(tmp_path_factory.mktemp("agency") / "agency.sqlite3")
    for n in range(1, 5):
        agency.contact(n, birth_date=f"1960-06-{10 + n}")
    agency.campaign(PROMO, "promo", days_before_event=3)
    agency.campaign(2, "other", target_all_contacts=1, active_start_date="2027-05-01")
    for n in (1, 2, 3):
        agency.target(PROMO, "2027-04-01", n)
    agency.plan(DAY)
    return agency.path


@pytest.fixture
def agency(made: Path, tmp_path: Path) -> Agency:
    agency = Agency.__new__(Agency)
    agency.path = Path(shutil.copy(made, tmp_path / "agency.sqlite3"))
    return agency


def call(agency: Agency, command: str, *options: object) -> Answer:
    return almanac("campaign", *command.split(), agency.path, PROMO, *options, "--as-of", DAY)


def result(answer: Answer) -> dict[str, Any]:
    assert answer.code == 0, answer.err
    found: dict[str, Any] = json.loads(answer.out)
    return found


def everything(agency: Agency) -> list[tuple[Any, ...]]:
    return agency.query("SELECT contact_id, email_type, status FROM email_schedules ORDER BY id")


def test_a_campaign_without_targets_is_removed_too(agency: Agency) -> None:
    removed = result(almanac("campaign", "remove", agency.path, 2, "--json", "--as-of", DAY))
    assert removed["targets"] == 0
    assert agency.query("SELECT id FROM campaign_instances") == [(PROMO,)]


def test_a_removed_campaign_goes_with_its_targets_and_is_logged(agency: Agency) -> None:
    planned = everything(agency)
    removed = result(call(agency, "remove", "--json", "--changed-by", "ann"))
    assert (removed["targets"], removed["planned"], removed["contacts"]) == (3, 3, 3)
    assert agency.query("SELECT id FROM campaign_instances") == [(2,)]
    assert agency.query(TARGETS) == []
    log = "SELECT campaign_instance_id, field_changed, old_value, changed_by FROM {}"
    assert agency.query(log.format("campaign_change_log")) == [
        (PROMO, "removed", "promo/promo 1", "ann")
    ]
    assert everything(agency) == planned
    agency.plan(DAY)
    assert agency.query(PROMOS) == []


def test_with_replan_its_messages_go_at_once(agency: Agency) -> None:
    others = [row for row in everything(agency) if row[1] != "campaign_promo"]
    removed = result(call(agency, "remove", "--replan", "--json"))
    assert removed["replanned"]["changes"]["removed"] == 3
    assert everything(agency) == others
    assert almanac("undo", agency.path).code == 0
    assert (len(agency.query(PROMOS)), len(agency.query(TARGETS))) == (3, 3)


def test_a_campaign_with_messages_at_the_sender_is_not_removed(agency: Agency) -> None:
    agency.sent("campaign_promo_1", "2027-02-01")
    answer = call(agency, "remove")
    assert answer.code == 2
    assert answer.err.startswith(
        "Error: campaign 1 promo 1: 1 of its messages are with the sender or were sent, and refer "
        "to it; to end it, change it: almanac campaign set"
    )
    assert len(agency.query(TARGETS)) == 3


@pytest.mark.parametrize("command", [("remove",), ("targets remove", "--contacts", "1")])
def test_a_dry_run_changes_nothing(agency: Agency, command: tuple[str, ...]) -> None:
    octets = agency.path.read_bytes()
    answer = call(agency, *command, "--dry-run")
    assert (answer.code, "(--dry-run)" in answer.out) == (0, True)
    assert agency.path.read_bytes() == octets


def test_targets_of_some_contacts_are_taken_out(agency: Agency) -> None:
    agency.query("UPDATE contact_campaigns SET status = ' Sent ' WHERE contact_id = 3")
    given = ("--contacts", "1,3,4,100-200")
    removed = result(call(agency, "targets remove", *given, "--replan", "--json"))
    assert (removed["targets"], removed["sent"]) == (1, 1)
    assert removed["without_target"] == ["4", "100-200"]
    assert agency.query(TARGETS) == [(2,), (3,)]
    assert (1,) not in agency.query(PROMOS)
    assert (2,) in agency.query(PROMOS)


def test_without_a_target_that_can_go_it_is_an_error(agency: Agency) -> None:
    answer = call(agency, "targets remove", "--contacts", "4,7-9")
    assert (answer.code, answer.err) == (
        2,
        "Error: campaign 1 promo 1: no target of the contacts 4, 7-9 to remove\n",
    )


def test_in_a_store_a_removal_is_a_version(agency: Agency, tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "store")
    put(store, agency.path)
    where = ("--org", "206", "--store", tmp_path / "store", "--as-of", DAY)
    answer = almanac("campaign", "remove", "1", *where)
    assert answer.code == 0, answer.err
    assert version(store) == 2
    assert "almanac request run" in almanac("campaign", "remove", "2", "--replan", *where).err
