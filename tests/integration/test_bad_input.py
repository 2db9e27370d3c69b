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
from almanac.runs.local import run_file
from almanac.runs.run_options import RunOptions
from tests.support.damage import (
    AS_OF,
    build,
    leaf_pages,
    overwrite,
    plan,
    refused,
    untouched,
)
from tests.support.database_agencies import beside, change, without_privileges
from tests.support.sampling import sampled


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A sound agency."""
    return build(tmp_path / "agency.sqlite3")


def test_a_sound_agency_is_planned_and_nothing_stays_beside_it(path: Path) -> None:
    summary = plan(path)
    assert summary.planned_total == len(
        change(path, "SELECT 1 FROM email_schedules WHERE status = 'pre-scheduled'")
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
from almanac.runs.local import run_file
from almanac.runs.run_options import RunOptions
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), int(sys.argv[2])))
try:
    run_file(Path(sys.argv[1]), Config(), RunOptions(as_of=dt.date(2027, 3, 1), workers=1))
except DatabaseError as error:
    print(error)
"""


@pytest.mark.parametrize("room", sampled([1.2, 0.5], 1), ids=["for a copy", "not even for a copy"])
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
    assert str(path) in found.stdout
    assert "no room left on the disk" in found.stdout or "failed (" in found.stdout
    assert found.stdout.count("\n") == 1


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
        run_file(path, load_config(text), RunOptions(as_of=AS_OF))


# Constraints of the agency's own that the plan cannot keep


@pytest.mark.parametrize(
    "columns", ["contact_id, email_type, scheduled_send_date", "contact_id, email_type, event_year"]
)
def test_a_unique_constraint_of_the_table_itself_is_taken_out(tmp_path: Path, columns: str) -> None:
    sql = f"""
        DROP TABLE email_schedules;
        CREATE TABLE email_schedules (id INTEGER PRIMARY KEY, contact_id INTEGER, email_type TEXT,
            scheduled_send_date TEXT, status TEXT, event_year INTEGER, UNIQUE ({columns}))
    """
    path = build(tmp_path / "agency.sqlite3", sql=sql)
    summary = plan(path)
    named = ", ".join(sorted(columns.split(", ")))
    assert f"rebuilt the table email_schedules without UNIQUE ({named})" in summary.migrations
    assert not any(line.startswith("rebuilt") for line in plan(path).migrations)


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("DROP TABLE email_schedules; CREATE VIEW email_schedules AS SELECT 1 AS id", "is a view"),
        (
            "DROP TABLE email_schedules; "
            "CREATE TABLE email_schedules (id TEXT, contact_id PRIMARY KEY, status)",
            "id is not an INTEGER PRIMARY KEY",
        ),
        (
            "CREATE TABLE must (x); ALTER TABLE email_schedules ADD COLUMN must TEXT "
            "NOT NULL DEFAULT '' CHECK (email_type <> 'birthday')",
            "a constraint of the database forbids it",
        ),
    ],
)
def test_a_table_that_cannot_take_the_plan_is_refused(tmp_path: Path, sql: str, words: str) -> None:
    refused(build(tmp_path / "agency.sqlite3", sql=sql), DatabaseError, words)
