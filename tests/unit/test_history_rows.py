"""What a contact's rows were before a change set, and what became of them."""

from __future__ import annotations

import apsw
import pytest

from almanac.database.change_sets.rows import record_changes, stored_tables
from almanac.history.rows import TABLE, differences, rows_before, rows_of

CREATE = f"""CREATE TABLE {TABLE} (id INTEGER PRIMARY KEY, contact_id INTEGER, email_type TEXT,
    campaign_instance_id INTEGER, event_year INTEGER, event_month INTEGER, event_day INTEGER,
    scheduled_send_date TEXT, status TEXT, skip_reason TEXT, updated_at TEXT)"""
CONTACT = 300


@pytest.fixture
def connection() -> apsw.Connection:
    """Rows 1 to 4 of contact 300, and row 9 of another."""
    connection = apsw.Connection(":memory:")
    connection.execute(CREATE)
    for key in (1, 2, 3, 4, 9):
        insert(connection, key, CONTACT if key < 9 else 301, key)
    return connection


def insert(connection: apsw.Connection, key: int, contact: int, month: int) -> None:
    values = (key, contact, month)
    connection.execute(
        f"INSERT INTO {TABLE} VALUES (?, ?, 'birthday', NULL, 2027, ?, 1, '2027-01-01', 'sent',"
        " NULL, '')",
        values,
    )


def test_rows_are_what_they_were_and_each_change_has_its_word(
    connection: apsw.Connection,
) -> None:
    before = rows_of(connection, CONTACT)
    session = record_changes(connection)
    connection.execute(f"UPDATE {TABLE} SET scheduled_send_date = '2027-02-02' WHERE id IN (1, 9)")
    connection.execute(f"UPDATE {TABLE} SET updated_at = 'now' WHERE id = 2")
    connection.execute(f"DELETE FROM {TABLE} WHERE id IN (3, 4)")
    insert(connection, 5, CONTACT, 4)  # row 4 again
    insert(connection, 6, CONTACT, 6)
    changes, table = session.changeset(), stored_tables(connection)[TABLE]
    later = rows_of(connection, CONTACT)
    assert rows_before(changes, table, later, CONTACT) == before
    assert [(each.what, each.id) for each in differences(before, later)] == [
        ("removed", 3),
        ("added", 6),
        ("moved", 1),
    ]


def test_a_change_set_about_others_changes_nothing(connection: apsw.Connection) -> None:
    session = record_changes(connection)
    connection.execute(f"DELETE FROM {TABLE} WHERE contact_id = 301")
    insert(connection, 10, 302, 1)
    later, table = rows_of(connection, CONTACT), stored_tables(connection)[TABLE]
    assert rows_before(session.changeset(), table, later, CONTACT) == later
