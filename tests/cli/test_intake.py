"""`almanac intake`: events from a file, into a database or the inbox of a store."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from almanac.intake import inbox
from almanac.storage.folder import FolderStore
from tests.support.cli_calls import Answer, almanac, record_requests
from tests.support.tiny import Agency
from tests.support.undo_calls import copy_of, tables

CONTACTS = {"kind": "contacts", "event_id": "c1", "entries": [{"id": 1, "state": "FL"}]}
WRONG = {"kind": "contacts", "entries": [{"id": 2, "state": "NV"}, {"id": 3, "state": "?"}, {}]}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    agency = Agency(tmp_path_factory.mktemp("made") / "agency.sqlite3")
    for number in (1, 2, 3):
        agency.contact(number)
    agency.campaign(1)
    return agency.path


@pytest.fixture
def agency(made: Path, tmp_path: Path) -> Agency:
    return copy_of(made, tmp_path / "agency.sqlite3")


def take(agency: Agency, text: str, *options: object) -> Answer:
    file = agency.path.with_name("events.jsonl")
    file.write_text(text)
    return almanac("intake", *([agency.path] if "--org" not in options else []), file, *options)


def done(answer: Answer) -> dict[str, Any]:
    assert answer.err == ""
    found: dict[str, Any] = json.loads(answer.out)
    return found


def lines(*values: object) -> str:
    return "".join(json.dumps(value) + "\n" for value in values)


def states(agency: Agency) -> list[str]:
    return [state for (state,) in agency.query("SELECT state FROM contacts ORDER BY id")]


def test_events_are_applied_to_a_file_and_each_once(agency: Agency) -> None:
    text = lines(CONTACTS, WRONG, "no event", {"entries": [{}]})
    found = done(take(agency, text, "--json"))
    assert states(agency) == ["FL", "NV", "TX"]
    assert found["events"] == {"contacts": 2}
    assert found["entries"] == {"contacts": 2}
    assert found["rejected"] == 4
    rejects = agency.path.with_name("events.jsonl.rejects.csv").read_text().splitlines()
    assert rejects[0] == "line,rejected_because,index,input"
    assert sorted(line.split(",")[0] for line in rejects[1:]) == ["2", "2", "3", "4"]
    assert "2,state: '?' is not a USPS state code or the name of a state,1," in "\n".join(rejects)
    agency.query("UPDATE contacts SET state = 'TX' WHERE id = 1")
    again = done(take(agency, lines(CONTACTS), "--json"))
    assert (again["done_before"], states(agency)[0]) == (1, "TX")
    other = CONTACTS | {"entries": [{"id": 3, "state": "NY"}]}
    answer = take(agency, lines(other))
    assert answer.code == 1
    assert "event_id: an event with other content has it already" in " ".join(answer.out.split())


@pytest.mark.parametrize(
    "text",
    [
        json.dumps([CONTACTS]),
        json.dumps(CONTACTS, indent=1),
        lines(CONTACTS, CONTACTS),
    ],
)
def test_an_array_and_an_object_of_several_lines_are_events_too(agency: Agency, text: str) -> None:
    assert done(take(agency, text, "--json"))["events"] == {"contacts": 1}
    assert states(agency)[0] == "FL"


def test_entries_without_an_event_are_those_of_the_kind(agency: Agency) -> None:
    entries = [{"id": 1 + number % 3, "state": "CA"} for number in range(1_001)]
    found = done(take(agency, lines(*entries), "--kind", "contacts", "--json"))
    assert found["events"] == {"contacts": 2}
    assert found["entries"] == {"contacts": 1_001}
    assert states(agency) == ["CA"] * 3


@pytest.mark.parametrize(
    ("text", "options", "code", "words"),
    [
        (lines({"id": 1}), (), 1, "its only row is refused"),
        (lines(WRONG), ("--strict",), 1, "2 of 3 rows refused (--strict)"),
        (lines(CONTACTS), ("--kind", "clicks"), 2, "--kind: 'clicks' is not one of deliveries"),
        ("id,state\n1,FL\n", (), 2, "expected events as JSON lines, a JSON array or one object"),
    ],
)
def test_a_file_of_which_nothing_is_taken_is_an_error(
    agency: Agency, text: str, options: tuple[str, ...], code: int, words: str
) -> None:
    answer = take(agency, text, *options)
    assert (answer.code, words in answer.err) == (code, True), answer.err


def test_replan_plans_whom_an_event_affects_and_is_undone_with_it(agency: Agency) -> None:
    almanac("run", agency.path, "--workers", "1", "--yes")
    before = tables(agency.path)
    target = {"campaign_instance_id": 1, "contact_id": 2, "trigger_date": "2027-01-05"}
    events = lines(
        {"kind": "targets", "entries": [target], "replan": True},
        {"kind": "campaigns", "entries": [{"type": {"name": "promo", "priority": 3}}]}
        | {"replan": True},
    )
    found = done(take(agency, events, "--json"))
    assert len(found["replanned"]) == 2
    sql = "SELECT contact_id FROM email_schedules WHERE campaign_instance_id = 1"
    assert agency.query(sql) == [(2,)]
    assert almanac("undo", agency.path).code == 0
    assert tables(agency.path) == before


def test_in_a_store_events_wait_in_the_inbox(
    agency: Agency, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = ("--org", "206", "--store", tmp_path / "store")
    assert almanac("store", "push", "206", agency.path, *where[2:]).code == 0
    answer = take(agency, lines(CONTACTS | {"replan": True}), *where)
    assert "ALMANAC_PROJECT: is not set; replan in a store" in answer.err
    assert inbox.waiting(FolderStore(tmp_path / "store"), "206") == []
    recorder = record_requests(monkeypatch)
    elsewhere = CONTACTS | {"event_id": "c2", "org_id": "207"}
    events = lines(CONTACTS, WRONG | {"replan": True}, elsewhere)
    found = done(take(agency, events, *where, "--json"))
    assert found["outcome"] == "waiting"
    assert found["entries"] == {"contacts": 3}
    assert [each["why"] for each in found["examples"]] == [
        "id or email is missing",
        "org_id: '207' is not 206",
    ]
    ((topic, data, _),) = recorder.published
    assert (topic, json.loads(data)["reason"]) == ("run-requests", "replan")
    store = FolderStore(tmp_path / "store")
    waiting = inbox.read(store, inbox.waiting(store, "206"))
    assert [each.event["entries"] for each in waiting] == [
        CONTACTS["entries"],
        [{"id": 2, "state": "NV"}, {"id": 3, "state": "?"}],
    ]


def test_an_entry_too_deep_or_too_large_costs_that_entry(agency: Agency) -> None:
    deep = '{"id": 1, "x": ' + "[" * 300 + "]" * 300 + "}\n"
    large = json.dumps({"id": 2, "x": "y" * (1 << 20)}) + "\n"
    text = deep + large + lines({"id": 3, "state": "CA"})
    found = done(take(agency, text, "--kind", "contacts", "--json"))
    assert states(agency) == ["TX", "TX", "CA"]
    whys = [each["why"] for each in found["examples"]]
    assert whys[0] == "it is nested too deeply"
    assert whys[1].endswith("bytes of JSON; an event has 1,048,576 at most")


def test_a_database_behind_the_file_is_said_to_come_first(agency: Agency) -> None:
    file = agency.path.with_name("events.jsonl")
    file.write_text(lines(CONTACTS))
    answer = almanac("intake", file, agency.path)
    assert (answer.code, answer.err.endswith("expected DATABASE and FILE\n")) == (2, True)
