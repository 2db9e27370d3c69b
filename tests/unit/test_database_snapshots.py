"""Copying a database that others use, and noticing what they wrote meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from almanac.database import backup as backup_module
from almanac.database.backup import backup
from almanac.database.opening import data_version, open_database, quick_check, transaction
from almanac.errors import DatabaseError
from tests.support.database_agencies import OtherProgram, beside, change, make

JOURNALS = ["delete", "wal"]
BIG = """
CREATE TABLE big AS WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 99)
SELECT randomblob(2000) AS x FROM n
"""
WRITE = "UPDATE contacts SET state = 'TX'"


@pytest.fixture(params=JOURNALS)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    folder = tmp_path / "agency"
    folder.mkdir()
    sql = BIG
    return make(folder / "agency.sqlite3", sql, journal=request.param)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return tmp_path / "copy.sqlite3"


@pytest.fixture
def connection(database: Path) -> Iterator[apsw.Connection]:
    opened = open_database(database, writable=True)
    yield opened
    opened.close()


def states(path: Path) -> list[tuple[object, ...]]:
    return change(path, "SELECT DISTINCT state FROM contacts")


def test_a_copy_holds_what_the_database_holds(connection: apsw.Connection, copy: Path) -> None:
    backup(connection, copy)
    quick_check(copy)
    assert change(copy, "SELECT id FROM contacts") == [(1,), (7,)]
    assert change(copy, "SELECT count(*) FROM big") == [(99,)]


def test_a_copy_is_one_file_and_keeps_no_log(connection: apsw.Connection, copy: Path) -> None:
    backup(connection, copy)
    assert change(copy, "PRAGMA journal_mode") == [("delete",)]
    assert copy.name in beside(copy)
    assert [n for n in beside(copy) if n.startswith("copy")] == ["copy.sqlite3"]


def test_a_copy_holds_what_is_only_in_the_log(tmp_path: Path, copy: Path) -> None:
    path = make(tmp_path / "agency.sqlite3", journal="wal")
    with OtherProgram(path) as other:
        assert other.run("PRAGMA wal_autocheckpoint = 0") == "done"
        assert other.run(WRITE) == "done"
        connection = open_database(path, writable=False)
        backup(connection, copy)
        connection.close()
    assert states(copy) == [("TX",)]


def test_a_copy_is_never_written_over_another_file(connection: apsw.Connection, copy: Path) -> None:
    copy.write_text("mine")
    with pytest.raises(DatabaseError, match=r"copy\.sqlite3: exists already"):
        backup(connection, copy)
    assert copy.read_text() == "mine"


def test_a_copy_that_fails_leaves_nothing(
    connection: apsw.Connection, copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backup_module, "STEP_PAGES", 10)

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        backup(connection, copy, stop)
    assert not copy.exists()
    assert not connection.in_transaction


def test_a_copy_into_a_missing_folder_is_an_error_that_names_it(
    connection: apsw.Connection, tmp_path: Path
) -> None:
    with pytest.raises(DatabaseError, match=r"nowhere/copy\.sqlite3"):
        backup(connection, tmp_path / "nowhere" / "copy.sqlite3")


def test_progress_is_told_in_pages_up_to_all_of_them(
    connection: apsw.Connection, copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backup_module, "STEP_PAGES", 10)
    seen: list[tuple[int, int]] = []
    backup(connection, copy, lambda done, total: seen.append((done, total)))
    total = copy.stat().st_size // 4096
    assert [done for done, _ in seen] == [*range(10, total, 10), total]
    assert {pages for _, pages in seen} == {total}


def test_others_may_write_while_a_copy_is_made_and_it_stays_consistent(
    database: Path,
    connection: apsw.Connection,
    copy: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(backup_module, "STEP_PAGES", 10)
    answers: list[str] = []
    with OtherProgram(database) as other:
        other.run("PRAGMA busy_timeout = 50")

        def write(done: int, total: int) -> None:
            if len(answers) < 8:
                answers.append(other.run(f"UPDATE contacts SET state = '{len(answers)}'"))

        version = data_version(connection)
        backup(connection, copy, write)
        assert data_version(connection) != version
    quick_check(copy)
    # outside WAL mode the copy starts again twice, then holds the writer up
    assert answers.count("done") >= 2
    assert len(states(copy)) == 1


def test_what_nobody_wrote_to_has_the_version_that_it_had(
    connection: apsw.Connection, copy: Path
) -> None:
    version = data_version(connection)
    backup(connection, copy)
    with transaction(connection, copy):
        assert data_version(connection) == version


@pytest.mark.parametrize("moment", ["before the copy", "before the transaction"])
def test_a_write_of_another_program_is_noticed(
    database: Path, connection: apsw.Connection, copy: Path, moment: str
) -> None:
    with OtherProgram(database) as other:
        version = data_version(connection)
        if moment == "before the copy":
            assert other.run(WRITE) == "done"
        backup(connection, copy)
        if moment == "before the transaction":
            assert other.run(WRITE) == "done"
        with transaction(connection, database):
            assert data_version(connection) != version


def test_a_write_between_two_steps_of_the_copy_is_noticed(
    database: Path, connection: apsw.Connection, copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backup_module, "STEP_PAGES", 10)
    with OtherProgram(database) as other:
        answers: list[str] = []

        def write(done: int, total: int) -> None:
            if not answers:
                answers.append(other.run(WRITE))

        version = data_version(connection)
        backup(connection, copy, write)
        assert answers == ["done"]
        with transaction(connection, database):
            assert data_version(connection) != version


def test_a_write_by_a_program_that_came_and_went_is_noticed(
    database: Path, connection: apsw.Connection, copy: Path
) -> None:
    version = data_version(connection)
    backup(connection, copy)
    with OtherProgram(database) as other:
        assert other.run(WRITE) == "done"
    with transaction(connection, database):
        assert data_version(connection) != version


def test_our_own_writing_is_not_taken_for_anothers(
    database: Path, connection: apsw.Connection
) -> None:
    version = data_version(connection)
    with transaction(connection, database):
        connection.execute(WRITE)
    assert data_version(connection) == version


def test_nobody_can_write_between_the_last_look_and_the_commit(
    database: Path, connection: apsw.Connection
) -> None:
    with OtherProgram(database) as other:
        assert other.run("PRAGMA busy_timeout = 50") == "done"
        with transaction(connection, database):
            data_version(connection)
            assert "locked" in other.run(WRITE)
            connection.execute("UPDATE contacts SET state = 'CA'")
        assert other.run("UPDATE contacts SET zip_code = '1'") == "done"
    assert states(database) == [("CA",)]


def test_planning_a_database_leaves_nothing_beside_it(database: Path, copy: Path) -> None:
    before = beside(database)
    connection = open_database(database, writable=True)
    backup(connection, copy)
    with transaction(connection, database):
        connection.execute(WRITE)
    connection.close()
    assert beside(database) == before
    assert states(database) == [("TX",)]
