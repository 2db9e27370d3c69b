"""Completing an old database: what is added, what is dropped, what becomes of old rows."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest

from almanac.contact_ranges import EVERYONE, ContactRange
from almanac.database import range_tables
from almanac.database.catalog import describe
from almanac.database.migrations import create_indexes, migrate
from almanac.database.opening import open_database, transaction
from almanac.database.range_tables import RangeTable
from almanac.database.reading import Snapshot
from almanac.database.schema import (
    COMMITTED_INDEX,
    EMAIL_SCHEDULES,
    IDENTITY_INDEX,
    OLDER_INDEX,
    STATUS_INDEX,
    TABLES,
)
from almanac.errors import DatabaseError
from tests.support.database_agencies import OLD_SCHEDULES, change, make

NOW = "2026-11-21 10:00:00"
OURS = {i.name for i in (IDENTITY_INDEX, COMMITTED_INDEX, OLDER_INDEX, STATUS_INDEX)}


def migrated(path: Path, legacy_instance: int | None = None) -> list[str]:
    """Migrates the file as a run does; says what was done."""
    connection = open_database(path, writable=True)
    try:
        with transaction(connection, path):
            return migrate(connection, legacy_instance, NOW) + create_indexes(connection)
    finally:
        connection.close()


@pytest.fixture
def old(tmp_path: Path) -> Path:
    sql = (
        OLD_SCHEDULES
        + """
        CREATE TABLE notes (k TEXT, v BLOB); INSERT INTO notes VALUES ('a', x'00ff');
        CREATE VIEW due AS SELECT * FROM email_schedules WHERE status = 'scheduled';
        INSERT INTO email_schedules (contact_id, email_type, scheduled_send_date, status,
            event_year, catchup_note) VALUES (1, 'BIRTHDAY', '2026-01-01', 'sent', 2026, 'x'),
            (7, 'AEP', '2026-09-15', 'pre-scheduled', 2026, NULL)"""
    )
    return make(tmp_path / "agency.sqlite3", sql)


def names(path: Path, kind: str) -> set[str]:
    sql = "SELECT name FROM sqlite_schema WHERE type = ? AND sql IS NOT NULL"
    return {str(row[0]) for row in change(path, sql, kind)}


def test_every_table_of_ours_is_created_with_every_column(tmp_path: Path) -> None:
    path = make(tmp_path / "agency.sqlite3")
    migrated(path)
    connection = open_database(path, writable=False)
    for table in TABLES:
        found = describe(connection, table.name)
        assert found is not None
        assert list(found.columns) == [c.name for c in table.columns]
    connection.close()


def test_what_was_done_is_said_in_words(old: Path) -> None:
    said = migrated(old)
    assert "added the column email_schedules.ideal_send_date" in said
    assert "created the table campaign_types" in said
    assert "dropped the unique index once_a_day" in said
    assert "created the index almanac_planned_identity" in said


def test_a_second_migration_does_nothing(old: Path) -> None:
    migrated(old)
    before = old.read_bytes()
    assert migrated(old) == []
    assert old.read_bytes() == before


def test_nothing_of_the_user_is_touched(old: Path) -> None:
    columns = "id, contact_id, email_type, scheduled_send_date, status, updated_at, catchup_note"
    query = f"SELECT {columns} FROM email_schedules"
    rows, notes = change(old, query), change(old, "SELECT * FROM notes")
    views, triggers = names(old, "view"), names(old, "trigger")
    migrated(old)
    assert change(old, query) == rows
    assert change(old, "SELECT * FROM notes") == notes
    assert (names(old, "view"), names(old, "trigger")) == (views, triggers)
    assert "by_status" in names(old, "index")
    assert change(old, "SELECT count(*) FROM due") == [(0,)]


@pytest.mark.parametrize("missing", [c.name for c in EMAIL_SCHEDULES.columns[1:]])
def test_any_missing_column_of_email_schedules_is_added(tmp_path: Path, missing: str) -> None:
    kept = [f"{c.name} {c.declaration}" for c in EMAIL_SCHEDULES.columns if c.name != missing]
    path = make(tmp_path / "a.sqlite3", f"CREATE TABLE email_schedules ({', '.join(kept)})")
    assert f"added the column email_schedules.{missing}" in migrated(path)
    assert migrated(path) == []


@pytest.mark.parametrize("table", [t for t in TABLES if t.columns[0].name == "id"])
def test_a_table_with_nothing_but_an_id_is_completed(tmp_path: Path, table: Any) -> None:
    sql = f"CREATE TABLE {table.name.upper()} (ID INTEGER PRIMARY KEY)"
    path = make(tmp_path / "a.sqlite3", sql)
    migrated(path)
    with Snapshot(path) as snapshot:
        snapshot.read(range_tables.PLANNED, EVERYONE)
        snapshot.read(range_tables.TARGETS, EVERYONE)
    assert migrated(path) == []


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("CREATE TABLE x (a); CREATE VIEW email_schedules AS SELECT * FROM x", "is a view here"),
        ("CREATE VIRTUAL TABLE contact_campaigns USING fts5 (a)", "is a virtual here"),
        (
            "CREATE TABLE email_schedules (id INTEGER, contact_id INT PRIMARY KEY)",
            r"not an INTEGER PRIMARY KEY.* its key is \(contact_id\)",
        ),
        (
            "CREATE TABLE email_schedules (id TEXT PRIMARY KEY) WITHOUT ROWID",
            "not an INTEGER PRIMARY KEY.* it has no rowid",
        ),
    ],
)
def test_a_table_that_cannot_be_completed_is_an_error_and_nothing_changes(
    tmp_path: Path, sql: str, words: str
) -> None:
    path = make(tmp_path / "a.sqlite3", sql)
    before = path.read_bytes()
    with pytest.raises(DatabaseError, match=words):
        migrated(path)
    assert path.read_bytes() == before


# Indexes

SETS = [("contact_id", "email_type", day) for day in ("scheduled_send_date", "event_year")]


@pytest.mark.parametrize("columns", [p for s in SETS for p in itertools.permutations(s)])
@pytest.mark.parametrize("where", ["", " WHERE status = 'pre-scheduled'"])
def test_the_old_unique_indexes_go_whatever_their_name_and_order(
    tmp_path: Path, columns: tuple[str, ...], where: str
) -> None:
    index = f'CREATE UNIQUE INDEX "odd ""name""" ON email_schedules ({", ".join(columns)}){where}'
    path = make(tmp_path / "a.sqlite3", EMAIL_SCHEDULES.create_sql() + ";" + index)
    migrated(path)
    assert names(path, "index") == OURS


@pytest.mark.parametrize(
    "index",
    [
        "CREATE UNIQUE INDEX i ON email_schedules (contact_id, email_type, event_year, event_day)",
        "CREATE UNIQUE INDEX i ON email_schedules (scheduler_run_id)",
        "CREATE INDEX i ON email_schedules (contact_id, email_type, event_year)",
        "CREATE UNIQUE INDEX i ON email_schedules (contact_id, lower(email_type), event_year)",
    ],
)
def test_other_indexes_of_the_user_stay(tmp_path: Path, index: str) -> None:
    path = make(tmp_path / "a.sqlite3", EMAIL_SCHEDULES.create_sql() + ";" + index)
    migrated(path)
    assert names(path, "index") == OURS | {"i"}


def test_a_status_and_date_index_of_the_user_spares_ours(tmp_path: Path) -> None:
    index = ";CREATE INDEX mine ON email_schedules (status, scheduled_send_date)"
    path = make(tmp_path / "a.sqlite3", EMAIL_SCHEDULES.create_sql() + index)
    migrated(path)
    assert names(path, "index") == OURS - {STATUS_INDEX.name} | {"mine"}


def plan_row(status: str, event_day: int, instance: int | None, ideal: str | None) -> str:
    values = (7, "campaign_x", "2026-12-01", status, 2026, 12, event_day, instance, ideal)
    return (
        "INSERT INTO email_schedules (contact_id, email_type, scheduled_send_date, status, "
        "event_year, event_month, event_day, campaign_instance_id, ideal_send_date) VALUES "
        f"({', '.join(map(apsw.format_sql_value, values))})"
    )


@pytest.fixture
def indexed(old: Path) -> Path:
    migrated(old)
    change(old, plan_row("pre-scheduled", 14, None, "2026-11-30"))
    return old


@pytest.mark.parametrize("status", ["pre-scheduled", "skipped"])
@pytest.mark.parametrize("instance", [None, 0])
def test_two_planned_rows_of_one_identity_are_impossible(
    indexed: Path, status: str, instance: int | None
) -> None:
    with pytest.raises(apsw.ConstraintError):
        change(indexed, plan_row(status, 14, instance, "2026-11-29"))


@pytest.mark.parametrize(
    "row",
    [
        ("skipped", 15, None, "2026-11-30"),
        ("skipped", 14, 3, "2026-11-30"),
        ("skipped", 14, None, None),
        ("sent", 14, None, "2026-11-30"),
    ],
)
def test_rows_of_other_identities_and_committed_ones_are_free(
    indexed: Path, row: tuple[str, int, int | None, str | None]
) -> None:
    change(indexed, plan_row(*row))
    change(indexed, plan_row(row[0], row[1] + 1, row[2], row[3]))


def test_two_rows_of_one_identity_that_are_there_are_an_error_in_words(tmp_path: Path) -> None:
    row = plan_row("skipped", 14, None, "2026-11-30") + ";"
    path = make(tmp_path / "a.sqlite3", EMAIL_SCHEDULES.create_sql() + ";" + row + row)
    with pytest.raises(DatabaseError, match="two planned rows have the same contact"):
        migrated(path)


@pytest.mark.parametrize(
    ("what", "index"),
    [
        (range_tables.COMMITTED, COMMITTED_INDEX),
        (range_tables.PLANNED, IDENTITY_INDEX),
        (range_tables.LEGACY, OLDER_INDEX),
    ],
    ids=["committed", "planned", "legacy"],
)
def test_ranges_are_read_through_our_indexes(
    indexed: Path, what: RangeTable, index: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from almanac.database.columnar import ColumnarReader

    asked: list[str] = []
    read = ColumnarReader.read

    def spy(self: ColumnarReader, sql: str, values: tuple[Any, ...], schema: Any) -> Any:
        plan = change(indexed, "EXPLAIN QUERY PLAN " + sql, *values)
        asked.append(str(plan))
        return read(self, sql, values, schema)

    monkeypatch.setattr(ColumnarReader, "read", spy)
    with Snapshot(indexed) as snapshot:
        snapshot.read(what, ContactRange(1, 7))
    assert f"USING INDEX {index.name} (contact_id>? AND contact_id<?)" in asked[0]
    assert "TEMP B-TREE" not in asked[0] or what is not range_tables.PLANNED


# Rows of the type that a campaign has replaced


@pytest.mark.parametrize(
    ("date", "event", "trigger"),
    [
        ("2026-12-01", (2026, 12, 15), "2026-12-15"),
        ("2026-12-01", (2027, 1, 30), "2027-01-30"),
        ("2026-12-01", (2027, 1, 31), "2026-12-15"),
        ("2026-12-01", (2026, 10, 2), "2026-10-02"),
        ("2026-12-01", (2026, 10, 1), "2026-12-15"),
        ("2026-12-01", (2026, 1, 1), "2026-12-15"),
        ("2026-12-01", (2026, 11, 31), "2026-12-15"),
        ("2026-12-01", (None, None, None), "2026-12-15"),
        ("2026-12-01", (2026, 12, "soon"), "2026-12-15"),
        ("2028-02-20", (2028, 2, 29), "2028-02-29"),
        ("2027-02-20", (2027, 2, 29), "2027-03-06"),
        ("2026-12-01 08:30:00", (0, 0, 0), "2026-12-15"),
        ("2026-12-01T08:30:00Z", (2026, 12, 15), "2026-12-15"),
        ("12/01/2026", (2026, 12, 15), "2026-12-15"),
        ("2026-02-30", (2026, 12, 15), "2026-12-15"),
    ],
)
def test_a_replaced_row_becomes_a_target_with_its_trigger_date(
    old: Path, date: str, event: tuple[Any, ...], trigger: str
) -> None:
    values = ", ".join(map(apsw.format_sql_value, (7, "Scheduled_Rate_Increase", date, *event)))
    sql = "INSERT INTO email_schedules (contact_id, email_type, scheduled_send_date, event_year,"
    change(old, f"{sql} event_month, event_day, status) VALUES ({values}, 'pre-scheduled')")
    assert "turned 1 rows of scheduled_rate_increase" in str(migrated(old, 33))
    columns = "contact_id, campaign_instance_id, trigger_date, status, created_at"
    targets = change(old, f"SELECT {columns} FROM contact_campaigns")
    assert targets == [(7, 33, trigger, "pending", NOW)]
    count = "SELECT count(*) FROM email_schedules WHERE lower(email_type) LIKE 'scheduled%'"
    assert change(old, count) == [(0,)]


REPLACED = """
INSERT INTO email_schedules (contact_id, email_type, scheduled_send_date, status, event_year)
VALUES (7, 'SCHEDULED_RATE_INCREASE', '2026-12-01', 'pre-scheduled', 1);
"""


def test_the_campaign_of_replaced_rows_is_created_as_the_rules_say(old: Path) -> None:
    change(old, REPLACED)
    migrated(old, 33)
    columns = "name, respect_exclusion_windows, enable_followups, days_before_event, priority"
    more = "target_all_contacts, active, spread_evenly, skip_failed_underwriting"
    found = change(old, f"SELECT {columns}, {more} FROM campaign_types")
    assert found == [("rate_increase", 1, 1, 14, 1, 0, 1, 0, 0)]
    columns = "id, campaign_type, instance_name, active_start_date, active_end_date, metadata"
    found = change(old, f"SELECT {columns} FROM campaign_instances")
    assert found == [(33, "rate_increase", "legacy_rate_increase", None, None, None)]


def test_a_campaign_of_that_name_that_is_there_is_used_as_it_is(old: Path) -> None:
    migrated(old)
    change(old, "INSERT INTO campaign_types (name, priority) VALUES ('rate_increase', 9)")
    sql = "INSERT INTO campaign_instances (id, campaign_type, instance_name) VALUES "
    change(old, sql + "(5, 'rate_increase', 'legacy_rate_increase')")
    target = (
        "INSERT INTO contact_campaigns (contact_id, campaign_instance_id, trigger_date, status)"
    )
    change(old, f"{target} VALUES (7, 5, '2026-12-15', 'scheduled')")
    change(old, REPLACED + REPLACED.replace("'2026-12-01'", "'2026-12-02'"))
    assert "turned 2 rows of scheduled_rate_increase into 1 targets" in str(migrated(old, 33))
    assert change(old, "SELECT priority FROM campaign_types") == [(9,)]
    found = change(old, "SELECT campaign_instance_id, trigger_date, status FROM contact_campaigns")
    assert found == [(5, "2026-12-15", "scheduled"), (5, "2026-12-16", "pending")]


@pytest.mark.parametrize("status", ["sent", "scheduled", "skipped", "PRE-SCHEDULED"])
def test_rows_of_that_type_with_another_status_stay(old: Path, status: str) -> None:
    change(old, REPLACED.replace("pre-scheduled", status))
    assert "turned" not in str(migrated(old, 33))
    assert change(old, "SELECT count(*) FROM email_schedules") == [(3,)]
    assert change(old, "SELECT count(*) FROM campaign_instances") == [(0,)]


def test_a_replaced_row_without_any_date_stays_an_old_planned_row(old: Path) -> None:
    change(old, REPLACED.replace("2026-12-01", "soon"))
    assert "turned" not in str(migrated(old, 33))
    assert change(old, "SELECT count(*) FROM email_schedules") == [(3,)]


@pytest.fixture
def plain(tmp_path: Path) -> Iterator[apsw.Connection]:
    connection = apsw.Connection(str(make(tmp_path / "plain.sqlite3", OLD_SCHEDULES + REPLACED)))
    yield connection
    connection.close()


def test_nothing_temporary_is_left_on_the_connection(plain: apsw.Connection) -> None:
    cache = plain.execute("PRAGMA cache_size").fetchall()
    migrate(plain, 1)
    create_indexes(plain)
    assert plain.execute("SELECT name FROM sqlite_temp_schema").fetchall() == []
    assert plain.execute("PRAGMA cache_size").fetchall() == cache


def test_without_a_given_id_the_instance_gets_the_next_one(plain: apsw.Connection) -> None:
    migrate(plain)
    assert plain.execute("SELECT id FROM campaign_instances").fetchall() == [(1,)]
