"""Agency databases to be spoilt, and what must hold when a run refuses one."""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import apsw
import pytest

from almanac.config import Config
from almanac.errors import AlmanacError
from almanac.organizations.kept_copies import KeptCopies
from almanac.report.summary import RunSummary
from almanac.runs.local import run_file
from almanac.runs.run_options import RunOptions
from tests.support.database_agencies import beside, change

AS_OF = dt.date(2027, 3, 1)

CONTACTS = """
CREATE TABLE contacts (id INTEGER PRIMARY KEY, email TEXT, zip_code TEXT, state TEXT,
    birth_date TEXT, effective_date TEXT, carrier TEXT, failed_underwriting INTEGER,
    phone_number TEXT, status TEXT);
CREATE INDEX contacts_by_email ON contacts (email);
CREATE TABLE email_schedules (id INTEGER PRIMARY KEY AUTOINCREMENT, contact_id INTEGER NOT NULL,
    email_type TEXT NOT NULL, scheduled_send_date TEXT NOT NULL, status TEXT NOT NULL,
    skip_reason TEXT, event_year INTEGER, event_month INTEGER, event_day INTEGER);
CREATE INDEX schedules_by_status ON email_schedules (status, contact_id);
CREATE TABLE notes (contact_id INTEGER, note TEXT);
"""
MANY = """
WITH RECURSIVE n (i) AS (SELECT 1 WHERE ?1 > 0 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
INSERT INTO contacts (id, email, state, birth_date, effective_date, phone_number, status)
SELECT i, 'user' || i || '@example.com', 'TX', date('1950-01-01', '+' || i || ' days'),
    date('2020-01-01', '+' || (i * 7 % 365) || ' days'), '212-555-0100', 'active' FROM n
"""
SENT = """
INSERT INTO email_schedules (contact_id, email_type, scheduled_send_date, status)
SELECT id, 'BIRTHDAY', '2026-04-01', 'sent' FROM contacts
"""


def build(path: Path, contacts: int = 400, sql: str = "", *, journal: str = "delete") -> Path:
    """An agency without anything odd, and what the SQL makes of it."""
    path.parent.mkdir(exist_ok=True)
    connection = apsw.Connection(str(path))
    connection.execute(f"PRAGMA page_size = 1024; PRAGMA journal_mode = {journal}")
    connection.execute("BEGIN; " + CONTACTS)
    connection.execute(MANY, (contacts,))
    connection.execute(SENT + ";" + sql)
    connection.execute("COMMIT")
    connection.close()
    return path


def dump(path: Path, table: str, columns: str = "*") -> list[tuple[Any, ...]]:
    """The rows of a table, with texts as they are stored, also where these are no UTF-8."""
    connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
    connection.text_factory = bytes
    try:
        return connection.execute(f"SELECT {columns} FROM {table} ORDER BY rowid").fetchall()
    finally:
        connection.close()


def plan(
    path: Path,
    progress: Callable[[str, int, int], None] | None = None,
    *,
    shards: int = 1,
    workers: int = 1,
    busy_seconds: float = 5.0,
    dry_run: bool = False,
    copies: KeptCopies | None = None,
) -> RunSummary:
    """Run over the whole file."""
    options = RunOptions(
        as_of=AS_OF,
        shards=shards,
        workers=workers,
        busy_seconds=busy_seconds,
        dry_run=dry_run,
        copies=copies,
    )
    return run_file(path, Config(), options, progress)


@contextmanager
def untouched(path: Path) -> Iterator[None]:
    """The file is byte for byte as it was at the end, and nothing new is beside it."""
    there = beside(path)
    content = path.read_bytes() if path.is_file() else None
    yield
    assert beside(path) == there
    assert (path.read_bytes() if path.is_file() else None) == content


def refused(path: Path, kind: type[AlmanacError], words: str) -> None:
    """A run ends with a clear error that names the file, and leaves it as it was."""
    with untouched(path), pytest.raises(kind, match=words) as caught:
        plan(path)
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message


def leaf_pages(path: Path, name: str) -> list[int]:
    """The pages of a table or index that hold its rows."""
    sql = "SELECT pageno FROM dbstat WHERE name = ? AND pagetype = 'leaf' ORDER BY pageno"
    return [page for (page,) in change(path, sql, name)]


def overwrite(path: Path, page: int, octets: bytes) -> None:
    """Replace the start of a page."""
    ((size,),) = change(path, "PRAGMA page_size")
    content = bytearray(path.read_bytes())
    start = (page - 1) * size
    content[start : start + len(octets)] = octets
    path.write_bytes(content)
