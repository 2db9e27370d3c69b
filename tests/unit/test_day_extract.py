"""The messages of some days, copied out of databases of any shape."""

from __future__ import annotations

from pathlib import Path

import apsw
import pytest

from almanac.config_contacts import ContactColumns
from almanac.database.blocks import Blocks
from almanac.database.catalog import describe
from almanac.database.day_extract import DayExtract, addresses_of_rows
from almanac.database.ranged import ranged_source
from almanac.database.sending import rows_to_send
from almanac.database.sources import Source, file_source
from tests.support.tiny import Agency

DAY, NEXT = "2026-11-23", "2026-11-24"
SETTINGS = ContactColumns()
SHAPES = {
    "plain": "",
    "as the sqlite3 shell imports": """
        CREATE TABLE other AS SELECT CAST(id AS TEXT) AS id, email, state, status FROM contacts;
        DROP TABLE contacts; ALTER TABLE other RENAME TO contacts;
        CREATE TABLE rows (id TEXT, contact_id TEXT, email_type TEXT, scheduled_send_date TEXT,
            scheduled_send_time TEXT, status TEXT);
        INSERT INTO rows SELECT id, contact_id, email_type, scheduled_send_date,
            scheduled_send_time, status FROM email_schedules;
        DROP TABLE email_schedules; ALTER TABLE rows RENAME TO email_schedules;""",
    "contacts as a view": """
        ALTER TABLE contacts RENAME TO people;
        CREATE VIEW contacts AS SELECT * FROM people WHERE id <> 2;""",
    "without rowids, and a text that is none": """
        CREATE TABLE other (id INTEGER PRIMARY KEY, email TEXT, state TEXT, status TEXT)
            WITHOUT ROWID;
        INSERT INTO other SELECT id, CAST(x'ff40782e6f7267' AS TEXT), state, status FROM contacts;
        DROP TABLE contacts; ALTER TABLE other RENAME TO contacts;""",
}


@pytest.fixture(params=SHAPES)
def agency(request: pytest.FixtureRequest, tmp_path: Path) -> Agency:
    """Rows 1 to 4, of which 2 is claimed and 4 is of the day after."""
    made = Agency(tmp_path / "agency.sqlite3")
    for number in (1, 2, 3, 4):
        made.contact(number)
        status = "processing" if number == 2 else "pre-scheduled"
        made.sent("birthday", NEXT if number == 4 else DAY, number, id=number, status=status)
    made.query(
        "CREATE TABLE message_deliveries (id INTEGER PRIMARY KEY, schedule_id INT, status TEXT)"
    )
    made.query("INSERT INTO message_deliveries VALUES (7, 2, 'processing'), (8, 1, 'sent')")
    with apsw.Connection(str(made.path)) as connection:
        connection.execute(SHAPES[request.param])
    return made


def ranged(path: Path) -> Source:
    content = path.read_bytes()
    blocks = Blocks(path.name, len(content), lambda start, length: content[start : start + length])
    return ranged_source(path, blocks)


@pytest.mark.parametrize("by_ranges", [False, True])
def test_what_a_sender_takes_of_an_extract_is_what_it_takes_of_the_database(
    agency: Agency, by_ranges: bool
) -> None:
    source = ranged(agency.path) if by_ranges else file_source(agency.path)
    with DayExtract(source, SETTINGS) as extract:
        extract.add_days(DAY, DAY)
        data = extract.data()
    with DayExtract(source, SETTINGS, data) as extract:
        extract.add_rows([4, 77])
        more = extract.data()
    # without a key rows get other ids with their first run: those of no day are not added
    table = describe(source.connection, "email_schedules")
    keyed = table is not None and table.rowid_alias == "id"
    for content, days in ((data, (DAY,)), (more, (DAY, NEXT) if keyed else (DAY,))):
        copy = apsw.Connection(":memory:")
        copy.deserialize("main", content)
        for day in days:
            for claimed in (False, True):
                of_copy, of_source = (
                    list(rows_to_send(each, day, ["email"], SETTINGS, claimed=claimed))
                    for each in (copy, source.connection)
                )
                assert of_copy == of_source
        copy.close()
    source.close()


def test_addresses_are_read_in_threads(tmp_path: Path) -> None:
    agency = Agency(tmp_path / "agency.sqlite3")
    for number in range(1, 40):
        agency.contact(number, email=f" User{number}@X.org ")
        agency.sent("birthday", DAY, number, id=100 + number)
    source = file_source(agency.path)
    found = addresses_of_rows(source, SETTINGS, [*range(90, 200)])
    assert found == {100 + number: f"user{number}@x.org" for number in range(1, 40)}
    assert addresses_of_rows(source, SETTINGS, []) == {}
    source.close()
