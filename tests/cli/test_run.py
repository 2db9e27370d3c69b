"""`almanac run`: what it prints, what it writes, and what it leaves alone."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import apsw
import pytest

from almanac.report.summary import RunSummary
from tests.support.cli_calls import AS_OF, agency, almanac, state_of

ROWS = "SELECT * FROM email_schedules ORDER BY id"


def rows(path: Path, sql: str = ROWS) -> list[tuple[Any, ...]]:
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        return list(connection.execute(sql))
    finally:
        connection.close()


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return agency(tmp_path_factory.mktemp("raw") / "agency.sqlite3", 1500)


@pytest.fixture
def path(raw: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(raw, tmp_path / "agency.sqlite3"))


def test_the_summary_tells_what_an_operator_looks_for(path: Path) -> None:
    answer = almanac("run", path, "--as-of", AS_OF)
    assert (answer.code, answer.err) == (0, "")
    for heading in (
        "Planned by type",
        "Skipped by reason",
        "Busiest days",
        "Caps",
        "How days were chosen",
        "Changes",
        "Contact issues",
        "Campaigns left out",
        "Database migrated",
        "This run",
        "Next",
    ):
        assert f"\n{heading}" in answer.out
    assert "1,500  in the file" in answer.out
    assert "checksums" in answer.out
    prose = answer.out.partition("\nNext\n")[0].replace(str(path), "agency").splitlines()
    assert max(map(len, prose)) <= 80
    assert not any(line != line.rstrip() for line in prose)


def test_the_contact_that_the_summary_names_gets_nothing(path: Path) -> None:
    answer = almanac("run", path, "--as-of", AS_OF)
    command = next(line for line in answer.out.splitlines() if " explain " in line)
    contact = command.split("--contact ")[1]
    explained = almanac("explain", path, "--contact", contact)
    assert explained.out.startswith(f"Contact {contact} gets nothing: ")


def test_json_is_one_object_that_equals_the_file(path: Path) -> None:
    answer = almanac("run", path, "--as-of", AS_OF, "--json")
    summary = RunSummary.model_validate_json(answer.out)
    assert answer.out.count("\n") == 1
    counted = (
        "SELECT email_type, count(*) FROM email_schedules WHERE status = 'pre-scheduled' GROUP BY 1"
    )
    assert summary.planned == dict(rows(path, counted))
    assert not summary.dry_run


def test_a_dry_run_writes_nothing_and_says_so(path: Path) -> None:
    before = state_of(path.parent)
    answer = almanac("run", path, "--as-of", AS_OF, "--dry-run")
    assert answer.code == 0
    assert "\nDry run: nothing was written." in answer.out
    assert "What would change, by type" in answer.out
    assert state_of(path.parent) == before


def test_a_dry_run_promises_what_the_run_then_does(path: Path) -> None:
    dry = json.loads(almanac("run", path, "--as-of", AS_OF, "--dry-run", "--json").out)
    wet = json.loads(almanac("run", path, "--as-of", AS_OF, "--json").out)
    assert dry.pop("dry_run")
    assert not wet.pop("dry_run")
    for name in ("run_id", "seconds", "migrations"):
        dry.pop(name), wet.pop(name)
    assert dry == wet


def test_a_second_run_changes_no_row_and_says_so(path: Path) -> None:
    almanac("run", path, "--as-of", AS_OF)
    before = rows(path)
    answer = almanac("run", path, "--as-of", AS_OF)
    assert "No row changes." in answer.out
    assert rows(path) == before


def test_only_the_contacts_asked_for_are_planned(path: Path, tmp_path: Path) -> None:
    ids = [i for (i,) in rows(path, "SELECT id FROM contacts ORDER BY id LIMIT 40")]
    wanted = {ids[0], *ids[10:31]}
    listed = tmp_path / "ids.txt"
    listed.write_text(f"{ids[0]}\n\n{ids[10]}-{ids[30]},{ids[12]}\n")
    planned = "SELECT DISTINCT contact_id FROM email_schedules WHERE ideal_send_date IS NOT NULL"
    answer = almanac("run", path, "--as-of", AS_OF, "--contacts", f"@{listed}", "--json")
    assert RunSummary.model_validate_json(answer.out).contacts_in_scope == len(wanted)
    assert {i for (i,) in rows(path, planned)} <= wanted


def test_after_the_send_time_sending_starts_the_day_after(path: Path) -> None:
    answer = almanac("run", path, "--now", f"{AS_OF}T12:00", "--dry-run", "--json")
    summary = RunSummary.model_validate_json(answer.out)
    assert (str(summary.as_of), str(summary.first_send_date)) == (AS_OF, "2026-11-22")
    # 02:00 UTC is still the evening before in Chicago
    answer = almanac("run", path, "--now", "2026-11-22T02:00Z", "--dry-run", "--json")
    summary = RunSummary.model_validate_json(answer.out)
    assert (str(summary.as_of), str(summary.first_send_date)) == (AS_OF, "2026-11-22")


def test_a_configuration_is_used(path: Path, tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("aep: {enabled: false}\n")
    answer = almanac("run", path, "--as-of", AS_OF, "--config", config, "--json")
    assert "aep" not in RunSummary.model_validate_json(answer.out).planned


def test_days_above_the_ceiling_are_named(path: Path) -> None:
    connection = apsw.Connection(str(path))
    cap = RunSummary.model_validate_json(
        almanac("run", path, "--as-of", AS_OF, "--dry-run", "--json").out
    ).ceiling
    ids = [i for (i,) in connection.execute("SELECT id FROM contacts LIMIT ?", (cap + 1,))]
    connection.executemany(
        "INSERT INTO email_schedules (contact_id, email_type, scheduled_send_date, status) "
        "VALUES (?, 'invoice', '2027-02-01', 'scheduled')",
        [(i,) for i in ids],
    )
    connection.close()
    answer = almanac("run", path, "--as-of", AS_OF)
    assert "1 day above the ceiling" in answer.out
    assert "2027-02-01" in answer.out
