"""Planned rows in columns say what the database says, or are not used."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw
import numpy as np
import pytest

from almanac.contact_ranges import EVERYONE, ContactRange
from almanac.database import planned_pieces
from almanac.database.changed_contacts import ChangedContacts
from almanac.database.migrations import create_indexes, migrate
from almanac.database.planned_pieces import PieceIndex, PlannedPieces
from almanac.database.range_tables import PLANNED
from almanac.database.reading import Snapshot
from almanac.errors import Corrupt

RANGES = [ContactRange(2, 5), ContactRange(9, 20)]
PARTS = [EVERYONE, ContactRange(1, 4), ContactRange(5, 5), ContactRange(6, 9), ContactRange(21, 99)]
ROW = (
    "INSERT INTO email_schedules (contact_id, email_type, event_year, event_month, event_day,"
    " scheduled_send_date, ideal_send_date, status, skip_reason, metadata, campaign_instance_id)"
    " VALUES (?, ?, 2027, 1, ?, ?, ?, ?, ?, ?, ?)"
)


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planned_pieces, "PIECE_ROWS", 4)


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """Rows of 20 contacts: campaigns, follow-ups, sent ones, and what an older scheduler left."""
    path = tmp_path / "a.sqlite3"
    connection = apsw.Connection(str(path))
    connection.execute("CREATE TABLE contacts (id INTEGER PRIMARY KEY, email TEXT)")
    migrate(connection)
    create_indexes(connection)
    for n in range(60):
        email_type = ("birthday", "campaign_promo", "followup_1_cold")[n % 3]
        status, reason = (("pre-scheduled", None), ("skipped", "excluded"), ("sent", None))[
            n % 7 % 3
        ]
        ideal = None if n % 11 == 0 else f"2027-01-{n % 28 + 1:02}"
        details = '{"a": 1}' if n % 3 == 2 else None
        row = (n % 20 + 1, email_type, n % 28 + 1, f"2027-02-{n % 28 + 1:02}", ideal, status)
        connection.execute(ROW, (*row, reason, details, n % 4 or None))
    connection.close()
    return path


def kept(path: Path) -> tuple[PieceIndex, bytes]:
    with Snapshot(path) as snapshot:
        out = io.BytesIO()
        return snapshot.planned_rows.keep(RANGES, out), out.getvalue()


def pieces(index: PieceIndex, data: bytes, *changed: int) -> PlannedPieces:
    def fetch(start: int, size: int, check: Callable[[bytes], None]) -> bytes:
        part = data[start : start + size]
        check(part)
        return part

    return PlannedPieces(index, fetch, np.array(changed, np.int64))


def rows_of(path: Path, source: PlannedPieces | None) -> list[list[dict[str, Any]]]:
    """What is read of each of PARTS: row by row, in the order in which it comes."""
    with Snapshot(path) as snapshot:
        snapshot.planned_rows.read_from(source)
        tables = [snapshot.planned_rows.read(part) for part in PARTS]
        assert all(table.schema == PLANNED.schema for table in tables)
        return [table.to_pylist() for table in tables]


def change(path: Path, sql: str) -> list[int] | None:
    """Run SQL; whose rows it has changed."""
    connection = apsw.Connection(str(path))
    noted = ChangedContacts(connection, 15)
    connection.execute(sql)
    contacts = noted.take()
    connection.close()
    return None if contacts is None else contacts.tolist()


def test_columns_say_what_the_database_says(database: Path) -> None:
    index, data = kept(database)
    assert len(index.pieces) > 5
    assert index.rows == sum(len(rows) for rows in rows_of(database, None)[:1])
    expected = rows_of(database, None)
    change(database, "UPDATE email_schedules SET metadata = 'not read'")
    assert rows_of(database, pieces(index, data)) == expected


@pytest.mark.parametrize(
    ("sql", "contacts"),
    [
        ("UPDATE email_schedules SET status = 'sent' WHERE contact_id IN (3, 4)", [3, 4]),
        ("UPDATE email_schedules SET contact_id = 99 WHERE contact_id = 5", [5, 99]),
        ("DELETE FROM email_schedules WHERE contact_id = 20 OR contact_id < 3", [1, 2, 20]),
        (
            "INSERT INTO email_schedules (contact_id, email_type, scheduled_send_date, status)"
            " VALUES (50, 'aep', '2027-03-01', 'skipped')",
            [50],
        ),
        ("UPDATE email_schedules SET priority = 3", None),
    ],
)
def test_rows_of_changed_contacts_come_from_the_database(
    database: Path, sql: str, contacts: list[int] | None
) -> None:
    index, data = kept(database)
    assert change(database, sql) == contacts
    if contacts is not None:
        assert rows_of(database, pieces(index, data, *contacts)) == rows_of(database, None)


def test_columns_are_made_of_those_before_and_of_what_has_changed(database: Path) -> None:
    before = kept(database)
    contacts = change(database, "DELETE FROM email_schedules WHERE id % 13 = 5") or []
    with Snapshot(database) as snapshot:
        out = io.BytesIO()
        snapshot.planned_rows.read_from(pieces(*before, *contacts))
        index = snapshot.planned_rows.keep(before[0].ranges(), out)
    assert index.rows < before[0].rows
    assert rows_of(database, pieces(index, out.getvalue())) == rows_of(database, None)


def test_rows_with_text_that_is_none_stay_in_the_database(database: Path) -> None:
    change(database, "UPDATE email_schedules SET metadata = CAST(x'41ff42' AS TEXT) WHERE id = 12")
    index, data = kept(database)
    assert index.unkept == [12]
    assert rows_of(database, pieces(index, data)) == rows_of(database, None)


def test_damaged_columns_cost_nothing_but_themselves(database: Path) -> None:
    index, data = kept(database)
    at = len(data) // 2
    flipped = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
    with pytest.raises(Corrupt, match="not those written"), Snapshot(database) as snapshot:
        pieces(index, flipped).read(EVERYONE, snapshot.traffic)
    for damaged in (flipped, data[:-1], b""):
        assert rows_of(database, pieces(index, damaged)) == rows_of(database, None)


def test_columns_that_were_read_in_another_way_are_not_used(database: Path) -> None:
    index, data = kept(database)
    other = index.model_copy(update={"query": "another"})
    change(database, "UPDATE email_schedules SET metadata = 'read'")
    assert rows_of(database, pieces(other, data)) == rows_of(database, None)
