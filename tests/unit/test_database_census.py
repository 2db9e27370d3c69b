"""The census of a database: the same counts as plain SQL gives, whatever is missing in it."""

from __future__ import annotations

import datetime as dt
import itertools
from pathlib import Path

import apsw
import pytest

from almanac.config_contacts import ContactColumns
from almanac.database.census import BOUNDS, Census, take_census, with_new_contacts
from tests.support.agencies import as_of_for, build
from tests.support.cli_calls import AS_OF, agency, almanac
from tests.support.database_agencies import make
from tests.support.sampling import sampled

DAY = dt.date.fromisoformat(AS_OF)


def census(path: Path, as_of: dt.date = DAY) -> Census:
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        return take_census(connection, as_of, ContactColumns())
    finally:
        connection.close()


def counted(path: Path, sql: str) -> dict[str, int]:
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        return dict(connection.execute(sql))
    finally:
        connection.close()


def check_against_sql(path: Path, as_of: dt.date) -> Census:
    found = census(path, as_of)
    day = "substr(scheduled_send_date, 1, 10)"
    is_date = f"date({day}) = {day} AND {day} GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]'"
    assert found.statuses == counted(
        path, "SELECT COALESCE(status, ''), count(*) FROM email_schedules GROUP BY 1"
    )
    due = counted(
        path,
        f"SELECT {day}, count(*) FROM email_schedules WHERE status = 'pre-scheduled' "
        f"AND {is_date} AND {day} <= '{as_of + dt.timedelta(days=35)}' GROUP BY 1",
    )
    assert {str(each): count for each, count in found.due.items()} == due
    assert found.outcomes == counted(
        path,
        "SELECT COALESCE(status, ''), count(*) FROM email_schedules "
        "WHERE COALESCE(status, '') NOT IN ('pre-scheduled', 'skipped') "
        f"AND {is_date} AND {day} >= '{as_of - dt.timedelta(days=30)}' AND {day} < '{as_of}' "
        "GROUP BY 1",
    )
    return found


@pytest.mark.parametrize("schema", ["old", "new"])
@pytest.mark.parametrize("seed", sampled(range(4), 1))
def test_it_counts_what_plain_sql_counts(tmp_path: Path, schema: str, seed: int) -> None:
    path = build(tmp_path / "agency.sqlite3", seed, 200, schema=schema)
    found = check_against_sql(path, as_of_for(seed))
    assert sum(found.outcomes.values()) > 0
    ids = list(counted(path, "SELECT CAST(id AS TEXT), 1 FROM contacts ORDER BY id"))
    assert list(map(str, found.bounds)) == ids
    assert found.contacts == found.ids == len(found.bounds)


def test_it_counts_what_a_run_has_left_by_its_index(tmp_path: Path) -> None:
    path = agency(tmp_path / "agency.sqlite3", 2500)
    assert almanac("run", path, "--as-of", AS_OF).code == 0
    found = check_against_sql(path, DAY)
    assert found.due
    assert found.outcomes
    assert found.statuses["pre-scheduled"] > 0 < found.statuses["skipped"]
    assert Census.model_validate_json(found.model_dump_json()) == found


@pytest.mark.parametrize("schema", ["minimal", "bare"])
def test_without_a_table_of_schedules_there_is_nothing_to_count(
    tmp_path: Path, schema: str
) -> None:
    path = build(tmp_path / "agency.sqlite3", 1, schema=schema)
    found = census(path)
    assert found.contacts == 40
    assert (found.statuses, found.due, found.outcomes) == ({}, {}, {})


def test_without_any_table_it_is_empty(tmp_path: Path) -> None:
    path = tmp_path / "empty.sqlite3"
    apsw.Connection(str(path)).execute("CREATE TABLE other (a)")
    assert census(path) == Census(as_of=DAY, rate_increases=False)


def test_a_table_of_schedules_without_a_column_is_not_counted(tmp_path: Path) -> None:
    path = make(tmp_path / "a.sqlite3", "CREATE TABLE email_schedules (id, status)")
    assert census(path).statuses == {}


def test_only_dates_count_by_day_and_every_status_counts(tmp_path: Path) -> None:
    rows = [
        ("pre-scheduled", "2026-11-20"),
        ("pre-scheduled", "2026-11-20 08:30:00"),
        ("pre-scheduled", "2026-12-26"),  # as_of + 35
        ("pre-scheduled", "2026-12-27"),
        ("pre-scheduled", "20/11/2026"),
        ("pre-scheduled", "2026-02-30"),
        ("pre-scheduled", None),
        ("skipped", "2026-11-20"),
        ("sent", "2026-11-21"),  # as_of itself is not over
        ("sent", "2026-11-20T10:00"),
        ("sent", "2026-10-22"),  # as_of - 30
        ("sent", "2026-10-21"),
        (None, "2026-11-01"),
        (b"\xff\xfe", "2026-11-01"),
        ("Bounced ", "2026-11-01"),
    ]
    path = make(
        tmp_path / "a.sqlite3", "CREATE TABLE email_schedules (status TEXT, scheduled_send_date)"
    )
    apsw.Connection(str(path)).executemany("INSERT INTO email_schedules VALUES (?, ?)", rows)
    found = census(path)
    assert found.due == {dt.date(2026, 11, 20): 2, dt.date(2026, 12, 26): 1}
    assert found.outcomes == {"": 1, "sent": 2, "\ufffd\ufffd": 1, "Bounced ": 1}
    assert sum(found.statuses.values()) == len(rows)


def test_the_text_of_an_utf_16_database_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite3"
    connection = apsw.Connection(str(path))
    connection.execute(
        "PRAGMA encoding = 'UTF-16le'; CREATE TABLE contacts (id INTEGER PRIMARY KEY, email);"
        "CREATE TABLE email_schedules (status TEXT, scheduled_send_date TEXT);"
        "INSERT INTO email_schedules VALUES ('sent', '2026-11-01')"
    )
    assert census(path).outcomes == {"sent": 1}


def test_bounds_cut_the_ids_into_equal_parts(tmp_path: Path) -> None:
    path = make(
        tmp_path / "a.sqlite3",
        "DELETE FROM contacts; WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n "
        "WHERE i < 99999) INSERT INTO contacts (id, email) SELECT i * i - 5000, i FROM n",
    )
    found = census(path)
    ids = [i * i - 5000 for i in range(100_000)]
    assert found.ids == found.contacts == len(ids)
    assert len(found.bounds) == BOUNDS + 1
    assert (found.bounds[0], found.bounds[-1]) == (ids[0], ids[-1])
    place = {each: number for number, each in enumerate(ids)}
    steps = itertools.pairwise(place[bound] for bound in found.bounds)
    assert {second - first for first, second in steps} <= {99, 100}


def test_ids_that_are_no_whole_numbers_or_come_twice_are_contacts_all_the_same(
    tmp_path: Path,
) -> None:
    path = tmp_path / "a.sqlite3"
    connection = apsw.Connection(str(path))
    connection.execute("CREATE TABLE contacts (id, email)")
    ids = [9, 3, 3, "4", 5.5, None, -(2**63), 2**63 - 1]
    connection.executemany("INSERT INTO contacts (id) VALUES (?)", [(each,) for each in ids])
    found = census(path)
    assert (found.contacts, found.ids) == (8, 5)
    assert found.bounds == [-(2**63), 3, 4, 9, 2**63 - 1]


def test_no_contacts_have_no_bounds(tmp_path: Path) -> None:
    path = make(tmp_path / "a.sqlite3", "DELETE FROM contacts")
    assert (census(path).ids, census(path).bounds) == (0, [])


@pytest.mark.parametrize("contacts", [40, 3000])
def test_new_contacts_are_added_without_counting_all(tmp_path: Path, contacts: int) -> None:
    many = (
        f"WITH RECURSIVE n (i) AS (SELECT 10 UNION ALL SELECT i + 1 FROM n WHERE i < {contacts}) "
        "INSERT INTO contacts (id, email) SELECT i, i FROM n"
    )
    path = make(tmp_path / "a.sqlite3", many)
    before = census(path)
    connection = apsw.Connection(str(path))
    connection.execute(
        "INSERT INTO contacts (id, email) "
        "SELECT id + 10000, 'new' || id FROM contacts ORDER BY id LIMIT 25"
    )
    found = with_new_contacts(connection, before, 25, ContactColumns())
    connection.close()
    after = census(path)
    assert found is not None
    assert (found.contacts, found.ids) == (after.contacts, after.ids)
    assert (found.bounds[0], found.bounds[-1]) == (after.bounds[0], after.bounds[-1])
    assert sorted(set(found.bounds)) == found.bounds


def test_new_contacts_among_the_others_are_counted_again(tmp_path: Path) -> None:
    path = make(tmp_path / "a.sqlite3")
    before = census(path)
    connection = apsw.Connection(str(path))
    connection.execute("INSERT INTO contacts (id, email) VALUES (-5, 'new@example.com')")
    assert with_new_contacts(connection, before, 1, ContactColumns()) is None
    assert with_new_contacts(connection, before, 0, ContactColumns()) == before
    connection.close()
