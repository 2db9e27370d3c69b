"""The search of contacts."""

from __future__ import annotations

import datetime as dt

import apsw
import pytest

from almanac.config import Config
from almanac.config_contacts import ContactColumns
from almanac.contacts.day import day_counts, day_rows
from almanac.contacts.find import FoundContacts, find
from almanac.errors import RequestError

ROWS = [
    (7, "Ada", "Lovelace", "Ada@Example.com", "(512) 555-0170"),
    (12, "Adam", "Love", "al@example.org", "1-512-555-0171"),
    (30, "José", "Ibáñez", "jose@example.com", None),
    (31, "Per_cent", "O'Neil", "100%@example.com", "3125550170.0"),
    (5550170, "Zoë", "", "z@example.com", ""),
]


@pytest.fixture(scope="module")
def database() -> apsw.Connection:
    connection = apsw.Connection(":memory:")
    connection.execute(
        "CREATE TABLE contacts (id INTEGER PRIMARY KEY, first_name, last_name, email, phone_number)"
    )
    connection.executemany("INSERT INTO contacts VALUES (?, ?, ?, ?, ?)", ROWS)
    return connection


def search(connection: apsw.Connection, text: str, limit: int = 50) -> FoundContacts:
    return find(connection, text, ContactColumns(), limit)


@pytest.mark.parametrize(
    ("text", "ids", "matched"),
    [
        ("7", [7], "id"),
        ("ada", [7, 12], "name"),
        ("love ADA", [7, 12], "name"),
        ("lovelace example.com", [7], "name"),
        ("@example.org", [12], "address"),
        ("ada@example.com", [7], "address"),
        ("512 555", [7, 12], "phone"),
        ("(512) 555-0171", [12], "phone"),
        ("+1 312 555 0170", [31], "phone"),
        ("5550170", [5550170], "id"),
        ("JOSÉ", [30], "name"),
        ("o'neil", [31], "name"),
        ("100%", [31], "address"),
        ("r_c", [31], "name"),
        ("nobody", [], None),
        ("999", [], None),
        ("; DROP TABLE contacts", [], None),
    ],
)
def test_a_contact_is_found_by_what_is_at_hand(
    database: apsw.Connection, text: str, ids: list[int], matched: str | None
) -> None:
    found = search(database, text)
    assert [each.id for each in found.contacts] == ids
    assert found.complete
    assert {each.matched for each in found.contacts} == ({matched} if ids else set())


def test_a_search_that_stops_at_its_limit_can_be_continued(database: apsw.Connection) -> None:
    first = search(database, "example", limit=2)
    assert ([each.id for each in first.contacts], first.complete) == ([7, 12], False)
    rest = find(database, "example", ContactColumns(), 50, after=first.reached)
    assert ([each.id for each in rest.contacts], rest.complete) == ([30, 31, 5550170], True)


def test_a_search_that_stops_after_its_time_says_how_far_it_came(
    database: apsw.Connection,
) -> None:
    found = find(database, "zo", ContactColumns(), seconds=0)
    assert not found.complete
    assert found.reached is not None
    rest = find(database, "zo", ContactColumns(), after=found.reached)
    assert [each.id for each in (*found.contacts, *rest.contacts)] == [5550170]


def test_an_address_is_looked_up_in_an_index_of_addresses() -> None:
    connection = apsw.Connection(":memory:")
    connection.execute("CREATE TABLE contacts (ref TEXT, mail TEXT UNIQUE, fullname TEXT)")
    connection.execute("INSERT INTO contacts VALUES ('5', 'a@example.com', 'Ada Lovelace')")
    columns = ContactColumns(columns={"id": "ref", "email": "mail"})
    found = find(connection, "A@example.com", columns)
    assert (found.by, [(each.id, each.name) for each in found.contacts]) == (
        "index",
        [(5, "Ada Lovelace")],
    )
    assert find(connection, "5", columns).contacts == [found.contacts[0]._replace(matched="id")]


def test_a_day_has_the_contacts_whose_ids_are_texts() -> None:
    connection = apsw.Connection(":memory:")
    connection.execute("CREATE TABLE contacts (id TEXT, email, first_name)")
    connection.execute("INSERT INTO contacts VALUES ('5', 'a@b.co', 'Ada'), ('5.0', '', 'Zoe')")
    connection.execute(
        "CREATE TABLE email_schedules (contact_id TEXT, scheduled_send_date, status)"
    )
    day = dt.date(2026, 12, 1)
    connection.executemany(
        "INSERT INTO email_schedules VALUES (?, ?, ?)",
        [("5.0", "2026-12-01", "sent"), ("5", "2026-12-01 00:00", None), ("x5", "2026-12-01", "")],
    )
    rows = list(day_rows(connection, day, day, Config()))
    assert [(row.contact_id, row.name, row.status) for row in rows] == [
        *((5, "Ada", "sent"), (5, "Ada", "")),
        (0, "", ""),
    ]
    (count,) = day_counts(connection, day, day, Config())
    assert (count.planned, count.of_sender) == (0, {"": 2, "sent": 1})


@pytest.mark.parametrize("text", ["", "  ", "x" * 201])
def test_a_text_that_means_no_contact_is_refused(database: apsw.Connection, text: str) -> None:
    with pytest.raises(RequestError, match="TEXT"):
        search(database, text)


def test_an_empty_table_has_no_contact() -> None:
    connection = apsw.Connection(":memory:")
    connection.execute("CREATE TABLE contacts (id INTEGER PRIMARY KEY, email)")
    found = search(connection, "ada")
    assert (found.contacts, found.complete) == ([], True)
