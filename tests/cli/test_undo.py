"""`almanac undo`: after each kind of command a file is what it was before it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import apsw
import pytest

from almanac import __file__ as package
from almanac.database.undo.entries import WritingCommand
from tests.support.cli_calls import almanac
from tests.support.tiny import Agency
from tests.support.undo_calls import COMMANDS, DAY, RUN, copy_of, do, make, one_line, tables, undo


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("undo") / "agency.sqlite3")


@pytest.fixture
def agency(made: Path, tmp_path: Path) -> Agency:
    return copy_of(made, tmp_path / "agency.sqlite3")


@pytest.mark.parametrize("command", WritingCommand)
def test_undo_after_a_command_gives_the_same_rows_and_schema(
    agency: Agency, command: WritingCommand
) -> None:
    before = tables(agency.path)
    do(agency, *COMMANDS[command])
    assert tables(agency.path) != before
    assert one_line(undo(agency)).startswith(f"Undone in {agency.path}: {command}")
    assert tables(agency.path) == before


def test_only_these_modules_write_to_a_database() -> None:
    """A new way to write must be one of WritingCommand, or a private copy."""
    root = Path(package).parent
    found = {
        path.relative_to(root).as_posix()
        for path in root.rglob("*.py")
        if re.search(r"open_database\([^)]*writable=(?!False)", path.read_text("utf-8"), re.DOTALL)
    }
    files = {"organizations/agency_database.py", "database/open_file.py"}
    copies = {"organizations/transfer.py", "runs/commit_version.py", "runs/trial.py"}
    copies |= {"runs/planned_file.py"}
    assert found == files | copies


def test_undo_again_goes_further_back(agency: Agency) -> None:
    states = []
    for command in (WritingCommand.SUPPRESSION_ADD, WritingCommand.RUN, WritingCommand.CONFIG):
        states.append(tables(agency.path))
        do(agency, *COMMANDS[command])
    listed = json.loads(do(agency, "undo", "--list", "--json").out)["commands"]
    assert [each["command"] for each in listed] == ["config", "run", "suppression add"]
    assert {"table": "scheduler_checkpoints", "added": 1, "changed": 0, "deleted": 0} in listed[1][
        "rows"
    ]
    following = ["run for 2026-11-28", "suppression add", "nothing more to undo"]
    for state, words in zip(reversed(states), following, strict=True):
        assert words in one_line(undo(agency))
        assert tables(agency.path) == state
    assert "there is nothing to undo" in almanac("undo", agency.path).err


def test_what_others_wrote_elsewhere_stays(agency: Agency) -> None:
    do(agency, *COMMANDS[WritingCommand.RUN])
    agency.contact(9)
    agency.query("UPDATE contacts SET state = 'FL' WHERE id = 1")
    undo(agency)
    assert agency.query("SELECT id, state FROM contacts WHERE id IN (1, 9)") == [
        (1, "FL"),
        (9, "TX"),
    ]


def test_a_command_with_its_replan_is_undone_as_one(agency: Agency) -> None:
    do(agency, *RUN)
    before = tables(agency.path)
    do(agency, *COMMANDS[WritingCommand.CAMPAIGN_IMPORT], "--replan", "--as-of", DAY)
    undo(agency)
    assert tables(agency.path) == before


def test_a_command_that_changes_nothing_leaves_no_entry(agency: Agency) -> None:
    do(agency, *COMMANDS[WritingCommand.SUPPRESSION_ADD])
    octets = agency.path.read_bytes()
    do(agency, *COMMANDS[WritingCommand.SUPPRESSION_ADD])
    assert agency.path.read_bytes() == octets


def test_a_unique_constraint_and_columns_that_a_run_took_away_or_added_are_as_before(
    agency: Agency,
) -> None:
    agency.query("DROP TABLE email_schedules")
    agency.query(
        "CREATE TABLE email_schedules (id INTEGER PRIMARY KEY, contact_id INT, email_type TEXT, "
        "event_year INT, status TEXT, scheduled_send_date TEXT, "
        "UNIQUE (contact_id, email_type, event_year))"
    )
    row = {"status": "pre-scheduled", "scheduled_send_date": "2026-12-09"}
    agency.insert("email_schedules", contact_id=1, email_type="birthday", **row)
    agency.query("CREATE VIEW stale AS SELECT x FROM nowhere")
    before = tables(agency.path)
    do(agency, *RUN)
    undo(agency)
    assert tables(agency.path) == before


@pytest.mark.slow
def test_an_id_is_not_given_again(agency: Agency) -> None:
    agency.query("DROP TABLE contact_campaigns")
    agency.query("DROP TABLE email_schedules")
    do(agency, *RUN)
    ((last,),) = agency.query("SELECT max(id) FROM email_schedules")
    undo(agency)
    do(agency, *RUN)
    assert agency.query("SELECT min(id) FROM email_schedules") == [(last + 1,)]


def test_in_a_store_undo_goes_back_a_version(agency: Agency, tmp_path: Path) -> None:
    store = ("--store", tmp_path / "store")
    do(agency, *COMMANDS[WritingCommand.SUPPRESSION_ADD])
    assert almanac("store", "push", "206", agency.path, *store).code == 0
    do(agency, "suppression add", "--contact", "1", "--reason", "x")
    assert almanac("store", "push", "206", agency.path, *store).code == 0
    listed = json.loads(almanac("undo", "--org", "206", *store, "--list", "--json").out)
    assert [each["version"] for each in listed["versions"]] == [2, 1]
    answer = almanac("undo", "--org", "206", *store)
    assert answer.out.startswith("Organization 206: version 1 (run push-")
    again = almanac("undo", "--org", "206", *store)
    assert (again.code, again.err) == (
        2,
        "Error: organization 206: no version before the current one is kept\n",
    )
    pulled = tmp_path / "pulled.sqlite3"
    assert almanac("store", "pull", "206", "--out", pulled, *store).code == 0
    with apsw.Connection(str(pulled)) as connection:
        names = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema")}
    assert "almanac_undo" not in names
