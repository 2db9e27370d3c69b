"""Reading a snapshot in columns, whatever is missing or odd in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import apsw
import pyarrow as pa
import pytest

from almanac.config_contacts import ContactColumns
from almanac.contact_ranges import EVERYONE, ContactRange
from almanac.database import range_tables, selects
from almanac.database.migrations import create_indexes, migrate
from almanac.database.occupancy import occupancy
from almanac.database.reading import Snapshot
from almanac.database.schema import EMAIL_SCHEDULES
from almanac.errors import DatabaseError
from almanac.frames import Kind
from tests.support.database_agencies import CONTACTS, OLD_SCHEDULES, OPENERS, change, make

Open = Callable[..., Snapshot]
STAGES = ["old", "migrated", "indexed"]


@pytest.fixture(params=OPENERS)
def way(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def open_with(tmp_path: Path, way: str) -> Iterator[Open]:
    """Opens a snapshot of a database with some SQL run on it, at one stage of its migration."""
    opened: list[Snapshot] = []

    def create(sql: str = "", stage: str = "old") -> Snapshot:
        path = make(tmp_path / f"{len(opened)}.sqlite3", sql)
        connection = apsw.Connection(str(path))
        if stage != "old":
            migrate(connection)
        if stage == "indexed":
            create_indexes(connection)
        connection.close()
        opened.append(OPENERS[way](path))
        return opened[-1]

    yield create
    for snapshot in opened:
        snapshot.close()


def column(table: pa.Table, name: str) -> list[Any]:
    values: list[Any] = table.column(name).to_pylist()
    return values


def planned_row(contact: int, email_type: str, date: str, **more: str | int | float | None) -> str:
    """SQL that adds a row of email_schedules."""
    row = {"contact_id": contact, "email_type": email_type, "scheduled_send_date": date, **more}
    names = ", ".join(row)
    values = ", ".join(map(apsw.format_sql_value, row.values()))
    return f"INSERT INTO email_schedules ({names}) VALUES ({values});"


def modern_schedules() -> str:
    """SQL that creates email_schedules as it is today."""
    return EMAIL_SCHEDULES.create_sql() + ";"


# Contacts


def test_contacts_come_with_every_column_as_declared(open_with: Open) -> None:
    table = open_with().read(range_tables.CONTACTS, EVERYONE)
    assert table.schema == selects.CONTACTS_SCHEMA
    assert column(table, "id") == [1, 7]
    assert column(table, "birth_date") == ["1950-02-03", "1949-12-31"]
    assert column(table, "state") == ["", ""]
    table.validate(full=True)


@pytest.mark.parametrize(
    ("first", "last", "ids"),
    [(1, 7, [1, 7]), (1, 6, [1]), (2, 6, []), (7, 7, [7]), (8, 2**63 - 1, [])],
)
def test_a_range_includes_both_ends(open_with: Open, first: int, last: int, ids: list[int]) -> None:
    table = open_with().read(range_tables.CONTACTS, ContactRange(first, last))
    assert column(table, "id") == ids
    assert table.schema == selects.CONTACTS_SCHEMA


def test_contacts_with_two_columns_alone_are_enough(open_with: Open) -> None:
    sql = """DROP TABLE contacts; CREATE TABLE contacts (id, email);
        INSERT INTO contacts VALUES (3, 'x')"""
    table = open_with(sql).read(range_tables.CONTACTS, EVERYONE)
    assert table.to_pylist() == [
        dict.fromkeys(table.column_names, "")
        | {"id": 3, "email": "x", "failed_underwriting": 0, "consents": 1}
    ]


@pytest.mark.parametrize(
    ("new", "old", "read"),
    [
        ("'1950-01-01'", "'1960-01-01'", "1950-01-01"),
        ("NULL", "'1960-01-01'", "1960-01-01"),
        ("''", "'1960-01-01'", "1960-01-01"),
        ("char(32, 9, 160)", "'1960-01-01'", "1960-01-01"),
        ("'soon'", "'1960-01-01'", "soon"),
        ("NULL", "NULL", ""),
    ],
)
def test_the_first_of_two_names_counts_where_it_is_not_blank(
    open_with: Open, new: str, old: str, read: str
) -> None:
    sql = f"""ALTER TABLE contacts ADD COLUMN birthday; ALTER TABLE contacts ADD COLUMN carrier;
        UPDATE contacts SET birth_date = {new}, birthday = {old},
            carrier = {new}, current_carrier = {old}"""
    table = open_with(sql).read(range_tables.CONTACTS, ContactRange(1, 1))
    assert (column(table, "birth_date"), column(table, "carrier")) == ([read], [read])


def test_an_old_name_alone_is_read(open_with: Open) -> None:
    sql = "UPDATE contacts SET current_carrier = 'Aetna'"
    assert column(open_with(sql).read(range_tables.CONTACTS, ContactRange(1, 1)), "carrier") == [
        "Aetna"
    ]


def test_columns_of_numbers_are_read_as_text(open_with: Open) -> None:
    sql = """DROP TABLE contacts; CREATE TABLE contacts (id INTEGER, email, zip_code INTEGER,
        birth_date INTEGER, phone_number REAL);
        INSERT INTO contacts VALUES (1, 5, 2139, 19500101, 5.5), (2, 'a@b.co', 'abc', NULL, 'x')"""
    table = open_with(sql).read(range_tables.CONTACTS, EVERYONE)
    assert column(table, "email") == ["5", "a@b.co"]
    assert column(table, "zip_code") == ["2139", "abc"]
    assert column(table, "birth_date") == ["19500101", ""]
    assert column(table, "phone_number") == ["5.5", "x"]


def test_a_column_may_change_its_type_after_many_rows(
    open_with: Open,
) -> None:
    sql = """DROP TABLE contacts; CREATE TABLE contacts (id, email, zip_code, failed_underwriting);
        WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100)
        INSERT INTO contacts SELECT i, iif(i > 50, 'a' || i, NULL), iif(i > 50, 'z', i),
            iif(i > 50, 'yes', NULL) FROM n"""
    table = open_with(sql).read(range_tables.CONTACTS, EVERYONE)
    assert column(table, "email")[49:51] == ["", "a51"]
    assert column(table, "zip_code")[49:51] == ["50", "z"]
    assert column(table, "failed_underwriting")[49:51] == [0, 1]


@pytest.mark.parametrize(
    ("stored", "flag"),
    [
        *[(text, 1) for text in ("1", "1.0", "'1'", "'1.0'", "'yes'", "' TRUE '", "'t'", "'Y'")],
        *[(text, 0) for text in ("0", "0.0", "2", "-1", "0.5", "'no'", "''", "NULL", "'2'")],
        ("x'00'", 0),
    ],
)
def test_failed_underwriting_is_one_or_a_word(open_with: Open, stored: str, flag: int) -> None:
    sql = f"""DROP TABLE contacts; CREATE TABLE contacts (id, email, failed_underwriting);
        INSERT INTO contacts VALUES (1, '', {stored})"""
    assert column(
        open_with(sql).read(range_tables.CONTACTS, ContactRange(1, 1)), "failed_underwriting"
    ) == [flag]


def test_rows_whose_id_is_no_whole_number_are_left_out_and_the_first_of_equal_ids_counts(
    open_with: Open,
) -> None:
    sql = """DROP TABLE contacts; CREATE TABLE contacts (email, id);
        INSERT INTO contacts VALUES ('second', 2), ('first', 1), ('again', 2), ('none', NULL),
            ('text', '3'), ('real', 4.0), ('blob', x'05'), ('half', 5.5), ('odd', '6x'),
            ('same', '2.0'), ('Salesforce', '003Hs00004AbC')"""
    snapshot = open_with(sql)
    known = ["first", "second", "text", "real"]
    assert column(snapshot.read(range_tables.CONTACTS, EVERYONE), "email") == known
    assert snapshot.contact_ids(ContactColumns()).tolist() == [1, 2, 3, 4]
    assert snapshot.total_contacts() == 11


def test_contacts_without_a_rowid_are_read(open_with: Open) -> None:
    sql = """DROP TABLE contacts;
        CREATE TABLE contacts (email, id INTEGER PRIMARY KEY) WITHOUT ROWID;
        INSERT INTO contacts VALUES ('b', 9), ('a', -3)"""
    assert column(open_with(sql).read(range_tables.CONTACTS, EVERYONE), "id") == [-3, 9]


def test_no_contacts_are_an_empty_table_of_the_same_schema(open_with: Open) -> None:
    snapshot = open_with("DELETE FROM contacts")
    assert snapshot.read(range_tables.CONTACTS, EVERYONE).schema == selects.CONTACTS_SCHEMA
    assert snapshot.contact_ids(ContactColumns()).tolist() == []
    assert snapshot.total_contacts() == 0


def test_the_extreme_ids_are_read(open_with: Open) -> None:
    sql = f"""UPDATE contacts SET id = {2**63 - 1} WHERE id = 7;
        UPDATE contacts SET id = -1 - {2**63 - 1} WHERE id = 1"""
    assert open_with(sql).contact_ids(ContactColumns()).tolist() == [-(2**63), 2**63 - 1]


def test_hostile_texts_come_through(open_with: Open) -> None:
    hostile = "a'b\"c;--\x1f\x00d\u00e9\U0001f600\n"
    snapshot_path = make_with_text(open_with, hostile.encode())
    assert column(snapshot_path.read(range_tables.CONTACTS, ContactRange(1, 1)), "carrier") == [
        hostile
    ]


def make_with_text(open_with: Open, octets: bytes) -> Snapshot:
    return open_with(f"UPDATE contacts SET current_carrier = CAST(x'{octets.hex()}' AS TEXT)")


@pytest.mark.parametrize(
    "octets", [b"Aet\xffna", b"\xed\xa0\x80", b"\xc3", b"\xf8\x88\x80\x80\x80"]
)
def test_text_that_is_no_utf_8_is_read_with_replacements(open_with: Open, octets: bytes) -> None:
    table = make_with_text(open_with, octets).read(range_tables.CONTACTS, EVERYONE)
    assert column(table, "carrier") == [octets.decode("utf-8", "replace")] * 2
    assert "\ufffd" in column(table, "carrier")[0]


def test_blobs_are_read_as_text(open_with: Open) -> None:
    sql = f"UPDATE contacts SET email = id || x'{b'@x.co'.hex()}', zip_code = x'3930323130'"
    assert column(open_with(sql).read(range_tables.CONTACTS, ContactRange(1, 1)), "zip_code") == [
        "90210"
    ]


def test_a_database_in_utf_16_is_read(tmp_path: Path, way: str) -> None:
    path = tmp_path / "wide.sqlite3"
    connection = apsw.Connection(str(path))
    connection.execute("PRAGMA encoding = 'UTF-16le'")
    connection.execute(CONTACTS)
    connection.execute("INSERT INTO contacts (email, state) VALUES ('\u00e9@x.co', 'TX')")
    connection.execute(
        "CREATE TABLE campaign_types (name); INSERT INTO campaign_types VALUES ('\u00e9')"
    )
    connection.close()
    with OPENERS[way](path) as snapshot:
        assert column(snapshot.read(range_tables.CONTACTS, EVERYONE), "email") == ["\u00e9@x.co"]
        assert snapshot.campaign_types() == [{"name": "\u00e9"}]


# email_schedules

SOME_ROWS = OLD_SCHEDULES + "".join(
    [
        planned_row(7, "BIRTHDAY", "2026-01-01", status="sent", event_year=2026),
        planned_row(1, "AEP", "2026-09-15", status="Pre-Scheduled", event_year=2026),
        planned_row(7, "aep", "2026-09-15", status="pre-scheduled", event_year=2026),
        planned_row(1, "birthday", "2027-01-01", status="skipped", skip_reason="why"),
        planned_row(1, "effective_date", "2026-05-05", status="", event_year="soon"),
    ]
)


@pytest.mark.parametrize("stage", STAGES)
def test_rows_are_committed_unless_their_status_is_exactly_a_planned_one(
    open_with: Open, stage: str
) -> None:
    snapshot = open_with(SOME_ROWS, stage)
    committed, planned = (
        snapshot.read(range_tables.COMMITTED, EVERYONE),
        snapshot.read(range_tables.PLANNED, EVERYONE),
    )
    assert committed.schema == selects.COMMITTED_SCHEMA
    assert planned.schema == selects.PLANNED_SCHEMA
    assert column(committed, "id") == [2, 5, 1]
    assert column(committed, "contact_id") == [1, 1, 7]
    assert column(committed, "status") == ["Pre-Scheduled", "", "sent"]
    assert column(planned, "id") == [4, 3]
    assert column(planned, "scheduled") == [0, 1]
    assert column(planned, "skip_reason") == ["why", ""]
    assert column(snapshot.read(range_tables.COMMITTED, ContactRange(1, 6)), "contact_id") == [1, 1]
    assert column(snapshot.read(range_tables.PLANNED, ContactRange(2, 7)), "contact_id") == [7]


@pytest.mark.parametrize("stage", STAGES)
def test_a_status_of_null_is_committed(open_with: Open, stage: str) -> None:
    sql = """CREATE TABLE email_schedules (id INTEGER PRIMARY KEY, contact_id INTEGER, status,
        email_type, scheduled_send_date);
        INSERT INTO email_schedules (contact_id, status) VALUES (1, NULL), (1, 'skipped')"""
    snapshot = open_with(sql, stage)
    assert column(snapshot.read(range_tables.COMMITTED, EVERYONE), "id") == [1]
    assert column(snapshot.read(range_tables.PLANNED, EVERYONE), "id") == [2]


@pytest.mark.parametrize("stage", STAGES)
def test_event_columns_that_are_no_integers_are_zero(open_with: Open, stage: str) -> None:
    sql = modern_schedules() + "".join(
        planned_row(
            1, f"t{n}", "2026-01-01", status=status, event_year=year, event_month=2, event_day=None
        )
        for n, year in enumerate((2025, "soon", None, 2025.5, 10**12, -4))
        for status in ("sent", "skipped")
    )
    snapshot = open_with(sql, stage)
    for table in (
        snapshot.read(range_tables.COMMITTED, EVERYONE),
        snapshot.read(range_tables.PLANNED, EVERYONE),
    ):
        assert column(table, "event_year") == [2025, 0, 0, 0, 0, 0]
        assert column(table, "event_month") == [2] * 6
        assert column(table, "event_day") == [0] * 6


@pytest.mark.parametrize("sms", [False, True])
def test_the_content_of_a_planned_row_is_what_its_kind_says(open_with: Open, sms: bool) -> None:
    kind = Kind("campaign_x", 4, 3, "mail \x1f template", "sms template")
    row = planned_row(
        1,
        "campaign_x",
        "2026-12-01",
        status="pre-scheduled",
        priority=3,
        scheduled_send_time="09:15",
        campaign_instance_id=4,
        email_template=kind.email_template,
        sms_template=kind.sms_template if sms else None,
        ideal_send_date="2026-11-30",
        event_year=2026,
        event_month=12,
        event_day=14,
        metadata='{"a": 1}',
    )
    for stage in ("old", "indexed"):
        (read,) = (
            open_with(modern_schedules() + row, stage)
            .read(range_tables.PLANNED, EVERYONE)
            .to_pylist()
        )
        assert read == {
            "id": 1,
            "contact_id": 1,
            "email_type": "campaign_x",
            "campaign_instance_id": 4,
            "event_year": 2026,
            "event_month": 12,
            "event_day": 14,
            "scheduled_send_date": "2026-12-01",
            "ideal_send_date": "2026-11-30",
            "scheduled": 1,
            "skip_reason": "",
            "content": kind.content("09:15", sms),
            "metadata": '{"a": 1}',
        }


def test_planned_rows_of_ours_and_of_older_schedulers_come_in_contact_order(
    open_with: Open,
) -> None:
    sql = modern_schedules() + "".join(
        planned_row(c, t, "2026-12-01", ideal_send_date=ideal, event_year=2026)
        for c, t, ideal in [(7, "a", "2026-01-01"), (1, "b", None), (7, "c", None), (1, "d", "x")]
    )
    for stage in ("old", "indexed"):
        table = open_with(sql, stage).read(range_tables.PLANNED, EVERYONE)
        assert column(table, "contact_id") == [1, 1, 7, 7]
        assert sorted(column(table, "email_type")) == ["a", "b", "c", "d"]
        by_type = dict(
            zip(column(table, "email_type"), column(table, "ideal_send_date"), strict=True)
        )
        assert by_type == {"a": "2026-01-01", "b": "", "c": "", "d": "x"}


def test_few_texts_are_read_as_codes(open_with: Open) -> None:
    sql = modern_schedules() + "".join(
        planned_row(n, f"type_{n % 3}", "2026-12-01", ideal_send_date="x") for n in range(50)
    )
    table = (
        open_with(sql, "indexed").read(range_tables.PLANNED, ContactRange(0, 49)).combine_chunks()
    )
    assert column(table, "email_type") == [f"type_{n % 3}" for n in range(50)]
    assert len(table.column("email_type").chunk(0).dictionary) == 3


@pytest.mark.parametrize("column_name", ["ideal_send_date", "status", "event_year", "metadata"])
def test_a_missing_column_of_email_schedules_reads_as_nothing(
    open_with: Open, column_name: str
) -> None:
    names = ["id", "contact_id", "email_type", "scheduled_send_date", "status"]
    names += ["ideal_send_date", "event_year", "metadata"]
    kept = ", ".join(n for n in names if n != column_name)
    sql = f"""CREATE TABLE email_schedules ({kept});
        INSERT INTO email_schedules ({kept}) SELECT {kept} FROM (SELECT 1 AS id, 1 AS contact_id,
        'x' AS email_type, '2026-01-01' AS scheduled_send_date, 'skipped' AS status,
        NULL AS ideal_send_date, 2026 AS event_year, NULL AS metadata)"""
    snapshot = open_with(sql)
    (row,) = snapshot.read(range_tables.PLANNED, EVERYONE).to_pylist()
    assert row["scheduled"] == (column_name == "status")
    assert snapshot.read(range_tables.COMMITTED, EVERYONE).num_rows == 0


def test_a_table_of_text_ids_is_read_by_number(open_with: Open) -> None:
    sql = """CREATE TABLE email_schedules (id INTEGER PRIMARY KEY, contact_id TEXT, status TEXT);
        INSERT INTO email_schedules (contact_id, status)
        VALUES ('7', 'sent'), ('10', 'sent'), ('1', 'skipped'), ('abc', 'sent')"""
    snapshot = open_with(sql)
    assert column(snapshot.read(range_tables.COMMITTED, ContactRange(5, 20)), "contact_id") == [
        7,
        10,
    ]
    assert column(snapshot.read(range_tables.PLANNED, ContactRange(1, 5)), "contact_id") == [1]


def test_an_index_of_our_name_that_is_not_ours_is_not_relied_on(open_with: Open) -> None:
    sql = SOME_ROWS + "CREATE INDEX almanac_committed ON email_schedules (status)"
    assert column(open_with(sql).read(range_tables.COMMITTED, EVERYONE), "id") == [2, 5, 1]


@pytest.mark.parametrize("stage", STAGES)
def test_everything_is_empty_where_there_are_only_contacts(open_with: Open, stage: str) -> None:
    snapshot = open_with("", stage)
    assert snapshot.read(range_tables.COMMITTED, EVERYONE) == selects.COMMITTED_SCHEMA.empty_table()
    assert snapshot.read(range_tables.PLANNED, EVERYONE).num_rows == 0
    assert snapshot.read(range_tables.PLANNED, EVERYONE).schema == selects.PLANNED_SCHEMA
    assert snapshot.read(range_tables.TARGETS, EVERYONE) == selects.TARGETS_SCHEMA.empty_table()
    assert (
        snapshot.read(range_tables.CLICKS, EVERYONE, "2026-01-01")
        == selects.CLICKS_SCHEMA.empty_table()
    )
    assert (
        snapshot.read(range_tables.ANSWERS, EVERYONE, "2026-01-01")
        == selects.ANSWERS_SCHEMA.empty_table()
    )
    assert snapshot.read(range_tables.ISSUES, EVERYONE) == selects.ISSUES_SCHEMA.empty_table()
    assert snapshot.suppressions() == selects.SUPPRESSIONS_SCHEMA.empty_table()
    assert snapshot.read(range_tables.LEGACY, EVERYONE).num_rows == 0
    assert not snapshot.has_legacy_rate_increases()
    assert occupancy(snapshot.counted_days("2026-01-01"), {}, Counter[str]).num_rows == 0
    assert not snapshot.scheduled_dated("2026-01-01")
    assert snapshot.committed_campaigns("2026-01-01").num_rows == 0
    assert snapshot.campaign_types() == snapshot.campaign_instances() == []
    assert snapshot.unknown_targets(ContactColumns()) == 0
    assert snapshot.next_instance_id() == 1
    assert snapshot.last_config() is None
    assert snapshot.last_run() is None


@pytest.mark.parametrize("place", ["root", "leaf"])
def test_damaged_pages_are_an_error_that_names_the_file(
    tmp_path: Path, place: str, way: str
) -> None:
    rows = (planned_row(n, "x" * 100, "2026-12-01", status="sent") for n in range(2000))
    path = make(tmp_path / "agency.sqlite3", modern_schedules() + "".join(rows))
    (root,) = change(path, "SELECT rootpage FROM sqlite_schema WHERE name = 'email_schedules'")
    octets = bytearray(path.read_bytes())
    page = int(root[0]) - 1 if place == "root" else len(octets) // 4096 - 3
    octets[page * 4096 : page * 4096 + 4096] = b"\x55" * 4096
    path.write_bytes(octets)
    with OPENERS[way](path) as snapshot, pytest.raises(DatabaseError, match=r"agency\.sqlite3"):
        snapshot.read(range_tables.COMMITTED, EVERYONE)


def test_a_snapshot_that_is_no_database_is_an_error(tmp_path: Path, way: str) -> None:
    path = tmp_path / "agency.sqlite3"
    path.write_bytes(b"no database at all" * 100)
    with pytest.raises(DatabaseError, match=r"agency\.sqlite3: not an SQLite database"):
        OPENERS[way](path)
