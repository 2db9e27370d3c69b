"""`almanac check` says "can be planned" only where a run can: it tries the plan on a copy."""

from __future__ import annotations

import json
from pathlib import Path

import apsw
import pytest

from tests.support.cli_calls import almanac, state_of
from tests.support.sampling import sampled

CONTACTS = """
CREATE TABLE contacts (id INTEGER PRIMARY KEY, email TEXT, state TEXT, birth_date TEXT,
    effective_date TEXT);
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40)
INSERT INTO contacts SELECT i, 'user' || i || '@example.com', substr('TXCANY', i % 3 * 2 + 1, 2),
    date('1950-01-01', '+' || (i * 37) || ' days'), date('2020-01-01', '+' || (i * 29) || ' days')
    FROM n;
"""
SCHEDULES = """
CREATE TABLE email_schedules (id INTEGER PRIMARY KEY AUTOINCREMENT, contact_id INTEGER NOT NULL,
    email_type TEXT NOT NULL, scheduled_send_date TEXT NOT NULL, event_year INTEGER,
    status TEXT NOT NULL {status}{more});
"""
PLAIN = SCHEDULES.format(status="", more="")
ON = "ON email_schedules BEGIN"
FAILS = {
    "a CHECK constraint that does not know skipped": (
        SCHEDULES.format(
            status="CHECK (status IN ('pre-scheduled', 'scheduled', 'sent'))", more=""
        ),
        "CHECK constraint failed",
    ),
    "a NOT NULL column without a default": (
        SCHEDULES.format(status="", more=", agent TEXT NOT NULL"),
        "NOT NULL constraint failed: email_schedules.agent",
    ),
    "a trigger that raises": (
        f"{PLAIN} CREATE TRIGGER guard BEFORE INSERT {ON} SELECT RAISE(ABORT, 'by agents'); END;",
        "by agents",
    ),
    "a trigger that undoes": (
        f"{PLAIN} CREATE TRIGGER guard AFTER INSERT {ON} SELECT RAISE(ROLLBACK, 'never'); END;",
        "never",
    ),
    "a trigger that ignores": (
        f"{PLAIN} CREATE TRIGGER quiet BEFORE INSERT {ON} SELECT RAISE(IGNORE); END;",
        "trigger quiet of table email_schedules ignores changes",
    ),
    "a unique index over fewer columns": (
        f"{PLAIN} CREATE UNIQUE INDEX one ON email_schedules (contact_id);",
        "UNIQUE constraint failed",
    ),
    "a trigger that refuses changes of what is planned": (
        f"{PLAIN} CREATE TRIGGER fixed BEFORE UPDATE {ON} SELECT RAISE(ABORT, 'fixed'); END;",
        "fixed",
    ),
    "a trigger into a table that is gone": (
        f"{PLAIN} CREATE TABLE log (id);"
        f"CREATE TRIGGER logged AFTER INSERT {ON} INSERT INTO log VALUES (NEW.id); END;"
        "DROP TABLE log;",
        "no such table: main.log",
    ),
    "a checkpoint table of another shape": (
        f"{PLAIN} CREATE TABLE scheduler_checkpoints (id INTEGER PRIMARY KEY, host TEXT NOT NULL);",
        "NOT NULL constraint failed: scheduler_checkpoints.host",
    ),
}


def made(folder: Path, sql: str) -> Path:
    path = folder / "agency.sqlite3"
    connection = apsw.Connection(str(path))
    connection.execute(CONTACTS + sql)
    connection.close()
    return path


def words(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize("what", sampled(FAILS, 4))
def test_what_a_run_would_fail_on_is_named(tmp_path: Path, what: str) -> None:
    sql, said = FAILS[what]
    path = made(tmp_path, sql)
    before = state_of(tmp_path)
    answer = almanac("check", path)
    assert answer.code == 2
    assert "cannot be used as it is" in words(answer.out)
    assert "A run would fail" in answer.out
    assert said in words(answer.out)
    assert said in json.loads(almanac("check", path, "--json").out)["run_fails"]
    assert state_of(tmp_path) == before
    ran = almanac("run", path)
    if "changes of what is planned" not in what:  # which only the second run meets
        assert ran.code != 0
        assert said in ran.err
        assert state_of(tmp_path) == before


def test_a_trigger_that_ignores_is_no_program_that_writes(tmp_path: Path) -> None:
    path = made(tmp_path, FAILS["a trigger that ignores"][0])
    answer = almanac("run", path)
    assert answer.code == 2
    assert "trigger quiet of table email_schedules ignores changes" in answer.err
    assert "other programs" not in answer.err


def test_a_trigger_that_ignores_some_rows_of_another_table_is_a_warning(tmp_path: Path) -> None:
    path = made(
        tmp_path,
        f"""{PLAIN} CREATE TABLE contact_issues (contact_id INTEGER NOT NULL, issue TEXT NOT NULL,
            detail TEXT, first_seen DATETIME, PRIMARY KEY (contact_id, issue));
        CREATE TRIGGER calm BEFORE INSERT ON contact_issues WHEN NEW.contact_id = 3
        BEGIN SELECT raise ( ignore ); END;""",
    )
    answer = almanac("check", path)
    assert answer.code == 0
    assert "some of its data should be checked" in words(answer.out)
    assert "trigger calm of table contact_issues ignores changes" in words(answer.out)


def test_a_table_that_a_run_rebuilds_is_named_until_it_is(tmp_path: Path) -> None:
    unique = ", UNIQUE (contact_id, email_type, scheduled_send_date)"
    path = made(tmp_path, SCHEDULES.format(status="", more=unique))
    before = state_of(tmp_path)
    answer = almanac("check", path)
    assert answer.code == 0
    assert "A run rebuilds the table email_schedules" in answer.out
    assert "UNIQUE (contact_id, email_type, scheduled_send_date)" in words(answer.out)
    assert state_of(tmp_path) == before
    ran = almanac("run", path)
    assert ran.code == 0
    assert "rebuilt the table email_schedules" in words(ran.out)
    assert "rebuilds" not in almanac("check", path).out


def test_the_copy_is_not_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    path = made(tmp_path, PLAIN)
    assert almanac("check", path).code == 0
    assert list(temporary.iterdir()) == []
