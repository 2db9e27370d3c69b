"""`almanac undo`: after each kind of command a file is what it was before it."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import apsw
import pytest

from almanac import __file__ as package
from almanac.database.undo import entries, record
from almanac.database.undo.entries import WritingCommand
from tests.support.cli_calls import Answer, almanac
from tests.support.tiny import Agency

DAY = "2026-11-28"
RUN = ("run", "--as-of", DAY, "--workers", "1", "--yes")
# Each command that writes; `FILE` stands for a file with the text behind it.
COMMANDS: dict[WritingCommand, tuple[str, ...]] = {
    WritingCommand.RUN: RUN,
    WritingCommand.CAMPAIGN_ADD: ("campaign add", "promo", "spring", "target_states=TX"),
    WritingCommand.CAMPAIGN_ADD_TYPE: ("campaign add-type", "webinar", "priority=5"),
    WritingCommand.CAMPAIGN_SET: ("campaign set", "1", "target_states=FL", "--as-of", DAY),
    WritingCommand.CAMPAIGN_SET_TYPE: ("campaign set-type", "promo", "priority=3"),
    WritingCommand.CAMPAIGN_IMPORT: ("campaign import", "1", "FILE", "contact_id\n2\n1\n"),
    WritingCommand.CAMPAIGN_REMOVE: ("campaign remove", "1"),
    WritingCommand.CAMPAIGN_REMOVE_TARGETS: ("campaign remove-targets", "1", "--contacts", "1-3"),
    WritingCommand.SUPPRESSION_ADD: ("suppression add", "--contact", "2", "--reason", "asked"),
    WritingCommand.SUPPRESSION_END: ("suppression end", "--email", "old@example.com"),
    WritingCommand.SUPPRESSION_IMPORT: ("suppression import", "FILE", "email\nnew@example.com\n"),
    WritingCommand.MARK: ("mark", "FILE", "id,status\n1,sent\n"),
    WritingCommand.CONFIG: ("config set", "horizon_days=200"),
}
TRIGGER = """
    CREATE TRIGGER touched AFTER UPDATE ON email_schedules BEGIN
        UPDATE email_schedules SET updated_at = '2000-01-01' WHERE id = NEW.id;
        INSERT INTO audit VALUES (NEW.id); END
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An agency of an older scheduler, with its unique index, triggers and a table without key."""
    agency = Agency(tmp_path_factory.mktemp("undo") / "agency.sqlite3")
    for number in (1, 2, 3):
        agency.contact(number, birth_date=f"1960-12-{20 + number}", created_at="2026-01-01")
    agency.campaign(1, days_before_event=3)
    agency.target(1, "2027-02-01")
    row = {"status": "pre-scheduled", "scheduled_send_date": "2026-12-09"}
    for number in (1, 2, 3):
        agency.insert("email_schedules", contact_id=number, email_type="birthday", **row)
    agency.query("ALTER TABLE email_schedules DROP COLUMN ideal_send_date")
    agency.query("CREATE UNIQUE INDEX u ON email_schedules (contact_id, email_type, event_year)")
    agency.query("DROP TABLE suppressions")
    agency.query("CREATE TABLE suppressions (email TEXT, reason TEXT)")
    agency.insert("suppressions", email="old@example.com", reason="complaint")
    agency.query("CREATE TABLE audit (what TEXT)")
    agency.query(TRIGGER)
    return agency.path


@pytest.fixture
def agency(made: Path, tmp_path: Path) -> Agency:
    path = tmp_path / "agency.sqlite3"
    shutil.copy(made, path)
    agency = Agency.__new__(Agency)
    agency.path = path
    return agency


def do(agency: Agency, *words: str) -> Answer:
    """Call a command on the agency's file; it must succeed."""
    name, *more = words
    if "FILE" in more:
        place = more.index("FILE")
        file = agency.path.with_name("input.csv")
        file.write_text(more.pop(place + 1))
        more[place] = str(file)
    answer = almanac(*name.split(), agency.path, *more)
    assert answer.code == 0, answer.err
    return answer


def one_line(answer: Answer) -> str:
    return " ".join(answer.out.split())


def undo(agency: Agency) -> Answer:
    return do(agency, "undo")


def tables(agency: Agency) -> dict[str, Any]:
    """Schema and rows of each table but that of undo, and those that SQLite keeps for itself."""
    sql = "SELECT name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%' ORDER BY name"
    found: dict[str, Any] = {name: sql for name, sql in agency.query(sql) if name != "almanac_undo"}
    for name in [name for name, sql in found.items() if sql.startswith("CREATE TABLE")]:
        found[f"rows of {name}"] = agency.query(f'SELECT rowid, * FROM "{name}" ORDER BY rowid')
    return found


@pytest.mark.parametrize("command", WritingCommand)
def test_undo_after_a_command_gives_the_same_rows_and_schema(
    agency: Agency, command: WritingCommand
) -> None:
    before = tables(agency)
    do(agency, *COMMANDS[command])
    assert tables(agency) != before
    assert one_line(undo(agency)).startswith(f"Undone in {agency.path}: {command}")
    assert tables(agency) == before


def test_only_these_modules_write_to_a_database() -> None:
    """A new way to write must be one of WritingCommand, or a private copy."""
    root = Path(package).parent
    found = {
        path.relative_to(root).as_posix()
        for path in root.rglob("*.py")
        if re.search(r"open_database\([^)]*writable=(?!False)", path.read_text("utf-8"), re.DOTALL)
    }
    files = {"organizations/agency_database.py", "organizations/undo.py", "runs/local.py"}
    copies = {"organizations/transfer.py", "runs/commit_version.py", "runs/trial.py"}
    assert found == files | copies


def test_undo_again_goes_further_back(agency: Agency) -> None:
    states = []
    for command in (WritingCommand.SUPPRESSION_ADD, WritingCommand.RUN, WritingCommand.CONFIG):
        states.append(tables(agency))
        do(agency, *COMMANDS[command])
    listed = json.loads(do(agency, "undo", "--list", "--json").out)["commands"]
    assert [each["command"] for each in listed] == ["config", "run", "suppression add"]
    assert {"table": "scheduler_checkpoints", "added": 1, "changed": 0, "deleted": 0} in listed[1][
        "rows"
    ]
    following = ["run for 2026-11-28", "suppression add", "nothing more to undo"]
    for state, words in zip(reversed(states), following, strict=True):
        assert words in one_line(undo(agency))
        assert tables(agency) == state
    assert "there is nothing to undo" in almanac("undo", agency.path).err


def refusal(agency: Agency) -> str:
    """Why undo is refused; the file stays as it is."""
    before = agency.path.read_bytes()
    answer = almanac("undo", agency.path)
    assert answer.code == 1
    assert agency.path.read_bytes() == before
    return answer.err


@pytest.mark.parametrize(
    ("command", "sql", "why"),
    [
        (
            WritingCommand.RUN,
            "UPDATE email_schedules SET status = 'sent', updated_at = 'now' WHERE id = 4",
            "written since: email_schedules id 4 has changed: status is 'sent'",
        ),
        (
            WritingCommand.RUN,
            "DELETE FROM email_schedules WHERE id = 5",
            "written since: email_schedules id 5 is gone",
        ),
        (
            WritingCommand.CAMPAIGN_SET,
            "UPDATE campaign_instances SET target_states = 'CA' WHERE id = 1",
            "campaign_instances id 1 has changed: target_states is 'CA', the command left 'FL'",
        ),
        (
            WritingCommand.RUN,
            "UPDATE email_schedules SET metadata = CAST(x'ff' AS TEXT) WHERE id = 4",
            "email_schedules id 4 has changed: metadata is '\ufffd'",
        ),
        (
            WritingCommand.CAMPAIGN_SET,
            "UPDATE campaign_instances SET target_states = CAST(x'ff' AS TEXT) WHERE id = 1",
            "a row of campaign_instances has a text that is not valid now",
        ),
        (
            WritingCommand.SUPPRESSION_ADD,
            "DELETE FROM suppressions WHERE contact_id = 2",
            "the table suppressions has no key, and rows were taken away",
        ),
        (
            WritingCommand.CONFIG,
            "ALTER TABLE config_versions ADD COLUMN note TEXT",
            "the schema was changed since: the table config_versions",
        ),
        (
            WritingCommand.MARK,
            "INSERT INTO message_deliveries (schedule_id, status) VALUES (2, 'sent')",
            "the table message_deliveries, which the command created, has 1 rows",
        ),
    ],
)
def test_undo_is_refused_where_another_program_wrote_since(
    agency: Agency, command: WritingCommand, sql: str, why: str
) -> None:
    agency.query("DROP TRIGGER touched")
    do(agency, *COMMANDS[command])
    agency.query(sql)
    assert why in refusal(agency)


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
    before = tables(agency)
    do(agency, *COMMANDS[WritingCommand.CAMPAIGN_IMPORT], "--replan", "--as-of", DAY)
    undo(agency)
    assert tables(agency) == before


def test_a_command_that_changes_nothing_leaves_no_entry(agency: Agency) -> None:
    do(agency, *COMMANDS[WritingCommand.SUPPRESSION_ADD])
    octets = agency.path.read_bytes()
    do(agency, *COMMANDS[WritingCommand.SUPPRESSION_ADD])
    assert agency.path.read_bytes() == octets


def test_a_run_that_changes_too_much_says_that_it_cannot_be_undone(
    agency: Agency, monkeypatch: pytest.MonkeyPatch
) -> None:
    do(agency, *COMMANDS[WritingCommand.CONFIG])
    monkeypatch.setattr(record, "CHANGES_BYTES", 10)
    assert "almanac undo cannot put this run back: it changed too much." in do(agency, *RUN).out
    assert do(agency, "undo", "--list").out.count("cannot be undone: it changed too much") == 1
    assert "run cannot be undone: it changed too much" in refusal(agency)
    assert agency.query("SELECT count(*) FROM almanac_undo") == [(1,)]


def test_a_first_run_that_builds_a_table_again_cannot_be_undone(agency: Agency) -> None:
    agency.query("DROP TABLE contact_campaigns")
    agency.query("CREATE TABLE contact_campaigns (id, contact_id, campaign_instance_id)")
    assert "it built the table contact_campaigns again" in do(agency, *RUN).out
    assert "cannot be undone: it built the table contact_campaigns again" in refusal(agency)


def test_only_the_last_commands_are_kept(agency: Agency, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entries, "KEPT", 2)
    for days in (100, 110, 120):
        do(agency, "config set", f"horizon_days={days}")
    undo(agency)
    assert "nothing more to undo" in undo(agency).out
    assert "horizon_days: 100" in do(agency, "config show").out


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
    assert (
        almanac(
            "suppression", "add", "--org", "206", *store, "--contact", "1", "--reason", "x"
        ).code
        == 0
    )
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
