"""Opening a database: what is refused and in which words, and that nothing is left behind."""

from __future__ import annotations

import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw
import pytest

from almanac.contact_ranges import ContactRange
from almanac.database import range_tables
from almanac.database.backup import backup
from almanac.database.opening import (
    map_errors,
    open_database,
    quick_check,
    transaction,
)
from almanac.database.reading import Snapshot
from almanac.errors import DatabaseBusy, DatabaseError
from tests.support.database_agencies import (
    OLD_SCHEDULES,
    OtherProgram,
    beside,
    change,
    make,
    without_privileges,
)

MANY_ROWS = """
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
INSERT INTO email_schedules (contact_id, email_type, scheduled_send_date, event_year)
SELECT i, 'BIRTHDAY', '2026-01-01', 2026 FROM n
"""


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return make(tmp_path / "agency.sqlite3", OLD_SCHEDULES + MANY_ROWS)


def refused(path: Path, *, writable: bool = False) -> str:
    with pytest.raises(DatabaseError) as caught:
        open_database(path, writable=writable).close()
    assert str(path) in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("writable", [False, True])
def test_a_database_opens_and_nothing_is_left_beside_it(database: Path, writable: bool) -> None:
    before = database.read_bytes()
    open_database(database, writable=writable).close()
    assert database.read_bytes() == before
    assert beside(database) == ["agency.sqlite3"]


@pytest.mark.parametrize("writable", [False, True])
def test_a_missing_file_is_refused_and_not_created(tmp_path: Path, writable: bool) -> None:
    assert "no such file" in refused(tmp_path / "none.sqlite3", writable=writable)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_refused(tmp_path: Path) -> None:
    assert "a folder" in refused(tmp_path)


def test_a_file_that_must_not_be_read_is_refused(database: Path) -> None:
    database.chmod(0o200)
    with without_privileges(database.parent):
        assert "cannot be read by this user" in refused(database)


def test_a_file_in_a_folder_that_must_not_be_entered_is_refused(database: Path) -> None:
    hidden = database.parent / "hidden"
    hidden.mkdir(mode=0o700)
    path = hidden / "agency.sqlite3"
    database.rename(path)
    with without_privileges(database.parent):
        message = refused(path)
    assert "cannot be inspected (Permission denied)" in message


def test_odd_names_of_files_and_folders_are_taken_as_they_are(tmp_path: Path) -> None:
    folder = tmp_path / "a b#c?d%41&mode=memory"
    folder.mkdir()
    path = make(folder / "ann's \u00e9\u4e2d%20.sqlite3", journal="wal")
    connection = open_database(path, writable=True)
    connection.execute("UPDATE contacts SET state = 'TX'")
    backup(connection, folder / "copy?.sqlite3")
    connection.close()
    assert change(path, "SELECT DISTINCT state FROM contacts") == [("TX",)]
    with Snapshot(folder / "copy?.sqlite3") as snapshot:
        assert snapshot.read(range_tables.CONTACTS, ContactRange(1, 1)).column(
            "state"
        ).to_pylist() == ["TX"]
    assert beside(path) == sorted([path.name, "copy?.sqlite3"])


def test_a_link_to_a_database_opens_the_database(database: Path, tmp_path: Path) -> None:
    folder = tmp_path / "links"
    folder.mkdir()
    link = folder / "link.sqlite3"
    link.symlink_to(database)
    connection = open_database(link, writable=True)
    with transaction(connection, link):
        connection.execute("UPDATE contacts SET state = 'TX'")
    connection.close()
    assert beside(link) == ["link.sqlite3"]
    assert change(database, "SELECT DISTINCT state FROM contacts") == [("TX",)]


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "empty.sqlite3"
    path.touch()
    assert "the file is empty" in refused(path, writable=True)
    assert path.stat().st_size == 0


@pytest.mark.parametrize("content", [b"xy", b"id,email\n1,a@b.c\n" * 1000, b"\x00" * 4096])
def test_another_kind_of_file_is_refused_with_its_first_bytes(
    tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "contacts.csv"
    path.write_bytes(content)
    message = refused(path)
    assert "not an SQLite database" in message
    assert repr(content.ljust(16, b"\x00")[:16]) in message


def test_a_right_header_before_nonsense_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "odd.sqlite3"
    path.write_bytes(b"SQLite format 3\x00" + b"\xff" * 5000)
    assert "not an SQLite database" in refused(path)


@pytest.mark.parametrize("cut", [1, 100, 4096, 100_000])
def test_a_truncated_file_is_refused_with_both_sizes(database: Path, cut: int) -> None:
    size = database.stat().st_size
    database.write_bytes(database.read_bytes()[:-cut])
    message = refused(database, writable=True)
    assert f"truncated: {size - cut} bytes, its header says {size}" in message


def test_a_file_cut_within_its_first_page_is_refused(database: Path) -> None:
    database.write_bytes(database.read_bytes()[:300])
    assert "agency.sqlite3" in refused(database)


def test_a_damaged_schema_page_is_refused(database: Path) -> None:
    octets = bytearray(database.read_bytes())
    octets[100:108] = b"\xff" * 8
    database.write_bytes(octets)
    assert "damaged" in refused(database)


def test_a_database_without_contacts_is_refused(tmp_path: Path) -> None:
    path = make(tmp_path / "agency.sqlite3", "DROP TABLE contacts")
    assert "no table contacts" in refused(path)


def test_contacts_that_are_a_view_are_refused(tmp_path: Path) -> None:
    sql = "ALTER TABLE contacts RENAME TO people; CREATE VIEW contacts AS SELECT * FROM people"
    path = make(tmp_path / "agency.sqlite3", sql)
    assert "contacts is a view; expected a table" in refused(path)


def test_names_of_tables_and_columns_count_in_any_case(tmp_path: Path) -> None:
    path = make(tmp_path / "a.sqlite3", "DROP TABLE contacts; CREATE TABLE CONTACTS (ID, EMail)")
    open_database(path, writable=True).close()


@pytest.mark.parametrize("journal", ["delete", "wal"])
def test_a_database_locked_by_another_program_is_busy(tmp_path: Path, journal: str) -> None:
    path = make(tmp_path / "agency.sqlite3", journal=journal)
    with OtherProgram(path) as other:
        assert other.run("PRAGMA locking_mode = EXCLUSIVE") == "done"
        assert other.run("BEGIN EXCLUSIVE") == "done"
        with pytest.raises(DatabaseBusy, match=r"agency\.sqlite3: locked by another program"):
            open_database(path, writable=True, busy_seconds=0.05)


def test_a_read_only_file_cannot_be_opened_for_writing(database: Path) -> None:
    database.chmod(0o444)
    with without_privileges(database.parent):
        assert "the file is read-only" in refused(database, writable=True)
        open_database(database, writable=False).close()


def test_a_read_only_folder_cannot_be_written_to(database: Path) -> None:
    database.chmod(0o666)
    database.parent.chmod(0o555)
    with without_privileges(database.parent):
        message = refused(database, writable=True)
        open_database(database, writable=False).close()
    database.parent.chmod(0o755)
    assert f"its folder {database.parent} is read-only" in message


@pytest.mark.parametrize(("mode", "folder_mode"), [(0o444, 0o777), (0o666, 0o555)])
def test_a_wal_database_that_cannot_be_written_is_read_without_a_trace(
    tmp_path: Path, mode: int, folder_mode: int
) -> None:
    path = make(tmp_path / "agency.sqlite3", journal="wal")
    path.chmod(mode)
    tmp_path.chmod(folder_mode)
    with without_privileges(tmp_path):
        connection = open_database(path, writable=False)
        assert connection.execute("SELECT count(*) FROM contacts").fetchone() == (2,)
        connection.close()
    tmp_path.chmod(0o755)
    assert beside(path) == ["agency.sqlite3"]


def test_a_connection_for_reading_refuses_to_write(database: Path) -> None:
    connection = open_database(database, writable=False)
    with pytest.raises(DatabaseError, match="cannot be written"), map_errors(database):
        connection.execute("DELETE FROM contacts")
    connection.close()


@pytest.mark.parametrize("writable", [False, True])
def test_a_wal_database_is_left_without_a_log_where_there_was_none(
    tmp_path: Path, writable: bool
) -> None:
    path = make(tmp_path / "agency.sqlite3", journal="wal")
    before = path.read_bytes()
    connection = open_database(path, writable=writable)
    connection.execute("SELECT * FROM contacts").fetchall()
    connection.close()
    assert beside(path) == ["agency.sqlite3"]
    assert path.read_bytes() == before


def test_what_is_written_to_a_wal_database_is_in_the_file_itself(tmp_path: Path) -> None:
    path = make(tmp_path / "agency.sqlite3", journal="wal")
    connection = open_database(path, writable=True)
    connection.execute("UPDATE contacts SET state = 'TX'")
    connection.close()
    assert beside(path) == ["agency.sqlite3"]
    assert change(path, "SELECT DISTINCT state FROM contacts") == [("TX",)]


def test_the_log_of_another_program_stays_where_it_is(tmp_path: Path) -> None:
    path = make(tmp_path / "agency.sqlite3", journal="wal")
    with OtherProgram(path) as other:
        assert other.run("UPDATE contacts SET state = 'CA'") == "done"
        there = beside(path)
        connection = open_database(path, writable=True)
        assert connection.execute("SELECT DISTINCT state FROM contacts").fetchall() == [("CA",)]
        connection.close()
        assert (
            beside(path) == there == ["agency.sqlite3", "agency.sqlite3-shm", "agency.sqlite3-wal"]
        )


def test_the_log_that_a_dead_program_left_is_read_and_stays(tmp_path: Path) -> None:
    path = make(tmp_path / "agency.sqlite3", journal="wal")
    connection = apsw.Connection(str(path))
    connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
    connection.execute("UPDATE contacts SET state = 'OR'")
    connection.close()
    before, log = path.read_bytes(), Path(f"{path}-wal").read_bytes()
    connection = open_database(path, writable=True)
    assert connection.execute("SELECT DISTINCT state FROM contacts").fetchall() == [("OR",)]
    connection.close()
    assert path.read_bytes() == before
    assert Path(f"{path}-wal").read_bytes() == log


def test_a_sound_database_passes_the_quick_check(database: Path) -> None:
    quick_check(database)
    assert beside(database) == ["agency.sqlite3"]


def test_the_quick_check_gives_the_words_of_sqlite(database: Path) -> None:
    octets = bytearray(database.read_bytes())
    middle = len(octets) // 2 // 4096 * 4096
    octets[middle : middle + 4096] = b"\x55" * 4096
    database.write_bytes(octets)
    with pytest.raises(DatabaseError, match=r"agency\.sqlite3: the database is damaged.*[Tt]ree"):
        quick_check(database)


def test_the_quick_check_refuses_what_is_no_database(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("nothing of the kind " * 100)
    with pytest.raises(DatabaseError, match="not an SQLite database"):
        quick_check(path)


@contextmanager
def files_up_to(size: int) -> Iterator[None]:
    """No file of this process may grow beyond so many bytes, that of its output included: it
    must not print within."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    previous = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, previous)


def test_a_copy_that_finds_no_room_is_an_error_that_names_it(database: Path) -> None:
    change(database, "DELETE FROM email_schedules WHERE id > 10")
    connection = open_database(database, writable=False)
    target = database.parent / "copy.sqlite3"
    said = r"copy\.sqlite3: copying .*agency\.sqlite3 failed"
    with pytest.raises(DatabaseError, match=said), files_up_to(8192):
        backup(connection, target)
    connection.close()
    assert beside(database) == ["agency.sqlite3"]


def test_a_full_disk_is_an_error_that_leaves_the_file_as_it_was(database: Path) -> None:
    before = database.read_bytes()
    connection = open_database(database, writable=True)
    grow = """UPDATE email_schedules SET status = 'sent';
        CREATE TABLE big AS SELECT randomblob(1000) FROM email_schedules"""
    with (
        pytest.raises(DatabaseError, match="disk"),
        files_up_to(len(before)),
        transaction(connection, database),
    ):
        connection.execute(grow)
    connection.close()
    assert database.read_bytes() == before
    assert beside(database) == ["agency.sqlite3"]


def test_a_transaction_commits_at_its_end(database: Path) -> None:
    connection = open_database(database, writable=True)
    with transaction(connection, database):
        connection.execute("UPDATE contacts SET state = 'TX'")
    connection.close()
    assert change(database, "SELECT DISTINCT state FROM contacts") == [("TX",)]


@pytest.mark.parametrize("journal", ["delete", "wal"])
def test_a_transaction_that_fails_changes_nothing(tmp_path: Path, journal: str) -> None:
    path = make(tmp_path / "agency.sqlite3", OLD_SCHEDULES + MANY_ROWS, journal=journal)
    before = path.read_bytes()
    connection = open_database(path, writable=True)
    change_and_fail = "UPDATE email_schedules SET status = 'sent'; INSERT INTO nowhere VALUES (1)"
    with pytest.raises(DatabaseError, match="nowhere"), transaction(connection, path):
        connection.execute(change_and_fail)
    connection.close()
    assert path.read_bytes() == before
    assert beside(path) == ["agency.sqlite3"]


def test_a_transaction_waits_for_a_writer_and_is_busy_in_the_end(database: Path) -> None:
    connection = open_database(database, writable=True, busy_seconds=0.05)
    with OtherProgram(database) as other:
        assert other.run("BEGIN IMMEDIATE") == "done"
        with pytest.raises(DatabaseBusy), transaction(connection, database):
            pytest.fail("the lock is another's")
    connection.close()


@pytest.mark.parametrize(
    ("raised", "ours", "words"),
    [
        (apsw.BusyError, DatabaseBusy, "locked by another program"),
        (apsw.LockedError, DatabaseBusy, "locked by another program"),
        (apsw.NotADBError, DatabaseError, "not an SQLite database"),
        (apsw.CorruptError, DatabaseError, "damaged"),
        (apsw.FullError, DatabaseError, "no room left on the disk"),
        (apsw.ReadOnlyError, DatabaseError, "must be writable"),
        (apsw.CantOpenError, DatabaseError, "cannot open"),
        (apsw.IOError, DatabaseError, "reading or writing failed"),
        (apsw.ConstraintError, DatabaseError, "a constraint of the database forbids it"),
        (apsw.SQLError, DatabaseError, "SQLite says"),
    ],
)
def test_every_error_of_sqlite_names_the_file(
    raised: type[apsw.Error], ours: type[Exception], words: str
) -> None:
    path = Path("some") / "agency.sqlite3"
    with pytest.raises(ours, match=f"{path}: .*{words}"), map_errors(path):
        raise raised("its own words")
