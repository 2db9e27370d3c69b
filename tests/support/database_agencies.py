"""Small databases for the tests of `almanac.database`, and another program that uses them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import apsw

from almanac.database.blocks import Blocks
from almanac.database.ranged import ranged_source
from almanac.database.reading import Snapshot

CONTACTS = """
CREATE TABLE contacts (id INTEGER PRIMARY KEY AUTOINCREMENT, email TEXT NOT NULL UNIQUE,
    current_carrier TEXT, effective_date TEXT, birth_date TEXT, state TEXT, zip_code TEXT,
    phone_number TEXT NOT NULL DEFAULT '', status TEXT NOT NULL DEFAULT 'active',
    failed_underwriting INTEGER DEFAULT 0);
"""
OLD_SCHEDULES = """
CREATE TABLE email_schedules (id INTEGER PRIMARY KEY AUTOINCREMENT, contact_id INTEGER NOT NULL,
    email_type TEXT NOT NULL, scheduled_send_date TEXT NOT NULL,
    scheduled_send_time TEXT NOT NULL DEFAULT '08:30:00', status TEXT NOT NULL DEFAULT 'scheduled',
    skip_reason TEXT, created_at TEXT NOT NULL DEFAULT (datetime('now')),
    updated_at TEXT NOT NULL DEFAULT (datetime('now')), batch_id TEXT, event_year INTEGER,
    event_month INTEGER, event_day INTEGER, catchup_note TEXT, priority INTEGER DEFAULT 10,
    FOREIGN KEY (contact_id) REFERENCES contacts (id) ON DELETE CASCADE);
CREATE UNIQUE INDEX once_a_day ON email_schedules (contact_id, email_type, scheduled_send_date);
CREATE UNIQUE INDEX once_a_year ON email_schedules (email_type, contact_id, event_year);
CREATE INDEX by_status ON email_schedules (status);
CREATE TRIGGER touched AFTER UPDATE ON email_schedules FOR EACH ROW BEGIN
    UPDATE email_schedules SET updated_at = CURRENT_TIMESTAMP WHERE id = OLD.id; END;
"""
NOBODY = 65534


def make(path: Path, sql: str = "", *, journal: str = "delete") -> Path:
    """A database of two contacts with whatever the SQL adds."""
    connection = apsw.Connection(str(path))
    connection.execute(f"PRAGMA journal_mode = {journal}")
    connection.execute("BEGIN;" + CONTACTS)
    connection.execute(
        "INSERT INTO contacts (id, email, birth_date) VALUES (1, 'ann@example.com', '1950-02-03'),"
        " (7, 'bob@example.com', '1949-12-31')"
    )
    connection.execute(sql + ";COMMIT")
    connection.close()
    return path


def change(path: Path, sql: str, *values: Any) -> list[tuple[Any, ...]]:
    """Runs SQL on the file and gives its rows."""
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    try:
        return connection.execute(sql, values or None).fetchall()
    finally:
        connection.close()


def over_ranges(path: Path, **options: int) -> Snapshot:
    """A snapshot of the file as it is now, read by ranges in blocks with these options."""
    octets = path.read_bytes()

    def fetch(start: int, length: int) -> bytes:
        return octets[start : start + length]

    return Snapshot(ranged_source(path, Blocks(path.name, len(octets), fetch, **options)))


OPENERS: dict[str, Callable[[Path], Snapshot]] = {
    "file": Snapshot,
    "ranges": over_ranges,
}  # the two ways to read one


def beside(path: Path) -> list[str]:
    """The names of all files in the database's folder."""
    return sorted(p.name for p in path.parent.iterdir())


_PROGRAM = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=5)
for line in sys.stdin:
    try:
        connection.execute(line).fetchall()
        print("done", flush=True)
    except sqlite3.Error as error:
        print(error, flush=True)
connection.close()
"""


class OtherProgram:
    """A second process that has the database open, with SQLite of its own."""

    def __init__(self, path: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate(timeout=30)

    def kill(self) -> None:
        """Ends it in the middle of whatever it does."""
        self._process.kill()
        self._process.wait()

    def run(self, sql: str) -> str:
        """Runs one line of SQL there; `done`, or what went wrong."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(sql + "\n")
        self._process.stdin.flush()
        return self._process.stdout.readline().strip()


@contextmanager
def without_privileges(folder: Path) -> Iterator[None]:
    """Within it, file modes count for us even where the tests run as root."""
    if os.geteuid() != 0:
        yield
        return
    # they stay open: tests in other processes have the same folders above their own
    for parent in (folder, *folder.parents):
        if parent.stat().st_mode & 0o005 != 0o005:
            parent.chmod(parent.stat().st_mode | 0o055)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
