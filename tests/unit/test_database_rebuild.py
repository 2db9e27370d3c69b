"""A table of the seeds' own schema, UNIQUE in its declaration, is rebuilt in the run's commit."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import apsw
import pytest

from almanac.contact_ranges import EVERYONE
from almanac.database.catalog import describe
from almanac.database.range_tables import COMMITTED
from almanac.database.rebuild import give_key, rebuild
from almanac.database.table_sql import with_id, without_unique
from almanac.errors import DatabaseError
from tests.support.damage import dump, plan
from tests.support.database_agencies import OPENERS

A_YEAR = "UNIQUE(contact_id, email_type, event_year)"
A_DAY = "UNIQUE(contact_id, email_type, scheduled_send_date)"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (f"CREATE TABLE t (id, {A_DAY})", 'CREATE TABLE "n" (id)'),
        (f"CREATE TABLE t (id, {A_DAY}, {A_YEAR})", 'CREATE TABLE "n" (id)'),
        (f"CREATE TABLE t (id, {A_DAY}, CHECK (id > 0))", 'CREATE TABLE "n" (id, CHECK (id > 0))'),
        (f"CREATE TABLE t (id, {A_DAY} CHECK (id))", 'CREATE TABLE "n" (id,  CHECK (id))'),
        (f"CREATE TABLE t (id, CHECK (id) {A_DAY})", 'CREATE TABLE "n" (id, CHECK (id) )'),
        (
            'CREATE TABLE t(id, CONSTRAINT once UNIQUE ("contact_id" COLLATE NOCASE DESC, '
            "[email_type], `event_year`) ON CONFLICT REPLACE)",
            'CREATE TABLE "n"(id)',
        ),
        (
            f"CREATE TABLE 't' (a DEFAULT '{A_DAY}', -- {A_DAY}\n b UNIQUE, UNIQUE (a, b))",
            f"CREATE TABLE \"n\" (a DEFAULT '{A_DAY}', -- {A_DAY}\n b UNIQUE, UNIQUE (a, b))",
        ),
        (f"CREATE TABLE t (id, {A_YEAR}) STRICT", 'CREATE TABLE "n" (id) STRICT'),
    ],
)
def test_only_the_constraint_goes(before: str, after: str) -> None:
    assert without_unique(before, "n") == after


SEEDS = f"""
CREATE TABLE contacts (id INTEGER PRIMARY KEY, email TEXT, state TEXT, birth_date TEXT);
INSERT INTO contacts VALUES (1, 'a@example.com', 'TX', '1950-06-01');
CREATE TABLE Email_Schedules (
    id INTEGER PRIMARY KEY AUTOINCREMENT, contact_id INTEGER NOT NULL,
    email_type TEXT NOT NULL, -- what it is
    scheduled_send_date TEXT NOT NULL, status TEXT NOT NULL DEFAULT 'pre-scheduled',
    skip_reason TEXT, event_year INTEGER, updated_at DATETIME, raw,
    shouted TEXT AS (upper(email_type)) VIRTUAL,
    kept TEXT AS (status || '!') STORED,
    {A_YEAR}, FOREIGN KEY (contact_id) REFERENCES contacts(id),
    {A_DAY}
);
CREATE INDEX by_kind ON email_schedules (shouted, status);
CREATE TRIGGER touched AFTER UPDATE ON email_schedules BEGIN
    UPDATE email_schedules SET updated_at = CURRENT_TIMESTAMP WHERE id = OLD.id; END;
CREATE TABLE letters (id INTEGER PRIMARY KEY, schedule INTEGER REFERENCES email_schedules (id));
CREATE TRIGGER letter AFTER INSERT ON letters BEGIN
    UPDATE email_schedules SET raw = 'letter' WHERE id = NEW.schedule; END;
CREATE VIEW sent AS SELECT * FROM email_schedules WHERE status = 'sent';
CREATE VIEW broken AS SELECT * FROM a_table_that_is_gone;
INSERT INTO email_schedules (id, contact_id, email_type, scheduled_send_date, status, raw) VALUES
    (7, 1, 'BIRTHDAY', '2026-05-18', 'sent', x'00ff'), (9, 1, 'aep', '2026-09-15', 'failed', 1.5),
    (40, 2, 'aep', '2026-09-15', 'sent', 'text'), (900, 1, 'x', '2020-01-01', 'sent', NULL);
INSERT INTO letters VALUES (1, 9);
DELETE FROM email_schedules WHERE id = 900;
ANALYZE;
"""
KEPT = (
    "SELECT id, contact_id, email_type, scheduled_send_date, status, updated_at, raw, shouted, kept"
)


def seeds(path: Path, sql: str = SEEDS) -> Path:
    connection = sqlite3.connect(path)
    connection.executescript(sql)
    connection.close()
    return path


def rows(path: Path, sql: str) -> list[tuple[Any, ...]]:
    connection = sqlite3.connect(path)
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


def test_rows_ids_triggers_indexes_and_the_sequence_stay(tmp_path: Path) -> None:
    path = seeds(tmp_path / "agency.sqlite3")
    committed = f"{KEPT} FROM email_schedules WHERE status IN ('sent', 'failed') ORDER BY id"
    attached = (
        "SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL "
        "AND name NOT LIKE 'almanac%' AND type <> 'table' ORDER BY name"
    )
    before = {sql: rows(path, sql) for sql in (committed, attached)}
    letters = dump(path, "letters")
    summary = plan(path)
    assert sum(line.startswith("rebuilt the table") for line in summary.migrations) == 2
    assert {sql: rows(path, sql) for sql in before} == before
    assert dump(path, "letters") == letters
    # ids go on behind the highest that was ever used
    ((lowest,),) = rows(path, "SELECT min(id) FROM email_schedules WHERE ideal_send_date NOT NULL")
    assert lowest == 901
    assert rows(path, "PRAGMA integrity_check") == [("ok",)]
    ((sql,),) = rows(path, "SELECT sql FROM sqlite_schema WHERE lower(name) = 'email_schedules'")
    assert "UNIQUE" not in sql
    assert "FOREIGN KEY (contact_id) REFERENCES contacts(id)" in sql
    assert "-- what it is" in sql
    assert rows(path, "SELECT name FROM sqlite_schema WHERE name = 'almanac_email_schedules'") == []
    # the triggers work, and the foreign key names the table
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("INSERT INTO letters VALUES (2, 7)")
    assert connection.execute("SELECT raw FROM email_schedules WHERE id = 7").fetchone() == (
        "letter",
    )
    with pytest.raises(sqlite3.IntegrityError):
        connection.execute("INSERT INTO letters VALUES (3, 12345678)")
    connection.close()


def test_statistics_stay_but_those_of_the_dropped_index(tmp_path: Path) -> None:
    path = seeds(tmp_path / "agency.sqlite3")
    sql = "SELECT * FROM sqlite_stat1 WHERE COALESCE(idx, '') NOT LIKE 'sqlite_auto%' ORDER BY 1, 2"
    before = rows(path, sql)
    connection = apsw.Connection(str(path))
    connection.execute("BEGIN")
    assert len(rebuild(connection)) == 2
    connection.execute("COMMIT")
    connection.close()
    assert rows(path, sql) == before
    assert rows(path, "SELECT * FROM sqlite_stat1 WHERE idx LIKE 'sqlite_autoindex%'") == []


def test_a_rebuild_that_is_undone_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = seeds(tmp_path / "agency.sqlite3")
    before = path.read_bytes()
    connection = apsw.Connection(str(path))
    connection.execute("BEGIN")
    rebuild(connection)
    connection.execute("ROLLBACK")
    connection.close()
    assert path.read_bytes() == before


def test_rows_that_violate_a_check_are_moved_all_the_same(tmp_path: Path) -> None:
    sql = f"""
        CREATE TABLE contacts (id INTEGER PRIMARY KEY, email TEXT);
        CREATE TABLE email_schedules (id INTEGER PRIMARY KEY, contact_id INTEGER, email_type TEXT,
            scheduled_send_date TEXT, event_year INTEGER, status TEXT CHECK (status <> 'sent'),
            {A_YEAR});
        PRAGMA ignore_check_constraints = ON;
        INSERT INTO email_schedules VALUES (1, 1, 'birthday', '2026-01-01', 2026, 'sent');
    """
    path = seeds(tmp_path / "agency.sqlite3", sql)
    connection = apsw.Connection(str(path))
    rebuild(connection)
    assert connection.execute("SELECT status FROM email_schedules").fetchall() == [("sent",)]
    assert connection.execute("PRAGMA ignore_check_constraints").fetchall() == [(0,)]
    with pytest.raises(apsw.ConstraintError):
        connection.execute("INSERT INTO email_schedules (status) VALUES ('sent')")
    connection.close()


def test_a_constraint_that_is_not_understood_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = seeds(tmp_path / "agency.sqlite3")
    monkeypatch.setattr("almanac.database.table_sql._columns", lambda tokens: frozenset())
    with pytest.raises(DatabaseError, match=r"is declared UNIQUE .* cannot be taken out"):
        plan(path)


KEY = "INTEGER PRIMARY KEY AUTOINCREMENT"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('CREATE TABLE "t"(\n"id" TEXT, "a" TEXT)', f'CREATE TABLE "n"(\n"id" {KEY}, "a" TEXT)'),
        ("CREATE TABLE t (a TEXT, ID)", f'CREATE TABLE "n" (a TEXT, ID {KEY})'),
        ("CREATE TABLE t (a, [id] INT PRIMARY KEY)", f'CREATE TABLE "n" (a, [id] {KEY})'),
        (
            "CREATE TABLE t (id VARCHAR(9) NOT NULL DEFAULT (1), a, "
            "CONSTRAINT k PRIMARY KEY (id), UNIQUE (a, id))",
            f'CREATE TABLE "n" (id {KEY}, a, UNIQUE (a, id))',
        ),
        ("CREATE TABLE t (a TEXT)", f'CREATE TABLE "n" (id {KEY}, a TEXT)'),
    ],
)
def test_only_the_id_changes(before: str, after: str) -> None:
    assert with_id(before, "n") == after


@pytest.mark.parametrize("opener", OPENERS)
def test_rows_are_read_with_the_ids_that_the_rebuilt_table_has(tmp_path: Path, opener: str) -> None:
    path = seeds(
        tmp_path / "agency.sqlite3",
        """
        CREATE TABLE contacts (id INTEGER PRIMARY KEY, email TEXT);
        CREATE TABLE email_schedules (id TEXT, contact_id TEXT, status TEXT);
        INSERT INTO email_schedules VALUES ('7', '1', 'sent'), ('07', '2', 'sent'),
            ('x', '3', 'sent'), (' 3.0', '4', 'sent'), ('', '5', 'sent'), ('0', '6', 'sent'),
            (NULL, '7', 'sent');
        """,
    )
    expected = [(7, 1), (9, 2), (10, 3), (3, 4), (12, 5), (13, 6), (14, 7)]
    with OPENERS[opener](path) as snapshot:
        found = snapshot.read(COMMITTED, EVERYONE)
    assert [(row["id"], row["contact_id"]) for row in found.to_pylist()] == expected
    connection = apsw.Connection(str(path))
    table = describe(connection, "email_schedules")
    assert table is not None
    (words,) = give_key(connection, table)
    assert "5 rows got a new id" in words
    rows = connection.execute("SELECT id, contact_id FROM email_schedules ORDER BY contact_id")
    assert rows.fetchall() == [(row, str(contact)) for row, contact in expected]
    connection.execute("INSERT INTO email_schedules (contact_id) VALUES (8)")
    assert connection.last_insert_rowid() == 15
    connection.close()
