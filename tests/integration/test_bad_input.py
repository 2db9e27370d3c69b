"""Files that cannot be planned, or not wholly: a clear error, and the file is as it was."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from almanac.config import load_config
from almanac.errors import ConfigError, DatabaseError
from almanac.pipeline.local import RunOptions, run_file
from tests.integration.damage import (
    AS_OF,
    beside,
    build,
    dump,
    leaf_pages,
    overwrite,
    plan,
    query,
    refused,
    untouched,
)
from tests.unit.database_agencies import without_privileges


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A sound agency."""
    return build(tmp_path / "agency.sqlite3")


def test_a_sound_agency_is_planned_and_nothing_stays_beside_it(path: Path) -> None:
    summary = plan(path)
    assert summary.planned_total == len(
        query(path, "SELECT 1 FROM email_schedules WHERE status = 'pre-scheduled'")
    )
    assert summary.planned_total > 400
    assert beside(path) == ["agency.sqlite3"]


# Not a database


def test_a_missing_file_is_refused_and_not_created(tmp_path: Path) -> None:
    refused(tmp_path / "none.sqlite3", DatabaseError, "no such file")


def test_a_folder_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "agency.sqlite3"
    folder.mkdir()
    refused(folder, DatabaseError, "a folder")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "the file is empty"),
        (b"id,email\n1,ann@example.com\n" * 200, "not an SQLite database"),
        (b"SQLite format 3\x00" + b"\xff" * 4000, "not an SQLite database"),
        (b"\x00" * 8192, "not an SQLite database"),
    ],
)
def test_what_is_no_database_is_refused(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "agency.sqlite3"
    path.write_bytes(content)
    refused(path, DatabaseError, words)


@pytest.mark.parametrize("part", [0.02, 0.5, 0.99])
def test_a_truncated_file_is_refused(path: Path, part: float) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * part)])
    refused(path, DatabaseError, "truncated|damaged")


# Damaged pages


@pytest.mark.parametrize("name", ["contacts", "email_schedules"])
@pytest.mark.parametrize("octets", [b"\x55" * 1024, b"\x00" * 1024, b"\x0d\x00\x00\xff\xff"])
def test_a_damaged_page_of_a_table_is_an_error(path: Path, name: str, octets: bytes) -> None:
    pages = leaf_pages(path, name)
    overwrite(path, pages[len(pages) // 2], octets)
    refused(path, DatabaseError, "damaged|malformed")


@pytest.mark.parametrize("name", ["schedules_by_status"])
def test_a_damaged_page_of_an_index_that_must_grow_is_an_error(path: Path, name: str) -> None:
    for page in leaf_pages(path, name):
        overwrite(path, page, b"\x55" * 1024)
    refused(path, DatabaseError, "damaged|malformed")


def test_a_damaged_schema_is_an_error(path: Path) -> None:
    overwrite(path, 1, path.read_bytes()[:100] + b"\xff" * 8)
    refused(path, DatabaseError, "damaged|malformed")


# No contacts


def test_a_database_without_contacts_is_refused(tmp_path: Path) -> None:
    path = build(tmp_path / "a.sqlite3", sql="DROP TABLE contacts")
    refused(path, DatabaseError, "no table contacts")


def test_contacts_without_an_email_column_are_refused(tmp_path: Path) -> None:
    sql = "DROP INDEX contacts_by_email; ALTER TABLE contacts DROP COLUMN email"
    path = build(tmp_path / "a.sqlite3", sql=sql)
    refused(path, DatabaseError, "no column email; it has id, zip_code")


def test_contacts_that_are_a_view_are_refused(tmp_path: Path) -> None:
    sql = "ALTER TABLE contacts RENAME TO people; CREATE VIEW contacts AS SELECT * FROM people"
    refused(build(tmp_path / "a.sqlite3", sql=sql), DatabaseError, "contacts is a view")


def test_no_contacts_at_all_is_an_empty_plan(tmp_path: Path) -> None:
    path = build(tmp_path / "a.sqlite3", contacts=0)
    summary = plan(path)
    assert (summary.contacts_total, summary.planned_total, summary.skipped_total) == (0, 0, 0)


# Rights


def test_a_read_only_file_is_refused(path: Path) -> None:
    path.chmod(0o444)
    with without_privileges(path.parent):
        refused(path, DatabaseError, "the file is read-only")


def test_a_read_only_folder_is_refused(path: Path) -> None:
    path.chmod(0o666)
    path.parent.chmod(0o555)
    try:
        with without_privileges(path.parent):
            refused(path, DatabaseError, "is read-only; SQLite needs to write a journal there")
    finally:
        path.parent.chmod(0o755)


def test_a_dry_run_needs_no_right_to_write(path: Path) -> None:
    path.chmod(0o444)
    options = RunOptions(as_of=AS_OF, dry_run=True)
    with without_privileges(path.parent), untouched(path):
        assert run_file(path, load_config(""), options).planned_total > 400


# No room


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on a disk of its own of half a megabyte."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk; the next test limits file sizes instead")
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"no small disk can be mounted here: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize("journal", ["delete", "wal"])
def test_a_full_disk_is_an_error(small_disk: Path, journal: str) -> None:
    path = build(small_disk / "agency.sqlite3", contacts=900, journal=journal)
    refused(path, DatabaseError, "no room left on the disk|reading or writing failed")


LIMITED = """
import datetime as dt, resource, signal, sys
from pathlib import Path
from almanac.config import Config
from almanac.errors import DatabaseError
from almanac.pipeline.local import RunOptions, run_file
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), int(sys.argv[2])))
try:
    run_file(Path(sys.argv[1]), Config(), RunOptions(as_of=dt.date(2027, 3, 1), workers=1))
except DatabaseError as error:
    print(error)
"""


@pytest.mark.parametrize("room", [1.2, 0.5], ids=["for a copy", "not even for a copy"])
def test_a_file_that_may_not_grow_is_an_error(path: Path, room: float) -> None:
    limit = int(path.stat().st_size * room)
    with untouched(path):
        found = subprocess.run(
            [sys.executable, "-c", LIMITED, str(path), str(limit)],
            capture_output=True,
            text=True,
            check=False,
        )
    assert found.stderr == ""
    assert "no room left on the disk" in found.stdout or "writing failed" in found.stdout


# Configuration


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("horizon: 5", "horizon"),
        ("horizon_days: soon", "horizon_days"),
        ("load_balancing: {daily_send_percentage_cap: 7}", "daily_send_percentage_cap"),
        ("state_rules: {ZZ: {kind: year_round}}", "ZZ"),
        ("state_rules: {CA: {kind: never}}", "kind"),
        ("timezone: Mars/Olympus", "timezone"),
        ("send_time: 8:30", "send_time"),
        ("load_balancing: {ed_smoothing_window_days: 4}", "ed_smoothing_window_days"),
        ("a: [1, 2", "config.yaml"),
        ("- just\n- a list", "config.yaml"),
    ],
)
def test_a_bad_configuration_is_refused_before_the_file_is_opened(
    path: Path, text: str, words: str
) -> None:
    with untouched(path), pytest.raises(ConfigError, match=words):
        run_file(path, load_config(text), RunOptions(config_text=text, as_of=AS_OF))


# Constraints of the agency's own that the plan cannot keep


@pytest.mark.parametrize(
    "columns", ["contact_id, email_type, scheduled_send_date", "contact_id, email_type, event_year"]
)
def test_a_unique_constraint_of_the_table_itself_is_refused_by_name(
    tmp_path: Path, columns: str
) -> None:
    sql = f"""
        DROP TABLE email_schedules;
        CREATE TABLE email_schedules (id INTEGER PRIMARY KEY, contact_id INTEGER, email_type TEXT,
            scheduled_send_date TEXT, status TEXT, event_year INTEGER, UNIQUE ({columns}))
    """
    path = build(tmp_path / "agency.sqlite3", sql=sql)
    refused(path, DatabaseError, "email_schedules is declared UNIQUE .*rebuild it")


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("DROP TABLE email_schedules; CREATE VIEW email_schedules AS SELECT 1 AS id", "is a view"),
        (
            "DROP TABLE email_schedules; CREATE TABLE email_schedules (id TEXT, contact_id, status)",
            "id is not an INTEGER PRIMARY KEY",
        ),
        (
            "CREATE TABLE must (x); ALTER TABLE email_schedules ADD COLUMN must TEXT "
            "NOT NULL DEFAULT '' CHECK (email_type <> 'birthday')",
            "a constraint of the database forbids it",
        ),
    ],
)
def test_a_table_that_cannot_take_the_plan_is_refused(
    tmp_path: Path, sql: str, words: str
) -> None:
    refused(build(tmp_path / "agency.sqlite3", sql=sql), DatabaseError, words)


# Rows that cannot be understood are left out or read as nothing


def test_contacts_without_an_integer_id_are_left_out_and_counted(tmp_path: Path) -> None:
    sql = """
        DROP TABLE contacts;
        CREATE TABLE contacts (id, email, state, birth_date);
        INSERT INTO contacts VALUES (1, 'a@example.com', 'TX', '1950-06-01'),
            ('two', 'b@example.com', 'TX', '1950-06-01'), (NULL, 'c@example.com', 'TX', NULL),
            (2.5, 'd@example.com', 'TX', '1950-06-01'), (x'33', 'e@example.com', 'TX', NULL)
    """
    path = build(tmp_path / "agency.sqlite3", sql=sql)
    summary = plan(path)
    assert (summary.contacts_total, summary.contacts_in_scope) == (5, 1)
    sql = "SELECT DISTINCT contact_id FROM email_schedules WHERE status <> 'sent'"
    assert query(path, sql) == [(1,)]


def test_of_contacts_with_one_id_the_first_is_planned(tmp_path: Path) -> None:
    sql = """
        DROP TABLE contacts;
        CREATE TABLE contacts (id INTEGER, email, state, birth_date);
        INSERT INTO contacts VALUES (7, 'a@example.com', 'TX', '1950-06-01'),
            (7, 'b@example.com', 'NY', '1950-09-09'), (8, 'c@example.com', 'TX', '1950-06-01')
    """
    path = build(tmp_path / "agency.sqlite3", sql=sql)
    summary = plan(path)
    assert (summary.contacts_total, summary.contacts_in_scope) == (3, 2)
    sql = """SELECT contact_id, event_month, status FROM email_schedules
        WHERE email_type = 'birthday' ORDER BY contact_id"""
    assert query(path, sql) == [(7, 6, "pre-scheduled"), (8, 6, "pre-scheduled")]


LONG = "x" * 1_000_000
ODD_VALUES = {
    "integers": "7",
    "reals": "1.5",
    "blobs": "x'ff00fe'",
    "invalid UTF-8": "CAST(x'80c3282d' AS TEXT)",
    "NUL": "'a' || char(0) || 'b'",
    "a megabyte": f"'{LONG}'",
    "other scripts": "'Zoë \U0001f600 \u202e'",
    "NULL": "NULL",
}


@pytest.mark.parametrize("name", ODD_VALUES)
def test_odd_values_in_any_column_of_a_contact_are_no_obstacle(tmp_path: Path, name: str) -> None:
    path = build(tmp_path / "agency.sqlite3", contacts=5)
    columns = ["zip_code", "state", "birth_date", "effective_date", "carrier", "phone_number"]
    changes = ", ".join(f"{column} = {ODD_VALUES[name]}" for column in columns)
    query(path, f"UPDATE contacts SET {changes} WHERE id = 2")
    query(path, f"UPDATE contacts SET email = {ODD_VALUES[name]} WHERE id = 3")
    query(path, f"UPDATE contacts SET status = {ODD_VALUES[name]} WHERE id = 4")
    before = dump(path, "contacts")
    summary = plan(path)
    assert dump(path, "contacts") == before
    issues = query(path, "SELECT contact_id, issue FROM contact_issues ORDER BY 1, 2")
    expected = [(2, "state_unknown"), (3, "invalid_email")]
    if name != "NULL":
        wrong = ("birth_date", "effective_date", "state", "zip")
        expected += [(2, f"invalid_{what}") for what in wrong]
    assert issues == sorted(expected)
    # 1 and 5 are as they were; 2 has lost its dates, 3 its address, 4 is not active
    assert summary.contacts_eligible == (4 if name == "NULL" else 3)
    planned = query(
        path, "SELECT DISTINCT contact_id FROM email_schedules WHERE status <> 'sent' ORDER BY 1"
    )
    assert planned == [(n,) for n in (1, 2, 4, 5) if n != 4 or name == "NULL"]


@pytest.mark.parametrize("name", [name for name in ODD_VALUES if name != "NULL"])
def test_odd_values_in_committed_rows_are_no_obstacle(tmp_path: Path, name: str) -> None:
    path = build(tmp_path / "agency.sqlite3", contacts=5)
    value = ODD_VALUES[name]
    for contact, column in enumerate(
        ("email_type", "scheduled_send_date", "status", "event_year", "contact_id"), start=1
    ):
        query(path, f"UPDATE email_schedules SET {column} = {value} WHERE contact_id = {contact}")
    before = dump(path, "email_schedules")
    plan(path)
    known = "id, contact_id, email_type, scheduled_send_date, status, skip_reason"
    known += ", event_year, event_month, event_day"
    assert dump(path, "email_schedules", known)[: len(before)] == before


CAMPAIGNS = """
CREATE TABLE campaign_types (name TEXT PRIMARY KEY, target_all_contacts BOOLEAN);
CREATE TABLE campaign_instances (id INTEGER PRIMARY KEY, campaign_type TEXT, instance_name TEXT,
    metadata TEXT, active_start_date TEXT, spread_start_date TEXT, spread_end_date TEXT);
INSERT INTO campaign_types VALUES ('promo', 1);
INSERT INTO campaign_instances (id, campaign_type, instance_name, metadata, active_start_date)
VALUES (1, 'promo', 'good', NULL, '2027-02-20')
"""


@pytest.mark.parametrize(
    ("kind", "metadata", "words"),
    [
        ("nosuch", None, "nosuch"),
        ("PROMO", None, "PROMO"),
        ("promo", "{not json", "metadata"),
        ("promo", "[1]", "metadata"),
        ("promo", '"text"', "metadata"),
        ("promo", '{"priority": "high"}', "priority"),
        ("promo", '{"priority": true}', "priority"),
        ("promo", '{"days_before_event": 1.5}', "days_before_event"),
        ("promo", '{"enable_followups": "yes"}', "enable_followups"),
        ("promo", '{"respect_exclusion_windows": 2}', "respect_exclusion_windows"),
        ("promo", '{"followup_sms_template": 3}', "followup_sms_template"),
        ("promo", '{"priority": 100000000000000000000}', "priority"),
        ("promo", "[" * 5000, "metadata"),
    ],
)
def test_an_instance_that_cannot_be_understood_is_left_out_and_the_others_go_on(
    tmp_path: Path, kind: str, metadata: str | None, words: str
) -> None:
    path = build(tmp_path / "agency.sqlite3", contacts=5, sql=CAMPAIGNS)
    sql = "INSERT INTO campaign_instances VALUES (2, ?, 'bad one', ?, NULL, NULL, NULL)"
    query(path, sql, kind, metadata)
    summary = plan(path)
    assert [(one.instance_id, one.name) for one in summary.left_out] == [(2, "bad one")]
    assert words in summary.left_out[0].problem
    sql = "SELECT DISTINCT campaign_instance_id FROM email_schedules WHERE email_type = ?"
    assert query(path, sql, "campaign_promo") == [(1,)]


def test_an_instance_whose_spread_ends_before_it_starts_is_left_out(tmp_path: Path) -> None:
    path = build(tmp_path / "agency.sqlite3", contacts=5, sql=CAMPAIGNS)
    sql = """INSERT INTO campaign_instances
        VALUES (2, 'promo', 'backwards', '{"spread_evenly": true}', NULL, ?, ?)"""
    query(path, sql, "2027-04-02", "2027-04-01")
    summary = plan(path)
    assert [one.instance_id for one in summary.left_out] == [2]
    assert "spread" in summary.left_out[0].problem


def test_a_target_without_a_contact_is_counted(tmp_path: Path) -> None:
    sql = """;
        CREATE TABLE contact_campaigns (id INTEGER PRIMARY KEY, contact_id INTEGER,
            campaign_instance_id INTEGER, trigger_date TEXT, status TEXT);
        INSERT INTO contact_campaigns VALUES (1, 3, 1, '2027-04-01', 'pending'),
            (2, 999, 1, '2027-04-01', 'pending'), (3, 1000, 1, NULL, NULL)
    """
    path = build(tmp_path / "agency.sqlite3", contacts=5, sql=CAMPAIGNS + sql)
    assert plan(path).unknown_targets == 2


def test_two_planned_rows_of_one_identity_are_refused(tmp_path: Path) -> None:
    path = build(tmp_path / "agency.sqlite3", contacts=5)
    plan(path)
    query(path, "DROP INDEX almanac_planned_identity")
    query(
        path,
        """INSERT INTO email_schedules (contact_id, email_type, scheduled_send_date, status,
            event_year, event_month, event_day, ideal_send_date)
        SELECT contact_id, email_type, scheduled_send_date, status, event_year, event_month,
            event_day, ideal_send_date FROM email_schedules WHERE status = 'pre-scheduled'
            AND contact_id = 3""",
    )
    plan(path)
    sql = """SELECT count(*), count(DISTINCT email_type) FROM email_schedules
        WHERE contact_id = 3 AND status IN ('pre-scheduled', 'skipped')"""
    ((rows, types),) = query(path, sql)
    assert rows == types
