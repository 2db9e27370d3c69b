"""The configuration of the last run, as each of its callers finds it in tables of any shape."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from almanac.config import Config, load_config
from almanac.database.reading import Snapshot
from almanac.errors import ConfigError
from almanac.organizations.agency_database import FileDatabase
from almanac.organizations.recorded_config import recorded_config, recorded_config_or_none
from almanac.statistics.change_reasons import plan_before
from almanac.statistics.diff import compare
from almanac.statistics.file_report import overview
from tests.support.cli_calls import AS_OF
from tests.support.explanations import explain_contact
from tests.support.tiny import Agency

RECORDED = "horizon_days: 400"
OTHER_RELEASE = "horizon: 1"
ROW = "INSERT INTO config_versions (config_type, config_data) VALUES ('organization', '{}')"
NOTHING = {
    "no such table": [],
    "a table of another program without config_data": [
        "CREATE TABLE config_versions (id, config_type, valid_to)",
        "INSERT INTO config_versions VALUES (1, 'organization', NULL)",
    ],
    "none of the columns": ["CREATE TABLE config_versions (theirs)"],
    "no row": ["CREATE TABLE config_versions (id, config_type, config_data, valid_to)"],
    "no text": [
        "CREATE TABLE config_versions (id, config_type, config_data, valid_to)",
        "INSERT INTO config_versions VALUES (1, 'organization', NULL, NULL)",
    ],
}
COLUMNS = {
    "as a run creates it": "(id INTEGER PRIMARY KEY, config_type, config_data, valid_to)",
    "without an id": "(config_type, config_data, valid_to)",
    "without a rowid": "(config_data PRIMARY KEY, config_type, valid_to) WITHOUT ROWID",
}

Recorded = Callable[..., Path]


@pytest.fixture
def recorded(tmp_path: Path) -> Recorded:
    """A planned file, its config_versions replaced by what the statements make."""

    def make(*statements: str) -> Path:
        agency = Agency(tmp_path / "agency.sqlite3")
        agency.contact(birth_date="1950-03-04")
        agency.plan(AS_OF)
        for sql in ("DROP TABLE config_versions", *statements):
            agency.query(sql)
        return agency.path

    return make


@pytest.mark.parametrize("statements", NOTHING.values(), ids=NOTHING)
def test_every_caller_takes_a_table_that_records_nothing(
    recorded: Recorded, statements: list[str]
) -> None:
    path = recorded(*statements)
    assert FileDatabase(path).recorded_config() is None
    assert FileDatabase(path).config() == Config()
    assert ("Configuration", Config().digest()) in overview(path).facts
    assert compare(path, path).changes_by_reason == []
    assert explain_contact(path, 1).configuration == "the defaults, since no run has recorded one"
    with Snapshot(path) as snapshot:
        assert recorded_config_or_none(snapshot) is None
        assert plan_before(snapshot, 1).as_of is None


@pytest.mark.parametrize("columns", COLUMNS.values(), ids=COLUMNS)
def test_every_caller_finds_what_is_recorded(recorded: Recorded, columns: str) -> None:
    path = recorded(f"CREATE TABLE config_versions {columns}", ROW.format(RECORDED))
    config = Config(horizon_days=400)
    assert FileDatabase(path).recorded_config() == FileDatabase(path).config() == config
    assert ("Configuration", config.digest()) in overview(path).facts
    explanation = explain_contact(path, 1)
    assert explanation.configuration == f"the one recorded by the run of {AS_OF}"
    assert (explanation.horizon - explanation.as_of).days == 400
    with Snapshot(path) as snapshot:
        assert recorded_config(snapshot, "it") == recorded_config_or_none(snapshot) == config
        before = plan_before(snapshot, 1)
    assert before.as_of is not None
    assert before.horizon - before.as_of == 400


def test_the_latest_of_several_open_ones_counts_also_without_an_id(recorded: Recorded) -> None:
    table = f"CREATE TABLE config_versions {COLUMNS['without an id']}"
    path = recorded(table, ROW.format("horizon_days: 390"), ROW.format(RECORDED))
    assert FileDatabase(path).config() == Config(horizon_days=400)


def test_one_of_another_release_is_an_error_where_it_is_needed(recorded: Recorded) -> None:
    columns = COLUMNS["as a run creates it"]
    path = recorded(f"CREATE TABLE config_versions {columns}", ROW.format(OTHER_RELEASE))
    for caller in (
        FileDatabase(path).config,
        FileDatabase(path).recorded_config,
        lambda: overview(path),
    ):
        with pytest.raises(ConfigError, match=r"agency\.sqlite3: config_versions: horizon"):
            caller()
    with pytest.raises(ConfigError, match="config_versions: horizon: unknown key"):
        explain_contact(path, 1)
    assert compare(path, path).unchanged == 1
    with Snapshot(path) as snapshot:
        assert plan_before(snapshot, 1).as_of is None


@pytest.mark.parametrize("config", [Config(), Config(horizon_days=400, state_rules={"CA": None})])
def test_what_a_run_records_is_read_as_it_was(recorded: Recorded, config: Config) -> None:
    text = config.canonical()
    columns = COLUMNS["as a run creates it"]
    for written in (text, f"{text}\n", text.replace(",", ", ")):
        path = recorded(f"CREATE TABLE config_versions {columns}", ROW.format(written))
        assert FileDatabase(path).config() == load_config(text) == config
        path.unlink()


def test_a_recorded_key_given_twice_is_an_error(recorded: Recorded) -> None:
    columns = COLUMNS["as a run creates it"]
    text = Config().canonical().replace('{"aep"', '{"horizon_days":3,"aep"')
    path = recorded(f"CREATE TABLE config_versions {columns}", ROW.format(text))
    with pytest.raises(ConfigError, match="horizon_days: given twice"):
        FileDatabase(path).config()
