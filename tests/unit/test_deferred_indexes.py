"""Indexes of other programs during a first run: dropped, and there again with the run's rows."""

from __future__ import annotations

from pathlib import Path

import apsw
import pytest

from almanac.database.deferred_indexes import drop_for_first_run
from almanac.database.migrations import create_indexes, migrate

_PLAIN = 'CREATE INDEX "by ""status"""ON email_schedules(status COLLATE NOCASE, contact_id DESC)'
_KEPT = (
    "CREATE UNIQUE INDEX unique_one ON email_schedules (batch_id)",
    "CREATE INDEX partial_one ON email_schedules (status) WHERE contact_id > 5",
    "CREATE INDEX expression_one ON email_schedules (lower(status))",
)


@pytest.fixture
def connection(tmp_path: Path) -> apsw.Connection:
    connection = apsw.Connection(str(tmp_path / "agency.sqlite3"))
    migrate(connection)
    for sql in (_PLAIN, *_KEPT):
        connection.execute(sql)
    return connection


def _indexes(connection: apsw.Connection) -> set[str]:
    sql = "SELECT sql FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL"
    return {sql for (sql,) in connection.execute(sql)}


def test_a_plain_index_is_dropped_and_comes_back_as_it_was(connection: apsw.Connection) -> None:
    deferred = drop_for_first_run(connection, 1)
    assert deferred == [_PLAIN]
    assert _indexes(connection) == set(_KEPT)

    create_indexes(connection, deferred)

    assert {_PLAIN, *_KEPT} <= _indexes(connection)


def test_an_index_with_a_collation_of_another_program_stays(tmp_path: Path) -> None:
    connection = apsw.Connection(str(tmp_path / "agency.sqlite3"))
    migrate(connection)
    connection.create_collation("theirs", lambda one, other: (one > other) - (one < other))
    connection.execute("CREATE INDEX by_type ON email_schedules (email_type COLLATE theirs)")
    assert drop_for_first_run(connection, 1) == []


def test_none_is_dropped_where_most_rows_are_there_already(connection: apsw.Connection) -> None:
    connection.execute(
        "INSERT INTO email_schedules (id, contact_id, email_type, scheduled_send_date) "
        "VALUES (9, 1, 'birthday', '2026-01-01')"
    )
    assert drop_for_first_run(connection, 8) == []


def test_none_is_dropped_after_the_first_run(connection: apsw.Connection) -> None:
    create_indexes(connection)
    assert drop_for_first_run(connection, 1) == []
