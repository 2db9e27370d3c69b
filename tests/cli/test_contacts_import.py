"""`almanac contacts import`: contacts of another program, by id or address."""

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

CSV = """Id;Email Address;Date of Birth;State;Plan
1;;1950-03-02;FL;G
2;;06/15/1990;NV;G
;new@example.com;1960-01-01;Texas;N
3;x;;;
;user2@example.com;;NV;
1;;;FL;
"""
MAP = ("--map", "Date of Birth=birth_date")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    agency = Agency(tmp_path_factory.mktemp("made") / "agency.sqlite3")
    for number in (1, 2, 3):
        agency.contact(number, birth_date="1950-01-01")
    return agency.path


@pytest.fixture
def agency(made: Path, tmp_path: Path) -> Agency:
    return copy_of(made, tmp_path / "agency.sqlite3")


def import_(agency: Agency, text: str, *options: object) -> Answer:
    file = agency.path.with_name("crm.csv")
    file.write_text(text)
    return almanac("contacts", "import", agency.path, file, *options)


def contacts(agency: Agency) -> list[tuple[Any, ...]]:
    return agency.query("SELECT id, email, state, birth_date FROM contacts ORDER BY id")


def test_rows_are_inserted_and_updated_and_the_others_are_rejected_by_line(agency: Agency) -> None:
    answer = import_(agency, CSV, *MAP)
    assert answer.code == 0
    assert contacts(agency) == [
        (1, "user1@example.com", "FL", "1950-03-02"),
        (2, "user2@example.com", "NV", "1950-01-01"),
        (3, "user3@example.com", "TX", "1950-01-01"),
        (4, "new@example.com", "Texas", "1960-01-01"),
    ]
    lines = agency.path.with_name("crm.csv.rejects.csv").read_text().splitlines()
    assert lines[0] == "line,rejected_because,id,email address,date of birth,state,plan"
    assert [line.split(",")[0] for line in lines[1:]] == ["3", "5"]
    assert "columns that are not read: plan" in answer.out


def test_a_dry_run_counts_and_changes_nothing(agency: Agency) -> None:
    before = agency.path.read_bytes()
    found = json.loads(import_(agency, CSV, *MAP, "--dry-run", "--json").out)
    names = ("outcome", "read", "added", "changed", "unchanged", "rejected")
    assert [found[name] for name in names] == ["dry run", 6, 1, 2, 1, 2]
    assert found["examples"][1] == [5, "email: 'x' is not an e-mail address"]
    assert agency.path.read_bytes() == before
    import_(agency, CSV, *MAP)
    again = json.loads(import_(agency, CSV, *MAP, "--json").out)
    assert [again[name] for name in names] == ["written", 6, 0, 0, 4, 2]


@pytest.mark.parametrize(
    ("text", "options", "code", "words"),
    [
        ("id,state\n1,Texass\n", (), 1, "its only row is refused"),
        ("id,state\n1,Texass\n2,FL\n", ("--strict",), 1, "1 of 2 rows refused (--strict)"),
        ("name,state\nAda,TX\n", (), 2, "expected a header with id or email"),
        ("id,state\n1,TX\n", ("--map", "x=nickname"), 2, "'nickname' is not a column of this"),
    ],
)
def test_a_file_of_which_nothing_can_be_taken_is_an_error(
    agency: Agency, text: str, options: tuple[str, ...], code: int, words: str
) -> None:
    answer = import_(agency, text, *options)
    assert answer.code == code
    assert words in answer.err


def test_columns_of_the_agency_are_written_too_and_a_missing_one_of_planning_is_added(
    agency: Agency,
) -> None:
    agency.query('ALTER TABLE contacts ADD COLUMN "Nick name" TEXT')
    answer = import_(agency, "id,nickname,do_not_communicate\n1,Al,YES\n2,,\n")
    assert answer.code == 0, answer.err
    sql = 'SELECT id, "Nick name", do_not_communicate FROM contacts WHERE id < 3'
    assert agency.query(sql) == [(1, "Al", 1), (2, None, None)]


def test_in_a_store_contacts_wait_in_the_inbox_and_a_dry_run_counts(
    agency: Agency, tmp_path: Path
) -> None:
    where = ("--org", "206", "--store", tmp_path / "store")
    assert almanac("store", "push", "206", agency.path, *where[2:]).code == 0
    file = tmp_path / "crm.csv"
    file.write_text(CSV)
    words = ("contacts", "import", file, *where, *MAP, "--json")
    tried = json.loads(almanac(*words, "--dry-run").out)
    assert (tried["outcome"], tried["added"], tried["changed"]) == ("dry run", 1, 2)
    sent = json.loads(almanac(*words).out)
    assert (sent["outcome"], sent["waiting"], sent["rejected"]) == ("waiting", 4, 2)
    store = FolderStore(tmp_path / "store")
    (waiting,) = inbox.read(store, inbox.waiting(store, "206"))
    assert waiting.event["entries"][0] == {"id": "1", "birth_date": "1950-03-02", "state": "FL"}


def test_in_a_store_a_row_that_lacks_a_needed_column_must_be_of_a_contact_that_is_there_or_waits(
    agency: Agency, tmp_path: Path
) -> None:
    agency.query("ALTER TABLE contacts RENAME TO before")
    agency.query(
        "CREATE TABLE contacts (id INTEGER PRIMARY KEY NOT NULL, first_name TEXT NOT NULL, "
        "last_name TEXT NOT NULL, email TEXT, state TEXT, zip_code TEXT, birth_date TEXT, "
        "plan TEXT NOT NULL DEFAULT 'G', created_at TEXT NOT NULL)"
    )
    agency.query(
        "INSERT INTO contacts SELECT id, 'A', 'B', email, state, zip_code, birth_date, 'G', '' "
        "FROM before"
    )
    agency.query("DROP TABLE before")
    where = ("--org", "206", "--store", tmp_path / "store")
    assert almanac("store", "push", "206", agency.path, *where[2:]).code == 0
    file = tmp_path / "crm.csv"

    def sent(text: str) -> Answer:
        file.write_text(text)
        return almanac("contacts", "import", file, *where, "--json")

    lacking = "first_name, last_name: is missing; the table contacts needs a value"
    answer = sent("id,email,state\n70,ada@example.com,TX\n")
    assert answer.code == 2
    assert answer.err.count("\n") == 1
    assert f"crm.csv: line 2: {lacking}, and there is no contact 70" in answer.err
    whole = "id,first_name,last_name,email\n70,Ada,L,ada@example.com\n,,,USER2@example.com\n"
    assert json.loads(sent(whole).out)["waiting"] == 2
    found = json.loads(sent("id,email,state\n70,,TX\n,ada@example.com,TX\n3,,TX\n71,,TX\n").out)
    assert (found["waiting"], found["rejected"]) == (3, 1)
    assert found["examples"] == [[5, f"{lacking}, and there is no contact 71"]]
