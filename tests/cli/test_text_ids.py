"""CSV files brought in by the sqlite3 shell (`.import`: every column TEXT) plan as they are."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.support.cli_calls import AS_OF, almanac
from tests.support.sampling import shares
from tests.support.tiny import Agency

PLAN = """
    SELECT CAST(contact_id AS INTEGER), email_type, scheduled_send_date, ideal_send_date, status,
        skip_reason, CAST(campaign_instance_id AS INTEGER), metadata FROM email_schedules
    WHERE status IN ('pre-scheduled', 'skipped') ORDER BY 1, 2, 4, 7
"""
TABLES = ("contacts", "contact_campaigns", "suppressions", "tracking_clicks", "contact_events")


def made(path: Path) -> Agency:
    """An agency with integer ids and something of everything."""
    tiny = Agency(path)
    for contact in range(1, 13):
        tiny.contact(
            contact,
            ("TX", "CA", "MO")[contact % 3],
            birth_date=f"195{contact % 10}-03-1{contact % 10}",
            effective_date=f"2020-0{contact % 9 + 1}-05",
        )
    tiny.campaign(3, active_start_date="2026-01-01")
    for contact in (2, 5, 42):
        tiny.target(3, "2026-12-20", contact_id=contact)
    tiny.sent("birthday", "2026-11-10", contact_id=4, event_year=2026)
    tiny.insert("tracking_clicks", contact_id=4, clicked_at="2026-11-12")
    tiny.insert("suppressions", contact_id=6, reason="bounce", since="2026-01-01")
    return tiny


@pytest.fixture
def plain(tmp_path: Path) -> Agency:
    return made(tmp_path / "plain.sqlite3")


@pytest.fixture
def texts(tmp_path: Path) -> Agency:
    """The same, its tables as `.import` makes them."""
    tiny = made(tmp_path / "texts.sqlite3")
    for table in TABLES:
        names = [n for (n,) in tiny.query(f"SELECT name FROM pragma_table_info('{table}')")]
        columns = ", ".join(f'"{name}" TEXT' for name in names)
        tiny.query(
            f"ALTER TABLE {table} RENAME TO old; CREATE TABLE {table} ({columns});"
            f"INSERT INTO {table} SELECT * FROM old; DROP TABLE old"
        )
    return tiny


def said(*arguments: object) -> dict[str, Any]:
    answer = almanac(*arguments, "--json")
    assert answer.code == 0, answer.err
    found: dict[str, Any] = json.loads(answer.out)
    return found


def plainly(found: dict[str, Any]) -> str:
    """Return an explanation without names of files and runs, and texts that are ids as numbers."""
    text = re.sub(r"plain|texts|manual-\w+", "", json.dumps(found))
    return re.sub(r'"contact_id": "(\d+)"', r'"contact_id": \1', text)


def test_the_plan_is_the_same(plain: Agency, texts: Agency) -> None:
    # a run needs ids of its own tables
    for each in (plain, texts):
        each.query("DROP TABLE contact_campaigns")
        said("run", each.path, "--as-of", AS_OF)
    assert texts.query(PLAN) == plain.query(PLAN)
    assert len(texts.query(PLAN)) > 20


def test_check_counts_them(plain: Agency, texts: Agency) -> None:
    texts.query("DROP TABLE contact_campaigns")
    found = said("check", texts.path)
    assert found["usable"]
    assert (found["contacts"], found["eligible"]) == (12, 12)
    assert (found["non_integer_ids"], found["duplicate_ids"]) == (0, 0)


@shares(4)
def test_explain_agrees_with_the_run(plain: Agency, texts: Agency, every: int) -> None:
    for each in (plain, texts):
        each.query("DROP TABLE contact_campaigns")
        said("run", each.path, "--as-of", AS_OF)
    for contact in range(1, 13, every):
        one, other = (said("explain", e.path, "--contact", contact) for e in (plain, texts))
        assert plainly(other) == plainly(one)
    by_address = said("explain", texts.path, "--email", "user7@example.com")
    assert by_address["contact_id"] == 7


def test_an_id_that_is_no_number_is_nobodys(texts: Agency) -> None:
    texts.query("DROP TABLE contact_campaigns")
    texts.query("INSERT INTO contacts (id, email, state) VALUES ('3Hs0004', 'x@example.com', 'TX')")
    found = said("check", texts.path)
    assert (found["contacts"], found["eligible"], found["non_integer_ids"]) == (13, 12, 1)
    said("run", texts.path, "--as-of", AS_OF)
    assert said("explain", texts.path, "--contact", 3)["contact"]["email"] == "user3@example.com"
    answer = almanac("explain", texts.path, "--email", "x@example.com")
    assert answer.code == 2
    texts.query("DELETE FROM contacts WHERE id = '3'")
    answer = almanac("explain", texts.path, "--contact", 3)
    assert answer.code == 2
    assert "has none with this id; the nearest ids are" in answer.err


def test_the_page_due_and_suppressions_know_them(
    plain: Agency, texts: Agency, tmp_path: Path
) -> None:
    results = []
    for each in (plain, texts):
        each.query("DROP TABLE contact_campaigns")
        said("run", each.path, "--as-of", AS_OF)
        page = tmp_path / f"{each.path.stem}.html"
        assert almanac("report", each.path, "--out", page).code == 0
        ((day,),) = each.query(
            "SELECT min(scheduled_send_date) FROM email_schedules WHERE status = 'pre-scheduled'"
        )
        due = almanac("due", each.path, "--on", day)
        assert due.code == 0
        added = said("suppression", "add", each.path, "--contact", 7, "--on", AS_OF)
        listed = said("suppression", "list", each.path, "--email", "user6@example.com")
        for found in (added, listed):
            found.pop("database", None)
        results.append((sorted(due.out.splitlines()), added, listed))
    assert results[0] == results[1]


def test_targets_are_imported_by_address(texts: Agency, tmp_path: Path) -> None:
    texts.query("DROP TABLE contact_campaigns")
    lines = tmp_path / "lines.csv"
    lines.write_text("email\nuser9@example.com\nnobody@example.com\n")
    found = said("campaign", "import", texts.path, 3, lines)
    assert texts.query("SELECT contact_id FROM contact_campaigns") == [(9,)], found


def test_a_store_counts_them(texts: Agency, tmp_path: Path) -> None:
    texts.query("DROP TABLE contact_campaigns")
    store = tmp_path / "store"
    store.mkdir()
    assert almanac("store", "push", "7", texts.path, "--store", store).code == 0
    (manifest,) = store.rglob("manifest.json")
    assert json.loads(manifest.read_text())["census"]["ids"] == 12
