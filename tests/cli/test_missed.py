"""Who gets no message of a campaign or a type, and why: as `almanac explain` says it."""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from pathlib import Path

import apsw
import pytest

from almanac.campaigns.repository import Campaigns
from almanac.config_contacts import ContactColumns
from almanac.database.reading import Snapshot
from tests.support.agencies import as_of_for, build, config_for
from tests.support.agreement import run
from tests.support.cli_calls import AS_OF, almanac, state_of
from tests.support.missed_messages import FOLLOWED_UP, Explained, missed_rows, sentences
from tests.support.tiny import Agency

TYPES = ("birthday", "effective_date", "aep", "post_window", "followup")
PROMO = "campaign_promo 'promo 3'"
PAST = re.compile("takes no part|is left out|says neither when nor to whom")


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> Agency:
    """Contacts that miss a birthday message or a campaign, each for another reason."""
    tiny = Agency(tmp_path_factory.mktemp("missed") / "agency.sqlite3")
    tiny.campaign(3, target_states="TX,NY,CA")
    birthdays = {
        1: ("TX", "1950-03-02"),  # gets all
        2: ("NY", "1950-03-02"),
        3: ("CA", "1950-03-02"),
        4: ("TX", ""),
        5: ("TX", "1950-03-02"),
        6: ("TX", "1950-03-02"),
        7: ("FL", "1950-03-02"),
        8: ("TX", "1950-03-02"),
    }
    for contact, (state, birth) in birthdays.items():
        status = "inactive" if contact == 5 else "active"
        tiny.contact(contact, state, birth_date=birth, status=status)
        tiny.target(3, "6/1/2027" if contact == 6 else "2026-12-20", contact_id=contact)
    tiny.insert("suppressions", contact_id=8, email="", reason="asked", source="phone")
    tiny.sent("campaign_promo", "2026-12-01", 4, campaign_instance_id=3)
    tiny.plan(AS_OF)
    return tiny


def reasons(agency: Agency, **asked: str) -> dict[int, str]:
    return {row.contact_id: row.reason for row in missed_rows(agency.path, **asked)}


def agrees(path: Path, contacts: list[int], name: str, **asked: str) -> None:
    """Of each contact the missed messages are those that explain knows, in the same words."""
    found, explained = sentences(missed_rows(path, **asked)), Explained(path)
    for contact in contacts:
        said = explained.missed(contact, name, campaign="campaign" in asked)
        assert found.get(contact, {}) == said, contact


def test_each_reason_is_named_in_the_words_of_explain(planned: Agency) -> None:
    assert reasons(planned, email_type="birthday") == {
        2: "Year-round exclusion for NY",
        3: "Birthday exclusion window for CA",
        4: "No usable birth date",
        5: "Contact does not take part by its status",
        8: "Suppressed: asked",
    }
    agrees(planned.path, list(range(1, 9)), "birthday", email_type="birthday")


def test_a_campaign_has_a_row_for_each_target_that_gets_nothing(planned: Agency) -> None:
    assert reasons(planned, campaign="promo 3") == {
        2: "Year-round exclusion for NY",
        3: "Birthday exclusion window for CA",
        5: "Contact does not take part by its status",
        6: "Target's trigger_date is no date",
        7: "Outside campaign targeting",
        8: "Suppressed: asked",
    }
    agrees(planned.path, list(range(1, 9)), PROMO, campaign="3")


def test_the_command_counts_by_reason_and_writes_the_rows(planned: Agency, tmp_path: Path) -> None:
    before, out = state_of(planned.path.parent), tmp_path / "missed.csv"
    answer = almanac("missed", planned.path, "--campaign", "promo 3", "--out", out)
    assert (answer.code, answer.err) == (0, "")
    said = " ".join(answer.out.split())
    assert "of 8 contacts 6 miss a message, and 2 have it or get it" in said
    assert "Target's trigger_date is no date: contact 6: its trigger_date '6/1/2027'" in said
    with out.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["contact_id"] for row in rows] == ["2", "3", "5", "6", "7", "8"]
    assert rows[0] | {"sentence": ""} == {
        "contact_id": "2",
        "email": "user2@example.com",
        "message": PROMO,
        "event_date": "2026-12-20",
        "reason": "Year-round exclusion for NY",
        "sentence": "",
    }
    assert state_of(planned.path.parent) == before


def test_another_rule_says_who_would_get_the_message_and_when(
    planned: Agency, tmp_path: Path
) -> None:
    before, rule = state_of(planned.path.parent), "state_rules.NY=null"
    asked = ("missed", planned.path, "--campaign", 3, "--if", rule)
    answer = almanac(*asked, "--json")
    assert (answer.code, answer.err) == (0, "")
    (row,) = json.loads(answer.out)["rows"]
    assert (row["contact_id"], row["before"]) == (2, "Year-round exclusion for NY")
    assert (row["after"], row["day_before"]) == ("planned", "")
    said = " ".join(almanac(*asked).out.split())
    assert f"1 more message would be planned (on {row['day_after']}), and 0 no longer" in said
    other = tmp_path / "other.yaml"
    other.write_text("timing: {birthday_days_before: 20}\n")
    said = almanac("missed", planned.path, "--type", "birthday", "--config", other).out
    assert "would be earlier, 0 later" in " ".join(said.split())
    assert state_of(planned.path.parent) == before


def test_an_organization_of_a_store_misses_the_same_messages(
    planned: Agency, tmp_path: Path
) -> None:
    store = ("--store", tmp_path / "store")
    almanac("store", "init", "206", *store)
    assert almanac("store", "push", "206", planned.path, *store).code == 0
    asked = ("--campaign", "promo 3", "--as-of", AS_OF, "--csv")
    here, there = (
        almanac("missed", planned.path, *asked),
        almanac("missed", "--org", "206", *store, *asked),
    )
    assert (there.code, there.err, there.out) == (0, "", here.out)
    assert len(here.out.splitlines()) == 7


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ((), "--campaign INSTANCE or --type TYPE: expected one of them, found none"),
        (("--type", "birthdays"), "--type: expected one of aep, birthday, "),
        (("--campaign", "nix"), "campaign 'nix': no instance has this id or name"),
        (("--type", "aep", "--if", "timing.birthday=3"), "timing.birthday: unknown key"),
        (("--type", "aep", "--if", "horizon_days=x"), 'horizon_days: "x" is not a whole number'),
        (("--type", "aep", "--if", "horizon_days"), "--if: 'horizon_days' is not FIELD=VALUE"),
    ],
)
def test_a_mistake_is_named(planned: Agency, arguments: tuple[str, ...], problem: str) -> None:
    answer = almanac("missed", planned.path, *arguments)
    assert answer.code == 2
    assert problem in " ".join(answer.err.split())


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("schema", ["old", "new", "text"])
def test_random_agencies_are_explained_alike(tmp_path: Path, seed: int, schema: str) -> None:
    path, as_of = build(tmp_path / "agency.sqlite3", seed, schema=schema), as_of_for(seed)
    run(path, as_of, as_of, config_for(seed))
    connection = apsw.Connection(str(path))
    instances = Campaigns.read(connection).instances(as_of)
    connection.close()
    with Snapshot(path) as snapshot:
        contacts = snapshot.contact_ids(ContactColumns()).tolist()
    explained = Explained(path)
    for asked, name in [
        *(({"email_type": each}, each) for each in TYPES),
        *(({"campaign": str(i.id)}, f"{i.email_type} '{i.name}'") for i in instances),
    ]:
        found = sentences(missed_rows(path, **asked))
        for contact in contacts:
            said = explained.missed(contact, name, campaign="campaign" in asked)
            mine = found.get(contact, Counter())
            if "campaign" in asked and not explained.of(contact).contact.eligible:
                assert mine in ({}, said), (asked, contact)  # if it is a target
            elif (mine and said) or "email_type" in asked:
                # a contact whose message has a follow-up is left out
                assert {**mine} == {**said} or [*mine] == [FOLLOWED_UP], (asked, contact)
            else:  # past campaigns: explain does not list those for all, nor knows who got them
                assert all(PAST.search(each) for each in [*mine, *said]), (asked, contact)
