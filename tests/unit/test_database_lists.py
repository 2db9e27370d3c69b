"""Reading what stands beside contacts and schedules: campaigns, behaviour, settings, counts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import apsw
import pyarrow as pa
import pytest

from almanac.config_contacts import ContactColumns
from almanac.contact_ranges import EVERYONE, ContactRange
from almanac.database import range_tables, tables
from almanac.database.migrations import create_indexes, migrate
from almanac.database.occupancy import DayCounts, occupancy
from almanac.database.reading import Snapshot
from almanac.database.schema import EMAIL_SCHEDULES
from tests.support.database_agencies import OPENERS, make

Open = Callable[..., Snapshot]
STAGES = ["old", "indexed"]


@pytest.fixture(params=OPENERS)
def way(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def open_with(tmp_path: Path, way: str) -> Iterator[Open]:
    """Opens a snapshot of a database with some SQL run on it, before or after its migration."""
    opened: list[Snapshot] = []

    def create(sql: str = "", stage: str = "old") -> Snapshot:
        path = make(tmp_path / f"{len(opened)}.sqlite3", sql)
        connection = apsw.Connection(str(path))
        if stage == "indexed":
            migrate(connection)
            create_indexes(connection)
        connection.close()
        opened.append(OPENERS[way](path))
        return opened[-1]

    yield create
    for snapshot in opened:
        snapshot.close()


def rows(table: pa.Table) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in table.to_pylist()]


TARGETS = """
CREATE TABLE contact_campaigns (id INTEGER PRIMARY KEY, contact_id INTEGER,
    campaign_instance_id INTEGER, trigger_date DATE, status TEXT);
INSERT INTO contact_campaigns VALUES (1, 7, 2, '2026-12-24', 'pending'), (2, 1, 2, NULL, NULL),
    (3, 99, 2, '2026-12-24', 'sent'), (4, 1, 1, 20261224, 'pending'), (5, -5, 1, '', '')
"""


def test_targets_come_by_contact_and_id(open_with: Open) -> None:
    assert rows(open_with(TARGETS).read(range_tables.TARGETS, ContactRange(1, 7))) == [
        (2, 1, 2, "", "", "", "", 0),
        (4, 1, 1, "20261224", "pending", "", "", 0),
        (1, 7, 2, "2026-12-24", "pending", "", "", 0),
    ]


@pytest.mark.parametrize(
    ("metadata", "data", "odd"),
    [
        ("NULL", "", 0),
        ("''", "", 0),
        ("' '", "", 0),
        ("'{}'", "", 0),
        ("""'{"new_premium": 118.5, "plan": "G"}'""", '{"new_premium":118.5,"plan":"G"}', 0),
        ("'[1]'", "", 1),
        ("'118'", "", 1),
        ("'{bad'", "", 1),
        ("'Premium 118'", "", 1),
    ],
)
def test_what_a_target_carries_is_a_json_object(
    open_with: Open, metadata: str, data: str, odd: int
) -> None:
    sql = f"""CREATE TABLE contact_campaigns (id INTEGER PRIMARY KEY, contact_id INTEGER,
            campaign_instance_id INTEGER, metadata TEXT);
        INSERT INTO contact_campaigns VALUES (1, 7, 2, {metadata})"""
    assert rows(open_with(sql).read(range_tables.TARGETS, EVERYONE)) == [
        (1, 7, 2, "", "", "", data, odd)
    ]


def test_targets_of_unknown_contacts_are_counted(open_with: Open) -> None:
    assert open_with(TARGETS).unknown_targets(ContactColumns()) == 2


def test_an_id_that_is_no_whole_number_is_no_contacts(open_with: Open) -> None:
    sql = """DROP TABLE contacts; CREATE TABLE contacts (id, email);
        INSERT INTO contacts VALUES (1, ''), ('2', ''), (3.0, ''), ('4x', ''), (5.5, '');
        CREATE TABLE contact_campaigns (id INTEGER PRIMARY KEY, contact_id);
        INSERT INTO contact_campaigns (contact_id)
            VALUES (1), ('2'), (3.0), (4), (5), ('3Hs00004AbC'), ('7f3c-11')"""
    assert open_with(sql).unknown_targets(ContactColumns()) == 4


CLICKS = """
CREATE TABLE tracking_clicks (contact_id INTEGER, clicked_at, url);
INSERT INTO tracking_clicks VALUES (7, '2026-11-20 09:00:00', 'u'), (1, '2026-11-01', 'u'),
    (1, '2026-10-31T23:59:59', 'u'), (7, NULL, 'u'), (8, '2026-11-20', 'u'), (1, 1790000000, 'u')
"""


@pytest.mark.parametrize("index", ["", "; CREATE INDEX i ON tracking_clicks (contact_id)"])
def test_clicks_are_those_of_the_range_since_a_date(open_with: Open, index: str) -> None:
    snapshot = open_with(CLICKS + index)
    since = "2026-11-01"
    recent = [(1, "2026-11-01"), (7, "2026-11-20 09:00:00"), (8, "2026-11-20")]

    def clicks(contacts: ContactRange, day: str) -> list[tuple[Any, ...]]:
        found = rows(snapshot.read(range_tables.CLICKS, contacts, day))
        # Unix times are compared with the date later
        return [row for row in found if row != (1, "1790000000")]

    assert clicks(EVERYONE, since) == recent
    assert clicks(ContactRange(1, 7), since) == recent[:2]
    assert clicks(ContactRange(2, 8), since) == recent[1:]
    assert clicks(ContactRange(9, 20), since) == []
    assert clicks(ContactRange(1, 7), "2026-11-02") == [(7, "2026-11-20 09:00:00")]
    assert (1, "1790000000") in rows(snapshot.read(range_tables.CLICKS, EVERYONE, since))


@pytest.mark.parametrize("missing", ["contact_id", "clicked_at"])
def test_clicks_without_a_needed_column_are_none(open_with: Open, missing: str) -> None:
    other = {"contact_id": "clicked_at", "clicked_at": "contact_id"}[missing]
    sql = (
        f"CREATE TABLE tracking_clicks ({other}); INSERT INTO tracking_clicks VALUES ('2026-11-20')"
    )
    assert rows(open_with(sql).read(range_tables.CLICKS, EVERYONE, "2026-01-01")) == []


@pytest.mark.parametrize(
    ("metadata", "yes", "medical"),
    [
        ('{"main_questions_yes_count": 2, "has_medical_conditions": true}', 1, 1),
        ('{"main_questions_yes_count": 0, "has_medical_conditions": false}', 0, 0),
        ('{"main_questions_yes_count": 0.5}', 1, 0),
        ('{"main_questions_yes_count": "2"}', 1, 0),
        ('{"main_questions_yes_count": "none"}', 0, 0),
        ('{"main_questions_yes_count": true}', 0, 0),
        ('{"main_questions_yes_count": null, "has_medical_conditions": null}', 0, 0),
        ('{"has_medical_conditions": 1}', 0, 1),
        ('{"has_medical_conditions": 2}', 0, 0),
        ('{"has_medical_conditions": "true"}', 0, 1),
        ('{"has_medical_conditions": " Yes "}', 0, 1),
        ('{"has_medical_conditions": "no"}', 0, 0),
        ('{"answers": {"has_medical_conditions": true}}', 0, 0),
        ('[{"has_medical_conditions": true}]', 0, 0),
        ('"has_medical_conditions"', 0, 0),
        ("{has_medical_conditions: true}", 0, 0),
        ('{"has_medical_conditions": true', 0, 0),
        ("", 0, 0),
        ("null", 0, 0),
        (None, 0, 0),
    ],
)
def test_answers_are_judged_by_their_metadata(
    tmp_path: Path, way: str, metadata: str | None, yes: int, medical: int
) -> None:
    path = make(tmp_path / "a.sqlite3", "CREATE TABLE contact_events (contact_id, event_type, "
                "created_at, metadata)")  # fmt: skip
    connection = apsw.Connection(str(path))
    sql = "INSERT INTO contact_events VALUES (7, ?, '2026-11-20T10:00:00', ?)"
    connection.execute(sql, ("eligibility_answered", metadata))
    connection.execute(sql, ("page_viewed", metadata))
    connection.close()
    with OPENERS[way](path) as snapshot:
        answers = rows(snapshot.read(range_tables.ANSWERS, EVERYONE, "2026-11-20"))
    assert answers == [(7, "2026-11-20T10:00:00", yes, medical)]


def test_events_without_metadata_are_answers_that_say_nothing(open_with: Open) -> None:
    sql = """CREATE TABLE contact_events (contact_id, event_type, created_at);
        INSERT INTO contact_events VALUES (1, 'eligibility_answered', '2026-11-20')"""
    assert rows(open_with(sql).read(range_tables.ANSWERS, ContactRange(1, 1), "2026-01-01")) == [
        (1, "2026-11-20", 0, 0)
    ]


def test_issues_come_with_when_they_were_first_seen(open_with: Open) -> None:
    sql = """CREATE TABLE contact_issues (contact_id INTEGER, issue, detail, first_seen);
        INSERT INTO contact_issues VALUES (7, 'invalid_zip', 'abc', '2026-01-01'),
            (1, 'invalid_email', NULL, NULL)"""
    assert rows(open_with(sql).read(range_tables.ISSUES, ContactRange(1, 7))) == [
        (1, "invalid_email", "", ""),
        (7, "invalid_zip", "abc", "2026-01-01"),
    ]


def test_suppressions_keep_their_order_and_have_plain_addresses(open_with: Open) -> None:
    sql = """CREATE TABLE suppressions (email, contact_id, reason, since, until, source);
        INSERT INTO suppressions VALUES
            ('  Ann@Example.COM' || char(9), NULL, 'unsubscribed', '2026-01-01', NULL, 'x'),
            (NULL, 1, NULL, NULL, '2026-02-02', NULL)"""
    assert rows(open_with(sql).suppressions()) == [
        ("ann@example.com", 0, "unsubscribed", "2026-01-01", "", "", "", ""),
        ("", 1, "", "", "2026-02-02", "", "", ""),
    ]


def test_suppressions_by_address_alone_are_read(open_with: Open) -> None:
    sql = "CREATE TABLE suppressions (email); INSERT INTO suppressions VALUES ('a@b.co')"
    assert rows(open_with(sql).suppressions()) == [("a@b.co", 0, "", "", "", "", "", "")]


def test_campaigns_come_with_raw_values_and_only_the_columns_that_are_there(
    open_with: Open,
) -> None:
    sql = """CREATE TABLE campaign_types (NAME, Priority, active);
        INSERT INTO campaign_types VALUES ('b', '7', NULL), ('a', 1.5, 'yes');
        CREATE TABLE campaign_instances (id INTEGER PRIMARY KEY, campaign_type, metadata);
        INSERT INTO campaign_instances VALUES (9, 'b', '{'), (2, CAST(x'61ff' AS TEXT), x'7b7d')"""
    snapshot = open_with(sql)
    assert snapshot.campaign_types() == [
        {"name": "b", "priority": "7", "active": None},
        {"name": "a", "priority": 1.5, "active": "yes"},
    ]
    assert snapshot.campaign_instances() == [
        {"id": 2, "campaign_type": "a\ufffd", "metadata": "{}"},
        {"id": 9, "campaign_type": "b", "metadata": "{"},
    ]


def test_the_next_instance_id_is_never_one_that_was_used(open_with: Open) -> None:
    create = (
        "CREATE TABLE campaign_instances (id INTEGER PRIMARY KEY AUTOINCREMENT, campaign_type);"
    )
    add = "INSERT INTO campaign_instances (id) VALUES (5), (12);"
    assert open_with(create).next_instance_id() == 1
    assert open_with(create + add).next_instance_id() == 13
    gone = "DELETE FROM campaign_instances WHERE id = 12"
    assert open_with(create + add + gone).next_instance_id() == 13


def test_the_next_instance_id_without_a_memory_is_one_more_than_the_highest(
    open_with: Open,
) -> None:
    sql = "DROP TABLE contacts; CREATE TABLE contacts (id, email);"
    sql += "CREATE TABLE campaign_instances (id INTEGER PRIMARY KEY); "
    assert open_with(sql + "INSERT INTO campaign_instances VALUES (4)").next_instance_id() == 5


def test_the_open_configuration_is_the_latest_without_an_end(open_with: Open) -> None:
    sql = """CREATE TABLE config_versions (id INTEGER PRIMARY KEY, config_type, config_data,
            valid_from, valid_to);
        INSERT INTO config_versions VALUES (1, 'organization', '{"a": 1}', 'x', 'y'),
            (2, 'organization', '{"a": 2}', 'y', NULL), (3, 'other', '{"a": 3}', 'y', NULL)"""
    assert open_with(sql).last_config() == '{"a": 2}'


def test_the_last_run_is_the_latest_checkpoint(open_with: Open) -> None:
    sql = """CREATE TABLE scheduler_checkpoints (id INTEGER PRIMARY KEY, scheduler_run_id, status);
        INSERT INTO scheduler_checkpoints VALUES (1, 'one', 'completed'), (2, 'two', 'completed')"""
    assert open_with(sql).last_run() == {"id": 2, "scheduler_run_id": "two", "status": "completed"}


def occupied(snapshot: Snapshot, known: DayCounts) -> pa.Table:
    since = "2026-11-21"
    return occupancy(snapshot.counted_days(since), known, lambda: snapshot.scheduled_dated(since))


def schedule(*entries: tuple[int, str, str, str]) -> str:
    values = ", ".join(map(str, entries))
    names = "contact_id, email_type, status, scheduled_send_date"
    return f"{EMAIL_SCHEDULES.create_sql()}; INSERT INTO email_schedules ({names}) VALUES {values};"


@pytest.mark.parametrize("stage", STAGES)
def test_standing_counts_by_day_what_takes_room_from_a_date_on(
    open_with: Open, stage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sql = schedule(
        (1, "effective_date", "pre-scheduled", "2026-11-21"),
        (7, "effective_date", "pre-scheduled", "2026-11-21"),
        (99, "EFFECTIVE_DATE", "pre-scheduled", "2026-11-21"),
        (1, "EFFECTIVE_DATE", "scheduled", "2026-11-21"),
        (1, "birthday", "failed", "2026-11-22"),
        (1, "birthday", "skipped", "2026-11-22"),
        (1, "birthday", "sent", "2026-11-20"),
        (1, "birthday", "pre-scheduled", "2026-11-20"),
    )
    table = occupied(open_with(sql, stage), {})
    assert table.column_names == ["scheduled_send_date", "committed", "effective_date", "count"]
    assert sorted(rows(table)) == [
        ("2026-11-21", 0, 0, 1),
        ("2026-11-21", 0, 1, 2),
        ("2026-11-21", 1, 1, 1),
        ("2026-11-22", 1, 0, 1),
    ]
    for known in ({"2026-11-21": (3, 2)}, {"2026-11-21": (2, 1)}, {"2026-11-23": (3, 2)}):
        assert occupied(open_with(sql, stage), known) == table
    monkeypatch.setattr(tables, "ROWS_AT_ONCE", 3)
    assert sorted(rows(occupied(open_with(sql, stage), {}))) == sorted(rows(table))


@pytest.mark.parametrize("stage", STAGES)
def test_addresses_are_those_of_all_contacts_in_however_many_parts(
    open_with: Open, stage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (whole,) = open_with("", stage).addresses(ContactColumns())
    monkeypatch.setattr(tables, "ROWS_AT_ONCE", 1)
    parts = list(open_with("", stage).addresses(ContactColumns()))
    assert rows(pa.concat_tables(parts)) == rows(whole)
    assert len(parts) > 1


@pytest.mark.parametrize("stage", STAGES)
def test_committed_campaigns_are_those_of_any_case_from_a_date_on(
    open_with: Open, stage: str
) -> None:
    sql = schedule(
        (7, "CAMPAIGN_aep_3", "sent", "2026-11-21"),
        (1, "campaign_x", "processing", "2026-12-01"),
        (1, "campaign_x", "pre-scheduled", "2026-12-02"),
        (1, "campaignxx", "sent", "2026-12-03"),
        (1, "campaign_x", "sent", "2026-11-20"),
    )
    found = open_with(sql, stage).committed_campaigns("2026-11-21")
    assert rows(found) == [(1, "2026-12-01"), (7, "2026-11-21")]


@pytest.mark.parametrize("stage", ["old"])
def test_rows_of_the_replaced_type_are_found_in_any_case(open_with: Open, stage: str) -> None:
    sql = schedule(
        (7, "SCHEDULED_RATE_INCREASE", "pre-scheduled", "2026-11-21"),
        (1, "scheduled_rate_increase", "pre-scheduled", "2026-12-01"),
        (1, "scheduled_rate_increase", "skipped", "2026-12-01"),
        (1, "scheduled_rate_increase", "sent", "2026-12-01"),
        (1, "birthday", "pre-scheduled", "2026-12-01"),
    )
    snapshot = open_with(sql, stage)
    assert snapshot.has_legacy_rate_increases()
    found = snapshot.read(range_tables.LEGACY, EVERYONE)
    assert [(r["id"], r["contact_id"], r["scheduled_send_date"]) for r in found.to_pylist()] == [
        (2, 1, "2026-12-01"),
        (1, 7, "2026-11-21"),
    ]
    assert snapshot.read(range_tables.LEGACY, ContactRange(2, 6)).num_rows == 0


def test_after_the_migration_no_row_of_the_replaced_type_is_left(open_with: Open) -> None:
    sql = schedule((7, "SCHEDULED_RATE_INCREASE", "pre-scheduled", "2026-11-21"))
    snapshot = open_with(sql, "indexed")
    assert not snapshot.has_legacy_rate_increases()
    assert snapshot.read(range_tables.LEGACY, EVERYONE).num_rows == 0
