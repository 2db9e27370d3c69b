"""CSV files brought in by the sqlite3 shell (`.import`: every column TEXT) plan as they are."""

from __future__ import annotations

import json
import re
import shutil
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


def copied(path: Path, to: Path) -> Agency:
    """A copy of an agency, to be changed."""
    tiny = Agency.__new__(Agency)
    tiny.path = Path(shutil.copy(path, to))
    return tiny


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the two files of which each test has copies."""
    folder = tmp_path_factory.mktemp("originals")
    made(folder / "plain.sqlite3")
    tiny = copied(folder / "plain.sqlite3", folder / "texts.sqlite3")
    tables = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
    for (table,) in tiny.query(tables):
        imported(tiny, table)
    return folder


@pytest.fixture
def plain(originals: Path, tmp_path: Path) -> Agency:
    return copied(originals / "plain.sqlite3", tmp_path)


@pytest.fixture
def texts(originals: Path, tmp_path: Path) -> Agency:
    """The same, its tables as `.import` makes them."""
    return copied(originals / "texts.sqlite3", tmp_path)


def imported(tiny: Agency, table: str) -> None:
    """Let a table be as `.import` makes it of its CSV file: all TEXT, and empty for NULL."""
    names = [n for (n,) in tiny.query(f"SELECT name FROM pragma_table_info('{table}')")]
    columns = ", ".join(f'"{name}" TEXT' for name in names)
    values = ", ".join(f"COALESCE({name}, '')" for name in names)
    tiny.query(
        f"ALTER TABLE {table} RENAME TO old; CREATE TABLE {table} ({columns});"
        f"INSERT INTO {table} SELECT {values} FROM old; DROP TABLE old"
    )


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
    for day in (AS_OF, "2026-11-22"):
        one, other = (said("run", each.path, "--as-of", day) for each in (plain, texts))
        assert texts.query(PLAN) == plain.query(PLAN)
        for name in ("changes", "planned", "skipped", "issues", "unknown_targets"):
            assert other[name] == one[name], name
    assert len(texts.query(PLAN)) > 20


def test_tables_get_a_key_and_keep_the_rest(texts: Agency) -> None:
    texts.query("INSERT INTO email_schedules SELECT * FROM email_schedules")
    texts.query(
        "INSERT INTO email_schedules (id, contact_id, email_type, status) VALUES "
        "('x7', '4', 'aep', 'sent'), (' 12 ', '4', 'aep', 'sent'), (NULL, '4', 'aep', 'failed');"
        "CREATE INDEX of_mine ON email_schedules (status, contact_id);"
        "CREATE TABLE log (x);"
        "CREATE TRIGGER of_mine_too AFTER INSERT ON email_schedules BEGIN "
        "INSERT INTO log VALUES (NEW.id); END"
    )
    rest = "SELECT *, NULL AS id FROM email_schedules WHERE status IN ('sent', 'failed')"
    before = [row[1:] for row in texts.query(f"{rest} ORDER BY rowid")]
    checked = said("check", texts.path)
    assert checked["usable"]
    assert {"email_schedules", "contact_campaigns", "campaign_instances"} <= set(
        checked["without_key"]
    )
    words = " ".join(almanac("check", texts.path).out.split())
    assert "A run rebuilds tables whose id is not an INTEGER PRIMARY KEY" in words
    migrations = said("run", texts.path, "--as-of", AS_OF)["migrations"]
    assert (
        "rebuilt the table email_schedules with id as INTEGER PRIMARY KEY; 3 rows got a new id, "
        "for one that is missing, repeated or not a whole number" in migrations
    )
    ids = texts.query(
        "SELECT id FROM email_schedules WHERE status IN ('sent', 'failed') ORDER BY id"
    )
    assert ids == [(1,), (12,), (14,), (15,), (17,)]
    width = len(before[0]) - 1
    after = texts.query(f"{rest} ORDER BY id")
    assert sorted(map(repr, before)) == sorted(repr(row[1:]) for row in after)
    assert all(len(row) == width + 2 for row in after)
    names = "SELECT name FROM sqlite_schema WHERE name LIKE 'of_mine%' ORDER BY name"
    assert texts.query(names) == [("of_mine",), ("of_mine_too",)]
    assert texts.query("SELECT count(*) > 20, min(x) > 17 FROM log") == [(1, 1)]
    assert said("check", texts.path)["without_key"] == []


def test_a_table_without_ids_gets_some(texts: Agency) -> None:
    texts.query("ALTER TABLE contact_campaigns DROP COLUMN id")
    said("run", texts.path, "--as-of", AS_OF)
    sql = "SELECT id, contact_id, status FROM contact_campaigns ORDER BY id"
    assert texts.query(sql) == [(1, "2", "skipped"), (2, "5", "scheduled"), (3, "42", "pending")]


def test_empty_planned_rows_of_an_older_scheduler_are_replaced(texts: Agency) -> None:
    for kind in ("birthday", "birthday", "scheduled_rate_increase"):
        texts.sent(kind, "2027-01-05", contact_id=8, status="pre-scheduled", event_year="")
    texts.query("UPDATE email_schedules SET ideal_send_date = '', event_month = '', event_day = ''")
    summary = said("run", texts.path, "--as-of", AS_OF)
    assert any(
        "1 rows of scheduled_rate_increase into 1 targets" in m for m in summary["migrations"]
    )
    left = "SELECT count(*) FROM email_schedules WHERE status = 'pre-scheduled' AND {}"
    assert texts.query(left.format("COALESCE(ideal_send_date, '') = ''")) == [(0,)]
    assert texts.query(left.format("email_type = 'campaign_rate_increase'")) == [(1,)]
    assert said("run", texts.path, "--as-of", AS_OF)["changes"].keys() == {"unchanged"}


def test_due_and_marks_have_numbers(texts: Agency, tmp_path: Path) -> None:
    said("run", texts.path, "--as-of", AS_OF)
    ((row, day),) = texts.query(
        "SELECT id, scheduled_send_date FROM email_schedules "
        "WHERE campaign_instance_id = '3' AND status = 'pre-scheduled'"
    )
    lines = [json.loads(line) for line in almanac("due", texts.path, "--on", day).out.splitlines()]
    (line,) = (each for each in lines if each["id"] == row)
    assert (line["contact_id"], line["campaign_instance_id"], line["priority"]) == (5, 3, 10)
    assert (line["event_date"], line["campaign_name"]) == ("2026-12-20", "promo 3")
    marks = tmp_path / "marks.csv"
    marks.write_text(f"id,status,contact_id\n{row},failed,5\n{row},retry,5\n")
    assert said("mark", texts.path, marks)["changed"] == {"failed": 1, "retry": 1}


def test_a_plan_that_was_exported_and_imported_stays(texts: Agency) -> None:
    said("run", texts.path, "--as-of", AS_OF)
    for table in ("email_schedules", "contact_campaigns", "config_versions"):
        imported(texts, table)
    assert said("run", texts.path, "--as-of", AS_OF)["changes"].keys() == {"unchanged"}
    assert texts.query("SELECT count(*) FROM config_versions") == [(1,)]


def test_a_mark_before_the_first_run_finds_its_row(texts: Agency, tmp_path: Path) -> None:
    marks = tmp_path / "marks.csv"
    marks.write_text("id,status\n1,delivered\n")
    assert said("mark", texts.path, marks)["changed"] == {"delivered": 1}
    assert texts.query("SELECT id, status FROM email_schedules") == [(1, "delivered")]


def test_check_counts_them(plain: Agency, texts: Agency) -> None:
    found = said("check", texts.path)
    assert found["usable"]
    assert (found["contacts"], found["eligible"]) == (12, 12)
    assert (found["non_integer_ids"], found["duplicate_ids"]) == (0, 0)


@shares(11)
def test_explain_agrees_with_the_run(plain: Agency, texts: Agency, every: int) -> None:
    for each in (plain, texts):
        said("run", each.path, "--as-of", AS_OF)
    for contact in range(1, 13, every):
        one, other = (said("explain", e.path, "--contact", contact) for e in (plain, texts))
        assert plainly(other) == plainly(one)
    by_address = said("explain", texts.path, "--email", "user7@example.com")
    assert by_address["contact_id"] == 7


def test_an_id_that_is_no_number_is_nobodys(texts: Agency) -> None:
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
    lines = tmp_path / "lines.csv"
    lines.write_text("email\nuser9@example.com\nnobody@example.com\n")
    found = said("campaign", "import", texts.path, 3, lines)
    assert found["added"] == 1
    sql = "SELECT id, contact_id FROM contact_campaigns ORDER BY id"
    assert texts.query(sql) == [(1, "2"), (2, "5"), (3, "42"), (4, "9")]


def test_a_store_counts_them(texts: Agency, tmp_path: Path) -> None:
    store = tmp_path / "store"
    store.mkdir()
    assert almanac("store", "push", "7", texts.path, "--store", store).code == 0
    (manifest,) = store.rglob("manifest.json")
    assert json.loads(manifest.read_text())["census"]["ids"] == 12
