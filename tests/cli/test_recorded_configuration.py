"""The configuration of a file: the one that its last run recorded, unless another is named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from almanac.config import Config, load_config
from almanac.database.reading import Snapshot
from almanac.errors import AlmanacError
from almanac.organizations.agency_database import FileDatabase, StoreDatabase
from almanac.organizations.recorded_config import recorded_config_or_none
from almanac.runs.local import run_file
from almanac.runs.run_options import RunOptions
from almanac.storage.folder import FolderStore
from tests.support.cli_calls import AS_OF, almanac
from tests.support.tiny import Agency

CLOSED = "state_rules: {TX: {kind: year_round}}\n"
LINE = (
    f"Configuration: the one recorded by the run of {AS_OF} (--config FILE or --defaults for "
    "another)."
)


@pytest.fixture
def texas(tmp_path: Path) -> Agency:
    """A contact of Texas, planned by a configuration that closes Texas all year."""
    tiny = Agency(tmp_path / "agency.sqlite3")
    tiny.contact(state="TX", zip_code="75201", birth_date="1950-06-01")
    (tmp_path / "closed.yaml").write_text(CLOSED)
    run(tiny, "--config", tmp_path / "closed.yaml")
    assert planned(tiny) == 0
    return tiny


def run(tiny: Agency, *more: object) -> str:
    answer = almanac("run", tiny.path, "--as-of", AS_OF, *more)
    assert (answer.code, answer.err) == (0, "")
    return " ".join(answer.out.split())


def planned(tiny: Agency) -> int:
    sql = "SELECT count(*) FROM email_schedules WHERE status = 'pre-scheduled'"
    ((count,),) = tiny.query(sql)
    return int(count)


def test_a_forgotten_configuration_is_the_recorded_one(texas: Agency) -> None:
    assert run(texas).startswith(LINE)
    assert planned(texas) == 0
    assert FileDatabase(texas.path).config() == load_config(CLOSED)
    assert texas.query("SELECT count(*) FROM config_versions") == [(1,)]


def test_the_defaults_are_taken_when_they_are_asked_for_and_recorded(texas: Agency) -> None:
    assert run(texas, "--defaults").startswith("Configuration: the defaults (--defaults). ")
    assert planned(texas) == 2
    assert FileDatabase(texas.path).recorded_config() == Config()
    assert run(texas).startswith(LINE)
    assert planned(texas) == 2


def test_the_first_line_names_a_configuration_that_is_given(texas: Agency) -> None:
    given = texas.path.with_name("closed.yaml")
    assert run(texas, "--config", given).startswith(f"Configuration: {given}. ")


def test_json_names_the_configuration(texas: Agency) -> None:
    for command in (("run", "--as-of", AS_OF), ("check",), ("explain", "--contact", 1)):
        answer = almanac(command[0], texas.path, *command[1:], "--json")
        assert json.loads(answer.out)["configuration"] == (
            f"the one recorded by the run of {AS_OF}"
        )


def test_check_judges_by_the_configuration_of_the_next_run(texas: Agency) -> None:
    texas.query("ALTER TABLE contacts RENAME COLUMN zip_code TO postal")
    mapped = texas.path.with_name("mapped.yaml")
    mapped.write_text("contacts: {columns: {zip_code: postal}}")
    run(texas, "--config", mapped)
    said = " ".join(almanac("check", texas.path).out.split())
    assert f"Configuration: the one recorded by the run of {AS_OF}." in said
    assert "contacts.zip_code" not in said
    assert "contacts.zip_code" in almanac("check", texas.path, "--defaults").out


def test_a_file_that_no_run_has_planned_gets_the_defaults(tmp_path: Path) -> None:
    tiny = Agency(tmp_path / "agency.sqlite3")
    tiny.contact()
    assert run(tiny).startswith(
        "Configuration: the defaults, since no run of the file has recorded any "
        "(--config FILE or --defaults for another)."
    )


@pytest.mark.parametrize("command", ["run", "check", "report", "explain", "due"])
def test_one_that_cannot_be_read_is_never_the_defaults(texas: Agency, command: str) -> None:
    texas.query("UPDATE config_versions SET config_data = 'horizon: 1'")
    more = {
        "report": ("--out", texas.path.with_name("page.html")),
        "explain": ("--contact", 1),
        "due": ("--on", AS_OF),
    }
    answer = almanac(command, texas.path, *more.get(command, ()))
    assert (answer.code, answer.out) == (2, "")
    first, second = answer.err.splitlines()
    assert first.startswith(f"Error: {texas.path}: config_versions: horizon: unknown key")
    assert second == (
        f"{texas.path}: the recorded configuration cannot be read; almanac config edit or "
        "restore, or almanac run with --config FILE or --defaults, records another"
    )


def test_one_that_cannot_be_read_is_replaced_by_one_that_is_given(texas: Agency) -> None:
    texas.query("UPDATE config_versions SET config_data = 'horizon: 1'")
    run(texas, "--config", texas.path.with_name("closed.yaml"))
    assert FileDatabase(texas.path).config() == load_config(CLOSED)


def test_both_options_together_are_a_mistake(texas: Agency) -> None:
    closed = texas.path.with_name("closed.yaml")
    answer = almanac("run", texas.path, "--config", closed, "--defaults")
    assert (answer.code, answer.err) == (
        2,
        "Error: --config or --defaults: expected one of them, found both\n",
    )


def test_a_run_does_not_undo_what_is_recorded_while_it_plans(texas: Agency) -> None:
    config = FileDatabase(texas.path).config()
    other = load_config("horizon_days: 300").canonical()
    texas.query("UPDATE config_versions SET config_data = ?", other)
    with pytest.raises(AlmanacError, match="another configuration was recorded while"):
        run_file(texas.path, config, RunOptions(workers=1, of_the_file=True))
    assert FileDatabase(texas.path).config().horizon_days == 300


def test_the_plan_before_is_that_of_the_configuration_it_was_planned_by(texas: Agency) -> None:
    texas.query("UPDATE scheduler_checkpoints SET run_timestamp = '2026-11-21 12:00:00'")
    texas.query("UPDATE config_versions SET valid_from = '2026-11-21 12:00:00'")
    assert almanac("config", "set", texas.path, "horizon_days=700").code == 0
    with Snapshot(texas.path) as snapshot:
        assert recorded_config_or_none(snapshot) == load_config(CLOSED)
    run(texas)
    with Snapshot(texas.path) as snapshot:
        assert recorded_config_or_none(snapshot) == FileDatabase(texas.path).config()


def test_a_pushed_file_does_not_go_back_to_the_defaults(texas: Agency, tmp_path: Path) -> None:
    store = tmp_path / "store"
    said = almanac("store", "push", "206", texas.path, "--store", store).out
    assert "its configuration is the one that" in said
    assert StoreDatabase(FolderStore(store), "206").config() == load_config(CLOSED)
    almanac("config", "set", "--org", "206", "--store", store, "horizon_days=300")
    texas.query("UPDATE contacts SET zip_code = '75202'")
    said = almanac("store", "push", "206", texas.path, "--store", store).out
    assert "its configuration" not in said
    assert StoreDatabase(FolderStore(store), "206").config().horizon_days == 300


def test_one_that_cannot_be_read_is_replaced_by_an_earlier_one(texas: Agency) -> None:
    assert almanac("config", "set", texas.path, "horizon_days=310").code == 0
    texas.query("UPDATE config_versions SET config_data = '{' WHERE valid_to IS NULL")
    assert "cannot be read" in almanac("config", "history", texas.path).out
    answer = almanac("config", "restore", texas.path, 1)
    assert "in place of one that cannot be read" in " ".join(answer.out.split())
    assert FileDatabase(texas.path).config() == load_config(CLOSED)


def test_a_recorded_configuration_that_cannot_be_read_is_opened_as_it_is(
    texas: Agency, monkeypatch: pytest.MonkeyPatch
) -> None:
    texas.query("UPDATE config_versions SET config_data = 'horizon: 300'")
    assert almanac("config", "show", texas.path).code == 2
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setenv("EDITOR", "true")
    answer = almanac("config", "edit", texas.path)
    assert (answer.code, "horizon: unknown key" in answer.err) == (2, True)
    monkeypatch.setenv("EDITOR", "sed -i s/^horizon:/horizon_days:/")
    answer = almanac("config", "edit", texas.path)
    assert (answer.code, "in place of one that cannot be read" in answer.out) == (0, True)
    assert FileDatabase(texas.path).config() == Config(horizon_days=300)


def test_in_a_store_without_a_configuration_the_defaults_hold_for_every_command(
    texas: Agency,
) -> None:
    folder = texas.path.parent / "store"
    of_store = ("--org", "7", "--store", folder)
    assert almanac("store", "push", "7", texas.path, "--store", folder).code == 0
    (folder / "orgs/7/config.yaml").unlink()
    shown = almanac("config", "show", *of_store).out
    assert shown.startswith("# Configuration: the defaults, since organization 7 has none.")
    found = json.loads(almanac("explain", *of_store, "--contact", 1, "--json").out)
    assert found["configuration"].startswith("the defaults, since organization 7 has no ")
