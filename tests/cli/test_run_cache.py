"""`almanac run --cache`: the next run reads its planned rows in columns, or does without."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import apsw
import pytest

from almanac.database.open_file import OpenFile
from almanac.organizations.cache_folder import CacheFolder
from almanac.organizations.cached_rows import CachedRows
from tests.support.cli_calls import almanac
from tests.support.kept_columns import noted_ranges
from tests.support.tiny import Agency

FIRST, NEXT = "2027-03-01", "2027-03-02"


@pytest.fixture
def agency(tmp_path: Path) -> Agency:
    """Contacts of Texas with a birthday, and an empty folder for the columns."""
    made = Agency(tmp_path / "agency.sqlite3")
    for contact in range(1, 31):
        made.contact(contact, birth_date=f"1950-06-{contact:02}")
    (tmp_path / "cache").mkdir()
    return made


@pytest.fixture
def ranges_read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    return noted_ranges(monkeypatch)


def run(agency: Agency, day: str, *more: str) -> tuple[str, str]:
    """Run a day with the columns kept in the folder; what it writes to both streams."""
    folder = agency.path.parent / "cache"
    answer = almanac("run", agency.path, "--as-of", day, "--cache", folder, *more)
    assert answer.code == 0
    return answer.out, answer.err


def mark(agency: Agency, row: int) -> None:
    """Mark a message as sent, and keep the columns valid."""
    marks = agency.path.parent / "marks.csv"
    marks.write_text(f"id,status\n{row},sent\n")
    answer = almanac("mark", agency.path, marks, "--cache", agency.path.parent / "cache")
    assert (answer.code, answer.err) == (0, "")


def columns(agency: Agency) -> Path:
    (path,) = (agency.path.parent / "cache").iterdir()
    return path


def rows(path: Path) -> list[tuple[Any, ...]]:
    connection = apsw.Connection(str(path))
    sql = "SELECT id, contact_id, email_type, scheduled_send_date, status FROM email_schedules"
    found = connection.execute(f"{sql} ORDER BY id").fetchall()
    connection.close()
    return found


def test_the_next_run_reads_what_the_last_one_kept(
    agency: Agency, ranges_read: list[str], tmp_path: Path
) -> None:
    assert run(agency, FIRST)[1] == ""
    assert stat.S_IMODE(columns(agency).stat().st_mode) == 0o600
    assert "agency-" in columns(agency).name
    other = tmp_path / "other.sqlite3"
    mark(agency, 1)
    other.write_bytes(agency.path.read_bytes())
    ranges_read.clear()
    assert run(agency, NEXT)[1] == ""
    assert "contacts" in ranges_read
    assert "planned rows" not in ranges_read
    assert almanac("run", other, "--as-of", NEXT).code == 0
    assert rows(agency.path) == rows(other) != []


def what_is_wrong(agency: Agency) -> str:
    """Why the next run would do without the columns; nothing if it would not."""
    place = CacheFolder(agency.path, agency.path.parent / "cache")
    file = OpenFile.opened(agency.path, writable=False, busy_seconds=1)
    try:
        assert (CachedRows(place).current(file) is None) == bool(place.remarks)
    finally:
        file.connection.close()
    return "".join(place.remarks)


def test_columns_of_another_state_or_of_others_are_not_used(agency: Agency) -> None:
    run(agency, FIRST)
    path, whole = columns(agency), columns(agency).read_bytes()
    assert what_is_wrong(agency) == ""
    for damaged in (whole[:-1], whole[1:], b"", whole[:50] + b"!" + whole[51:]):
        path.write_bytes(damaged)
        assert "damaged" in what_is_wrong(agency) or "not those written" in what_is_wrong(agency)
    path.write_bytes(whole)
    path.chmod(0o666)
    assert "other users" in what_is_wrong(agency)
    path.chmod(0o600)
    agency.query("UPDATE email_schedules SET status = 'sent' WHERE id = 1")
    assert "has changed since" in what_is_wrong(agency)
    agency.query("PRAGMA journal_mode = WAL")
    assert "WAL" in what_is_wrong(agency)


@pytest.mark.slow
def test_a_file_that_a_sender_has_written_to_costs_one_line(agency: Agency) -> None:
    run(agency, FIRST)
    agency.query("UPDATE email_schedules SET status = 'sent' WHERE id = 1")
    out, err = run(agency, NEXT, "--json")
    assert err.count("\n") == 1
    assert "has changed since" in err
    assert out.startswith("{")
    assert what_is_wrong(agency) == ""


def test_a_folder_that_is_none_is_named_before_the_run_begins(agency: Agency) -> None:
    before = agency.path.read_bytes()
    for wrong in (agency.path, agency.path.parent / "none"):
        answer = almanac("run", agency.path, "--cache", wrong)
        assert (answer.code, answer.err.count("\n")) == (2, 1)
        assert "is no folder; create it first" in answer.err
    assert "takes only" in almanac("run", "--org", "206", "--cache", agency.path.parent).err
    assert "for DATABASE" in almanac("mark", "--org", "206", "x.csv", "--cache", "none").err
    assert "create it first" in almanac("mark", agency.path, "x.csv", "--cache", "none").err
    assert agency.path.read_bytes() == before


@pytest.mark.slow
@pytest.mark.parametrize("more", [["--workers", "2", "--shards", "3"], ["--backup", "."]])
def test_every_way_of_planning_takes_the_columns(
    agency: Agency, tmp_path: Path, more: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run(agency, FIRST, *more)
    with_columns = what_is_wrong(agency)
    other = tmp_path / "other.sqlite3"
    other.write_bytes(agency.path.read_bytes())
    agency.query("VACUUM")
    assert with_columns == ""
    assert "has changed since" in run(agency, FIRST, *more)[1]
    assert run(agency, NEXT, *more)[1] == run(agency, NEXT, "--contacts", "3-9")[1] == ""
    for arguments in (["--as-of", FIRST], ["--as-of", NEXT]):
        almanac("run", other, *arguments)
    assert rows(agency.path) == rows(other)
    assert what_is_wrong(agency) == ""


@pytest.mark.slow
def test_days_of_marks_and_runs_plan_the_same_with_and_without(
    agency: Agency, tmp_path: Path
) -> None:
    other = tmp_path / "other.sqlite3"
    run(agency, FIRST)
    for day in range(2, 7):
        for row in agency.query(
            "SELECT id FROM email_schedules WHERE status = 'pre-scheduled' ORDER BY id LIMIT 2"
        ):
            mark(agency, row[0])
        other.write_bytes(agency.path.read_bytes())
        planned = f"2027-03-{day * 5:02}"
        assert run(agency, planned)[1] == ""
        assert almanac("run", other, "--as-of", planned).code == 0
        assert rows(agency.path) == rows(other)
