"""`almanac check` never says "can be planned" where `almanac run` fails, on random schemas."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import apsw
import pytest

from tests.support.cli_calls import almanac, state_of

QUICK, ALL = 4, 50
EVENTS = ("BEFORE INSERT", "AFTER INSERT", "BEFORE UPDATE", "AFTER UPDATE", "BEFORE DELETE")
TYPES = ("TEXT", "INTEGER", "", "NUMERIC", "REAL", "BLOB", "VARCHAR(20)", "DATE")
UNIQUES = (
    "contact_id, email_type, scheduled_send_date",
    "contact_id, email_type, event_year",
    "contact_id, event_year",
    "email_type, status",
    "event_year, contact_id, email_type",
)
STATUSES = ("'pre-scheduled'", "'skipped'", "'scheduled'", "'sent'", "'failed'")
COLUMNS = ("skip_reason", "event_month", "event_day", "priority", "batch_id")
KEYS = (
    "id INTEGER PRIMARY KEY",
    "id INTEGER",
    "id",
    "id INT UNIQUE",
    "id TEXT",
    "id TEXT PRIMARY KEY",
    "id TEXT NOT NULL UNIQUE",
)
# tables and views of other programs
MORE = (
    "CREATE TABLE suppressions (email TEXT NOT NULL PRIMARY KEY, reason) WITHOUT ROWID",
    "CREATE VIEW suppressions AS SELECT email, 'no' AS reason FROM contacts WHERE 0",
    "CREATE VIEW tracking_clicks AS SELECT 1 AS contact_id, '2020-01-01' AS clicked_at",
    "CREATE VIEW scheduler_checkpoints AS SELECT 1 AS id",
    "CREATE VIEW config_versions AS SELECT 1 AS id",
    "CREATE VIEW campaign_instances AS SELECT 1 AS id, 'x' AS campaign_type",
    "CREATE TABLE contact_campaigns (id INTEGER PRIMARY KEY, contact_id TEXT, status INTEGER) "
    "STRICT",
    "CREATE TABLE config_versions (id INTEGER PRIMARY KEY, config_type TEXT, "
    "config_data TEXT CHECK (length(config_data) < 10))",
    "CREATE TABLE scheduler_checkpoints (id TEXT PRIMARY KEY, status TEXT) WITHOUT ROWID",
    "CREATE TABLE contact_issues (contact_id INT REFERENCES contacts, issue, detail, first_seen, "
    "PRIMARY KEY (contact_id, issue)) WITHOUT ROWID",
    "CREATE INDEX foreign_order ON contacts (email COLLATE AGENCY)",
    "CREATE INDEX foreign_days ON email_schedules (scheduled_send_date COLLATE AGENCY)",
    "CREATE TABLE email_log (contact_id REFERENCES contacts (id), row_id "
    "REFERENCES email_schedules (id))",
    "CREATE TRIGGER no_new_tables AFTER INSERT ON scheduler_checkpoints "
    "BEGIN SELECT RAISE(IGNORE); END",
)


class Schema:
    """A database of random constraints, triggers, views and types, most of it harmless."""

    def __init__(self, seed: int) -> None:
        self.draw = random.Random(seed)

    def sql(self) -> str:
        """Return what makes the database."""
        parts = [self._contacts(), self._people(), self._schedules()]
        parts += [self._trigger(n) for n in range(self.draw.choice((0, 0, 0, 1, 2)))]
        parts += self._others()
        if self.draw.random() < 0.5:
            parts.append(self._rows())
        return ";\n".join(parts)

    def _type(self, strict: bool = False) -> str:
        return self.draw.choice(("TEXT", "ANY") if strict else TYPES)

    def _contacts(self) -> str:
        draw = self.draw
        key = draw.choice(KEYS)
        strict = draw.random() < 0.15
        columns = [f"{name} {self._type(strict)}" for name in ("email", "state", "birth_date")]
        columns.append(f"effective_date {self._type(strict)} DEFAULT ''")
        if draw.random() < 0.3:
            columns.append("note TEXT AS (email || '!')")
        draw.shuffle(columns)
        if strict and not key.endswith(("INTEGER PRIMARY KEY", "TEXT PRIMARY KEY")):
            key = "id INTEGER"
        options = ["STRICT"] if strict else []
        if "PRIMARY KEY" in key and draw.random() < 0.3:
            options.append("WITHOUT ROWID")
        return f"CREATE TABLE contacts ({key}, {', '.join(columns)}) {', '.join(options)}"

    def _people(self) -> str:
        return """
            WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 30)
            INSERT INTO contacts (id, email, state, birth_date, effective_date)
            SELECT i, 'user' || i || '@example.com', substr('TXCANYMO', i % 4 * 2 + 1, 2),
                date('1950-01-01', '+' || (i * 37) || ' days'),
                date('2020-01-01', '+' || (i * 29) || ' days') FROM n"""

    def _schedules(self) -> str:
        draw = self.draw
        key = draw.choice(("id INTEGER PRIMARY KEY AUTOINCREMENT", "id INTEGER PRIMARY KEY"))
        if draw.random() < 0.1:
            key = draw.choice(("id TEXT PRIMARY KEY", "id"))
        status = f"status {self._type()}"
        if draw.random() < 0.3:
            allowed = draw.sample(STATUSES, draw.randrange(1, 6))
            status += f" CHECK (status IN ({', '.join(allowed)}))"
        columns = [
            f"contact_id {draw.choice(('INTEGER NOT NULL', 'INTEGER', 'TEXT', ''))}",
            f"email_type {self._type()}{draw.choice(('', ' NOT NULL', ' COLLATE NOCASE'))}",
            f"scheduled_send_date {self._type()}",
            status,
            f"event_year {self._type()}",
        ]
        more = draw.sample(COLUMNS, draw.randrange(0, 4))
        columns += [f"{name} {self._type()}{self._constraint(name)}" for name in more]
        if draw.random() < 0.2:
            default = draw.choice((" DEFAULT 'x'", ""))
            columns.append(f"agent TEXT NOT NULL{default}")
        if draw.random() < 0.1:
            columns.append("shown TEXT AS (status || email_type) STORED")
        rules = [f"UNIQUE ({u})" for u in draw.sample(UNIQUES[:2], draw.choice((0, 0, 1, 2)))]
        if draw.random() < 0.15:
            rules.append(f"CONSTRAINT odd UNIQUE ({draw.choice(UNIQUES)})")
        if draw.random() < 0.25:
            target = draw.choice(("contacts", "contacts (id)", "contacts (email)", "gone (id)"))
            rules.append(f"FOREIGN KEY (contact_id) REFERENCES {target} ON DELETE CASCADE")
        if draw.random() < 0.15:
            column = draw.choice(("email_type", "status", "scheduled_send_date"))
            rules.append(f"CHECK ({column} <> '' COLLATE NOCASE)")
        body = f"{', '.join([key, *columns, *rules])}"
        option = " WITHOUT ROWID" if draw.random() < 0.05 else ""
        return f"CREATE TABLE email_schedules ({body}){option}"

    def _constraint(self, name: str) -> str:
        return self.draw.choice(
            (
                "",
                "",
                "",
                "",
                "",
                " NOT NULL",
                " DEFAULT 5",
                f" CHECK ({name} IS NOT NULL)",
                " UNIQUE",
            )
        )

    def _trigger(self, number: int) -> str:
        event = self.draw.choice(EVENTS)
        row = "OLD" if "DELETE" in event else "NEW"
        when = self.draw.choice(
            ("", f"WHEN {row}.status = 'skipped'", f"WHEN {row}.contact_id = 3")
        )
        body = self.draw.choice(
            (
                "SELECT RAISE(IGNORE)",
                "SELECT RAISE(ABORT, 'no')",
                "SELECT RAISE(ROLLBACK, 'no')",
                "INSERT INTO audit (what) VALUES ('a change')",
                "INSERT INTO a_log_that_is_gone VALUES (1)",
                f"UPDATE email_schedules SET batch_id = 'x' WHERE id = {row}.id",
                f"UPDATE contacts SET state = state WHERE id = {row}.contact_id",
            )
        )
        return f"CREATE TRIGGER t{number} {event} ON email_schedules {when} BEGIN {body}; END"

    def _others(self) -> list[str]:
        choices = (
            "CREATE VIEW planned AS SELECT * FROM email_schedules",
            "CREATE VIEW broken AS SELECT * FROM gone",
            "CREATE VIEW contact_campaigns AS SELECT 1 AS id, 1 AS contact_id",
            "CREATE TABLE campaign_types (name TEXT PRIMARY KEY, active NOT NULL DEFAULT 1)",
            "CREATE TABLE scheduler_checkpoints (id INTEGER PRIMARY KEY, at TEXT NOT NULL)",
            "CREATE TABLE scheduler_checkpoints (id INTEGER PRIMARY KEY, scheduler_run_id UNIQUE)",
            "CREATE TABLE contact_issues (contact_id, issue CHECK (length(issue) < 9), detail)",
            "CREATE TABLE config_versions (id INTEGER PRIMARY KEY, config_type INTEGER NOT NULL)",
            "CREATE UNIQUE INDEX once ON email_schedules (contact_id, email_type, event_year)",
            "CREATE UNIQUE INDEX alone ON email_schedules (contact_id)",
            "CREATE INDEX states ON contacts (lower(state)) WHERE state <> ''",
            "CREATE TABLE campaign_change_log (id TEXT, event_id)",
        )
        picked = self.draw.sample([*choices, *MORE], self.draw.choice((0, 0, 0, 1, 1, 2)))
        return ["CREATE TABLE audit (id INTEGER PRIMARY KEY, what TEXT)", *picked]

    def _rows(self) -> str:
        return """
            INSERT OR IGNORE INTO email_schedules
                (contact_id, email_type, scheduled_send_date, status, event_year)
            SELECT id, 'birthday', '2020-03-0' || (id % 9 + 1), 'sent', 2020 FROM contacts
            WHERE id % 3 = 0"""


def made(path: Path, seed: int) -> bool:
    """Make the database of a seed; False if SQLite itself refuses the schema or its rows."""
    connection = apsw.Connection(str(path))
    # of the program that made the database
    connection.create_collation("AGENCY", lambda a, b: (a > b) - (a < b))
    try:
        connection.execute(Schema(seed).sql())
    except apsw.Error:
        return False
    finally:
        connection.close()
    return True


def compare(folder: Path, seed: int) -> tuple[int, int] | None:
    """Check the database of a seed, and run it; return the exit codes of both."""
    path = folder / "agency.sqlite3"
    if not made(path, seed):
        path.unlink()
        return None
    before = state_of(folder)
    checked = almanac("check", path)
    assert state_of(folder) == before
    assert checked.code in (0, 2), (seed, checked)
    run = almanac("run", path)
    if run.code:
        assert run.err.startswith("Error: "), (seed, run.err)
        assert len(run.err.splitlines()) == 1, (seed, run.err)
        assert state_of(folder) == before
    if checked.code == 0:
        assert "can be planned" in " ".join(checked.out.split())
        assert run.code == 0, (seed, run.err, Schema(seed).sql())
    elif run.code == 0:
        # what a later run fails on, which changes and removes rows
        assert "A run would fail" in checked.out, (seed, checked.out)
    shutil.rmtree(folder)
    return checked.code, run.code


def seeds_of(tmp_path: Path, count: int, first: int = 0) -> list[tuple[int, int]]:
    """Compare so many schemas that SQLite accepts."""
    found: list[tuple[int, int]] = []
    seed = first
    while len(found) < count:
        folder = tmp_path / str(seed)
        folder.mkdir()
        result = compare(folder, seed)
        if result is not None:
            found.append(result)
        seed += 1
    return found


def test_check_never_says_can_be_planned_where_a_run_fails(tmp_path: Path) -> None:
    found = seeds_of(tmp_path, QUICK)
    assert {code for code, _ in found} == {0, 2}, found


@pytest.mark.slow
def test_check_agrees_with_the_run_on_fifty_schemas(tmp_path: Path) -> None:
    found = seeds_of(tmp_path, ALL, first=1000)
    assert sum(code == 0 for code, _ in found) > 8, found
    assert sum(code == 2 for code, _ in found) > 8, found
