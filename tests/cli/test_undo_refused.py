"""`almanac undo` is refused, with the reason, where a file could not be what it was."""

from __future__ import annotations

from pathlib import Path

import pytest

from almanac.database.undo import entries, record
from almanac.database.undo.entries import WritingCommand
from tests.support.cli_calls import almanac
from tests.support.tiny import Agency
from tests.support.undo_calls import COMMANDS, RUN, copy_of, do, make, undo


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("undo") / "agency.sqlite3")


@pytest.fixture
def agency(made: Path, tmp_path: Path) -> Agency:
    return copy_of(made, tmp_path / "agency.sqlite3")


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


def test_a_run_that_changes_too_much_says_that_it_cannot_be_undone(
    agency: Agency, monkeypatch: pytest.MonkeyPatch
) -> None:
    do(agency, *COMMANDS[WritingCommand.CONFIG])
    monkeypatch.setattr(record, "CHANGES_BYTES", 10)
    assert "almanac undo cannot put this run back: it changed too much." in do(agency, *RUN).out
    assert do(agency, "undo", "--list").out.count("cannot be undone: it changed too much") == 1
    assert "run cannot be undone: it changed too much" in refusal(agency)
    assert agency.query("SELECT count(*) FROM almanac_undo") == [(1,)]


def test_a_first_run_that_gives_rows_other_ids_cannot_be_undone(agency: Agency) -> None:
    agency.query("DROP TABLE contact_campaigns")
    agency.query("CREATE TABLE contact_campaigns (id, contact_id, campaign_instance_id)")
    assert "it gave the rows of the table contact_campaigns other ids" in do(agency, *RUN).out
    assert "cannot be undone: it gave the rows of the table contact_campaigns other ids" in refusal(
        agency
    )


@pytest.mark.slow
def test_only_the_last_commands_are_kept(agency: Agency, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entries, "KEPT", 2)
    for days in (100, 110, 120):
        do(agency, "config set", f"horizon_days={days}")
    undo(agency)
    assert "nothing more to undo" in undo(agency).out
    assert "horizon_days: 100" in do(agency, "config show").out
