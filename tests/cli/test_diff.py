"""`almanac diff`: every kind of change is found, by type and by day, and nothing else."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import apsw
import pytest

from almanac.statistics import diff as module
from almanac.statistics.diff import compare
from tests.support.agencies import build
from tests.support.cli_calls import AS_OF, agency, almanac, state_of


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = agency(tmp_path_factory.mktemp("diff") / "old.sqlite3", 400)
    assert almanac("run", path, "--as-of", AS_OF).code == 0
    return path


@pytest.fixture
def old(planned: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(planned, tmp_path / "old.sqlite3"))


@pytest.fixture
def new(planned: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(planned, tmp_path / "new.sqlite3"))


def change(path: Path, *statements: str) -> list[int]:
    """How many rows each statement changed."""
    connection = apsw.Connection(str(path))
    try:
        counts = []
        for sql in statements:
            connection.execute(sql)
            counts.append(connection.changes())
        return counts
    finally:
        connection.close()


def first(email_type: str, status: str, offset: int = 0) -> str:
    """SQL for the id of a planned row."""
    return (
        f"(SELECT id FROM email_schedules WHERE email_type = '{email_type}' "
        f"AND status = '{status}' AND ideal_send_date IS NOT NULL "
        f"ORDER BY id LIMIT 1 OFFSET {offset})"
    )


def test_a_file_does_not_differ_from_itself(old: Path) -> None:
    found = compare(old, old)
    assert not any(found.changes.values())
    assert found.rows_old == found.rows_new == found.unchanged > 0
    assert "No planned row differs." in almanac("diff", old, old).out


def test_every_kind_of_change_is_told_from_the_others(old: Path, new: Path) -> None:
    update = "UPDATE email_schedules SET"
    change(
        new,
        f"{update} scheduled_send_date = '2027-12-24' WHERE id = {first('aep', 'pre-scheduled')}",
        f"DELETE FROM email_schedules WHERE id = {first('birthday', 'pre-scheduled')}",
        f"{update} status = 'sent' WHERE id = {first('birthday', 'pre-scheduled', 1)}",
        f"{update} status = 'skipped', skip_reason = 'x' "
        f"WHERE id = {first('effective_date', 'pre-scheduled')}",
        f"{update} status = 'pre-scheduled', skip_reason = NULL "
        f"WHERE id = {first('effective_date', 'skipped', 1)}",
        f"{update} email_template = 'other' WHERE id = {first('aep', 'pre-scheduled', 5)}",
        f"{update} skip_reason = 'other' WHERE id = {first('aep', 'skipped', 5)}",
        "INSERT INTO email_schedules (contact_id, email_type, scheduled_send_date, status, "
        "ideal_send_date, event_year, event_month, event_day) "
        "VALUES (5, 'aep', '2030-09-15', 'pre-scheduled', '2030-09-15', 2030, 9, 15)",
    )
    found = compare(old, new)
    assert found.changes == {
        "added": 1,
        "removed": 1,
        "moved": 1,
        "skipped anew": 1,
        "planned again": 1,
        "updated": 2,
        "taken by the sender": 1,
    }
    assert found.by_type["removed"] == {"birthday": 1}
    assert found.by_type["updated"] == {"aep": 2}
    assert found.by_day["2030-09-15"] == {"added": 1}
    assert found.by_day["2027-12-24"] == {"moved": 1}
    assert found.rows_old == found.rows_new + 1


def test_it_agrees_with_the_summary_of_the_run_between(old: Path, new: Path) -> None:
    summary = json.loads(almanac("run", new, "--as-of", "2026-11-25", "--json").out)
    found = compare(old, new)
    for name in ("added", "removed", "moved", "planned again"):
        assert found.changes[name] == summary["changes"].get(name, 0)
    late = summary["changes"].get("expired", 0)
    assert found.changes["skipped anew"] == summary["changes"].get("skipped anew", 0) + late


def test_ranges_of_contacts_make_no_difference(
    old: Path, new: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    almanac("run", new, "--as-of", "2026-11-25")
    whole = compare(old, new)
    monkeypatch.setattr(module, "CONTACTS", 7)
    assert compare(old, new) == whole


@pytest.mark.parametrize("schema", ["old", "new", "minimal", "bare"])
def test_databases_of_every_age_can_be_compared(tmp_path: Path, schema: str) -> None:
    before = build(tmp_path / "before.sqlite3", 3, 20, schema=schema)
    after = build(tmp_path / "after.sqlite3", 4, 30, schema=schema)
    found = compare(before, after)
    there = sum(n for c, n in found.changes.items() if c not in ("removed", "taken by the sender"))
    assert found.rows_new == there + found.unchanged


def test_both_files_stay_as_they_are(old: Path, new: Path) -> None:
    before = state_of(old.parent)
    answer = almanac("diff", old, new, "--json")
    assert json.loads(answer.out)["changes"]["added"] == 0
    assert state_of(old.parent) == before
