"""What `almanac check` learns about a database."""

from __future__ import annotations

from pathlib import Path

import pytest

from almanac.config_contacts import ContactColumns
from almanac.database.inspection import Inspection, inspect
from almanac.database.migrations import create_indexes, migrate
from almanac.database.opening import open_database, transaction
from almanac.errors import DatabaseError
from tests.support.database_agencies import OLD_SCHEDULES, beside, make


def test_a_migrated_database_lacks_nothing(tmp_path: Path) -> None:
    sql = "ALTER TABLE contacts ADD COLUMN carrier TEXT"
    path = make(tmp_path / "agency.sqlite3", OLD_SCHEDULES + sql)
    connection = open_database(path, writable=True)
    with transaction(connection, path):
        migrate(connection)
        create_indexes(connection)
    connection.close()
    found = inspect(path, ContactColumns())
    assert found == Inspection(
        (), (), (), (), (), (), (), contacts=2, duplicate_ids=0, non_integer_ids=0
    )
    assert found.sound


def test_an_old_database_lacks_tables_and_columns_and_is_sound(tmp_path: Path) -> None:
    path = make(tmp_path / "agency.sqlite3", OLD_SCHEDULES)
    found = inspect(path, ContactColumns())
    assert "campaign_types" in found.missing_tables
    assert "email_schedules" not in found.missing_tables
    assert "email_schedules.ideal_send_date" in found.missing_columns
    assert "email_schedules.id" not in found.missing_columns
    assert found.sound


def test_columns_of_contacts_are_missed_under_both_their_names(tmp_path: Path) -> None:
    sql = "DROP TABLE contacts; CREATE TABLE contacts (id, email, birthday, state)"
    missing = inspect(make(tmp_path / "agency.sqlite3", sql), ContactColumns()).missing_columns
    assert missing == (
        "contacts.zip_code",
        "contacts.effective_date",
        "contacts.carrier",
        "contacts.failed_underwriting",
        "contacts.phone_number",
        "contacts.status",
    )


def test_odd_ids_are_counted(tmp_path: Path) -> None:
    sql = """DROP TABLE contacts; CREATE TABLE contacts (id, email);
        INSERT INTO contacts (id) VALUES (1), (2), (2), (2), ('3'), (NULL), (4.0)"""
    found = inspect(make(tmp_path / "agency.sqlite3", sql), ContactColumns())
    assert (found.contacts, found.duplicate_ids, found.non_integer_ids) == (7, 2, 1)
    assert not found.sound


def test_a_view_in_the_place_of_a_table_is_named(tmp_path: Path) -> None:
    path = make(tmp_path / "agency.sqlite3", "CREATE VIEW contact_issues AS SELECT 1 AS issue")
    found = inspect(path, ContactColumns())
    assert found.unusable_tables == ("contact_issues is a view",)
    assert not found.sound


def test_damage_is_told_in_the_words_of_sqlite(tmp_path: Path) -> None:
    rows = """WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
        INSERT INTO email_schedules (contact_id, email_type, scheduled_send_date, event_year)
        SELECT i, 'BIRTHDAY', '2026-01-01', 2026 FROM n"""
    path = make(tmp_path / "agency.sqlite3", OLD_SCHEDULES + rows)
    octets = bytearray(path.read_bytes())
    middle = len(octets) // 2 // 4096 * 4096
    octets[middle : middle + 4096] = b"\x55" * 4096
    path.write_bytes(octets)
    found = inspect(path, ContactColumns())
    assert "btreeInitPage" in " ".join(found.integrity)
    assert not found.sound


def test_looking_changes_nothing(tmp_path: Path) -> None:
    path = make(tmp_path / "agency.sqlite3", OLD_SCHEDULES, journal="wal")
    before = path.read_bytes()
    inspect(path, ContactColumns())
    assert path.read_bytes() == before
    assert beside(path) == ["agency.sqlite3"]


def test_a_file_that_is_none_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DatabaseError, match="no such file"):
        inspect(tmp_path / "none.sqlite3", ContactColumns())
