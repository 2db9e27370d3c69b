"""What is kept with `--cache` stays valid with all that Almanac itself writes to the file."""

from __future__ import annotations

import os
from collections.abc import Callable

import apsw
import pyarrow as pa
import pytest

from almanac.contact_ranges import EVERYONE
from almanac.database.columnar import ColumnarReader
from almanac.database.open_file import OpenFile
from almanac.database.piece_file import KeptPieces
from almanac.database.planned_pieces import PlannedPieces
from almanac.database.reading import Snapshot
from almanac.database.sources import Source
from almanac.database.undo.entries import WritingCommand
from almanac.organizations import carried_rows
from almanac.organizations.agency_database import edit_file
from almanac.organizations.cache_folder import CacheFolder
from almanac.organizations.cached_rows import CachedRows
from tests.support.tiny import Agency
from tests.support.undo_calls import COMMANDS, DAY, RUN, copy_of, do, make

MARK = "UPDATE email_schedules SET status = 'sent' WHERE contact_id = 2"


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Agency]:
    """Puts a planned file and what was kept of it back, both as they were."""
    folder = tmp_path_factory.mktemp("cache")
    agency = copy_of(make(folder / "made.sqlite3"), folder / "agency.sqlite3")
    (folder / "kept").mkdir()
    do(agency, *RUN, "--cache", str(folder / "kept"))
    kept = place(agency).path
    saved = [(path, path.read_bytes(), path.stat()) for path in (agency.path, kept)]

    def put_back() -> Agency:
        for path, data, status in saved:
            path.write_bytes(data)  # into the same file
            os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
        return agency

    return put_back


@pytest.fixture
def agency(planned: Callable[[], Agency], monkeypatch: pytest.MonkeyPatch) -> Agency:
    made = planned()
    monkeypatch.setenv("ALMANAC_CACHE", str(place(made).folder))
    return made


def place(agency: Agency) -> CacheFolder:
    return CacheFolder(agency.path, agency.path.parent / "kept")


def row_of(agency: Agency, contact: int) -> int:
    """A planned row of a contact."""
    sql = "SELECT min(id) FROM email_schedules WHERE status = 'pre-scheduled' AND contact_id = ?"
    return int(agency.query(sql, contact)[0][0])


def read(agency: Agency) -> tuple[PlannedPieces | None, pa.Table, pa.Table]:
    """What is kept if it is valid, and the planned rows as read with and without it."""
    file = OpenFile.opened(agency.path, writable=False, busy_seconds=1)
    try:
        pieces = CachedRows(place(agency)).current(file)
        rows = ColumnarReader(file.path, file.connection)
        snapshot = Snapshot(Source(file.path, file.connection, rows, lambda: None))
        found = []
        for each in (pieces, None):
            snapshot.planned_rows.read_from(each)
            found.append(snapshot.planned_rows.read(EVERYONE).to_pylist())
        return pieces, *found
    finally:
        file.connection.close()


@pytest.mark.parametrize("command", WritingCommand)
def test_what_is_kept_stays_valid_with_each_command_and_its_undo(
    agency: Agency, command: WritingCommand
) -> None:
    words = COMMANDS[command]
    if command == WritingCommand.MARK:
        words = ("mark", "FILE", f"id,status\n{row_of(agency, 1)},sent\n")
    for call in (words, ("undo",)):
        do(agency, *call)
        pieces, with_it, without = read(agency)
        assert pieces is not None
        assert with_it == without != []


def test_the_contacts_that_a_command_changes_are_read_from_the_file(agency: Agency) -> None:
    do(agency, "mark", "FILE", f"id,status\n{row_of(agency, 1)},sent\n")
    pieces, _, _ = read(agency)
    assert pieces is not None
    assert pieces.changed.tolist() == [1]
    do(agency, *COMMANDS[WritingCommand.CAMPAIGN_IMPORT], "--replan", "--as-of", DAY)
    pieces, with_it, without = read(agency)
    assert pieces is not None
    assert with_it == without
    assert set(pieces.changed.tolist()) > {1}


def test_what_another_program_wrote_before_a_command_is_noticed(agency: Agency) -> None:
    agency.query(MARK)
    do(agency, *COMMANDS[WritingCommand.CONFIG])
    assert read(agency)[0] is None


@pytest.mark.parametrize("after", ["the commit", "half of the end"])
def test_a_command_that_dies_leaves_what_is_kept_unused(
    agency: Agency, after: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object) -> None:
        raise KeyboardInterrupt

    def edit(connection: apsw.Connection) -> None:
        connection.execute(MARK)

    whole = place(agency).path.read_bytes()
    if after == "the commit":
        monkeypatch.setattr(KeptPieces, "renew", die)
        with pytest.raises(KeyboardInterrupt):
            edit_file(agency.path, edit, place(agency))
        monkeypatch.undo()
    else:
        edit_file(agency.path, edit, place(agency))
        new = place(agency).path.read_bytes()
        place(agency).path.write_bytes(new[: len(new) // 2 + len(whole) // 4] + whole[-100:])
    assert read(agency)[0] is None


def test_where_too_many_contacts_have_changed_the_file_is_read(
    agency: Agency, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(carried_rows, "_FEW", 1)
    for contact, is_valid in ((1, True), (2, False)):
        do(agency, "mark", "FILE", f"id,status\n{row_of(agency, contact)},sent\n")
        assert (read(agency)[0] is not None) == is_valid


def test_where_a_trigger_may_replace_rows_nothing_stays_valid(agency: Agency) -> None:
    trigger = "CREATE TRIGGER r AFTER INSERT ON audit BEGIN REPLACE INTO audit VALUES (1); END"
    statements = iter([trigger, MARK])

    def edit(connection: apsw.Connection) -> None:
        connection.execute(next(statements))

    for is_valid in (True, False):
        edit_file(agency.path, edit, place(agency))
        assert (read(agency)[0] is not None) == is_valid
