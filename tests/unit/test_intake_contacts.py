"""Contacts come in by events: inserted, changed and deactivated, as planning reads them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.intake_calls import absorbed, received, refused
from tests.support.tiny import Agency
from tests.support.undo_calls import copy_of


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    agency = Agency(tmp_path_factory.mktemp("made") / "agency.sqlite3")
    agency.contact(1, birth_date="1950-02-01")
    agency.contact(2, email=" Ada@Example.com ")
    agency.contact(3, email="shared@example.com")
    agency.contact(4, email="Shared@example.com")
    return agency.path


@pytest.fixture
def agency(made: Path, tmp_path: Path) -> Agency:
    return copy_of(made, tmp_path / "agency.sqlite3")


def contact(agency: Agency, contact_id: int, *columns: str) -> tuple[Any, ...]:
    (row,) = agency.query(f"SELECT {', '.join(columns)} FROM contacts WHERE id = ?", contact_id)
    return row


def test_contacts_are_found_by_id_or_address_and_else_inserted(agency: Agency) -> None:
    done = absorbed(
        agency,
        received(
            "contacts",
            {"id": "1", "state": "FL", "birth_date": "1950-03-02T00:00:00"},
            {"email": "ada@example.com", "state": "CA"},
            {"email": "new@example.com", "zip_code": 73301},
            {"id": 9, "email": "nine@example.com"},
            {"email": "new@example.com", "carrier": "Acme"},
        ),
    )
    assert done.contacts_added == 2
    assert refused(agency) == []
    assert contact(agency, 1, "state", "birth_date") == ("FL", "1950-03-02T00:00:00")
    assert contact(agency, 2, "email", "state") == (" Ada@Example.com ", "CA")
    assert contact(agency, 9, "email", "created_at") == ("nine@example.com", "2026-11-21 14:00:00")
    assert agency.query(
        "SELECT zip_code, carrier FROM contacts WHERE email = 'new@example.com'"
    ) == [("73301", "Acme")]


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"email": "shared@example.com", "state": "TX"}, "2 contacts have it, 3 and 4 among them"),
    ({"id": 1, "birth_date": "06/15/1990"}, "birth_date: '06/15/1990' is not a date"),
    ({"id": 1, "birth_date": "1900-01-01"}, "a date YYYY-MM-DD from 1901-01-01 to 2026-11-21"),
    ({"id": 1, "birth_date": "2026-11-22"}, "birth_date: '2026-11-22' is not a date"),
    ({"id": 1, "state": "Texass"}, "state: 'Texass' is not a USPS state code"),
    ({"id": 1, "zip_code": "1"}, "zip_code: '1' is not a known ZIP code"),
    ({"id": 1, "phone_number": "n/a"}, "phone_number: 'n/a' is not a phone number"),
    ({"id": 1, "failed_underwriting": "maybe"}, "'maybe' is neither true nor false"),
    ({"id": 1, "birth_dat": "1950-01-01"}, "birth_dat: is not a column that can be written; "),
    ({"id": 1, "state": ["TX"]}, "state"),
    ({"id": 77, "state": "TX"}, "email: no contact has the id 77, and a new one needs it"),
    ({"id": "003Hs", "state": "TX"}, "'003Hs' is not an id"),
    ({"id": 10**18, "email": "x@example.com"}, "id: 1000000000000000000 has more than 18"),
    ({"email": "nobody", "state": "TX"}, "email: 'nobody' is not an e-mail address"),
    ({"action": "deactivate", "id": 77}, "id: 77: there is no such contact"),
    ({"action": "delete", "id": 1}, "action"),
]


def test_an_entry_that_cannot_be_read_costs_that_entry(agency: Agency) -> None:
    before = agency.query("SELECT * FROM contacts")
    absorbed(agency, received("contacts", *(entry for entry, _ in WRONG), {"id": 2, "state": "NY"}))
    found = refused(agency)
    assert [index for index, _ in found] == list(range(len(WRONG)))
    for (entry, why), (_, reason) in zip(WRONG, found, strict=True):
        assert why in reason, entry
    after = agency.query("SELECT * FROM contacts")
    assert [row for row in after if row[0] != 2] == [row for row in before if row[0] != 2]
    assert contact(agency, 2, "state") == ("NY",)


def test_entries_of_one_batch_see_each_other(agency: Agency) -> None:
    absorbed(
        agency,
        received("contacts", {"email": "late@example.com", "state": "CA"}, event_id="b", minutes=1),
        received(
            "contacts",
            {"id": 3, "email": "late@example.com"},
            {"email": "shared@example.com", "state": "NV"},
            event_id="a",
        ),
    )
    assert refused(agency) == []
    assert contact(agency, 3, "email", "state") == ("late@example.com", "CA")
    assert contact(agency, 4, "state") == ("NV",)


def test_columns_that_planning_reads_are_added_and_others_are_not(agency: Agency) -> None:
    agency.query("ALTER TABLE contacts DROP COLUMN phone_number")
    agency.query("ALTER TABLE contacts ADD COLUMN nickname TEXT")
    flags = {"do_not_contact": "yes", "sms_ok": True}
    absorbed(
        agency,
        received("contacts", {"id": 1, "phone_number": 5125550123, "Nickname": "Al"} | flags),
        config={"contacts": {"sms_consent_columns": ["SMS_ok"]}},
    )
    columns = ("phone_number", "nickname", "do_not_contact", "sms_ok")
    assert refused(agency) == []
    assert contact(agency, 1, *columns) == ("5125550123", "Al", "1", 1)
    assert contact(agency, 2, *columns) == (None, None, None, None)


def test_mapped_columns_and_old_names_are_written_where_planning_reads_them(
    agency: Agency,
) -> None:
    agency.query("ALTER TABLE contacts DROP COLUMN birth_date")
    agency.query("ALTER TABLE contacts RENAME COLUMN effective_date TO policy_start")
    absorbed(
        agency,
        received(
            "contacts",
            {"id": 1, "birth_date": "1951-05-05", "effective_date": "2020-01-01"},
            {"id": 2, "birth_date": "1951-05-05", "birthday": "1952-05-05"},
        ),
        config={"contacts": {"columns": {"effective_date": "policy_start"}}},
    )
    assert contact(agency, 1, "birthday", "policy_start") == ("1951-05-05", "2020-01-01")
    assert refused(agency) == [(1, "birthday: the column birthday is given twice")]


def test_a_deactivated_contact_stays_and_is_no_longer_active(agency: Agency) -> None:
    agency.contact(5, status="Lapsed")
    done = absorbed(
        agency,
        received(
            "contacts",
            {"action": "deactivate", "email": "user1@example.com"},
            {"action": "deactivate", "id": 5},
            replan=True,
        ),
    )
    assert contact(agency, 1, "status") == ("inactive",)
    assert contact(agency, 5, "status") == ("Lapsed",)
    assert done.replan_contacts.tolist() == [1]


def test_what_changes_nothing_affects_nobody_and_null_empties_a_column(agency: Agency) -> None:
    done = absorbed(
        agency,
        received(
            "contacts",
            {"id": 1, "birth_date": "1950-02-01", "state": "TX"},
            {"id": 2, "state": None},
            {"email": "new@example.com"},
            replan=True,
        ),
    )
    assert contact(agency, 2, "state") == (None,)
    assert done.replan_contacts.tolist() == [2, 5]


def test_ids_that_are_text_are_the_numbers_that_they_mean(tmp_path: Path) -> None:
    agency = Agency(tmp_path / "agency.sqlite3")
    agency.query("DROP TABLE contacts")
    agency.query("CREATE TABLE contacts (id TEXT, email TEXT UNIQUE, state TEXT)")
    for text in ("42", "7.0", "003Hs", "9"):
        agency.insert("contacts", id=text, email=f"{text}@example.com")
    agency.insert("contacts", id="9", email="other@example.com")
    absorbed(
        agency,
        received(
            "contacts",
            {"id": 42, "state": "CA"},
            {"id": 7, "state": "NV"},
            {"id": 3, "state": "NY"},
            {"email": "new@example.com"},
            {"id": 50, "email": "new@example.com"},
            {"id": 9, "state": "NY"},
        ),
    )
    rows = dict(agency.query("SELECT id, state FROM contacts"))
    assert rows == {"42": "CA", "7.0": "NV", "003Hs": None, "9": None, "43": None}
    assert refused(agency) == [
        (2, "email: no contact has the id 3, and a new one needs it"),
        (4, "email: another contact has this value, and the table contacts allows it once"),
        (5, "id: 2 rows of contacts have the id 9"),
    ]


@pytest.mark.parametrize(
    ("table", "why"),
    [
        ("email TEXT UNIQUE ON CONFLICT REPLACE", "email: another contact has this value"),
        ("email TEXT UNIQUE ON CONFLICT ROLLBACK", "email: another contact has this value"),
        ("email TEXT, name TEXT NOT NULL", "name: is missing; the table contacts needs a value"),
        ("email TEXT CHECK (email NOT LIKE 'user%')", "CHECK constraint failed"),
    ],
)
def test_what_the_table_refuses_costs_that_entry_and_no_row(
    tmp_path: Path, table: str, why: str
) -> None:
    agency = Agency(tmp_path / "agency.sqlite3")
    agency.query("DROP TABLE contacts")
    agency.query(f"CREATE TABLE contacts (id INTEGER PRIMARY KEY, {table})")
    named = {"name": "Ada"} if "name" in table else {}
    agency.insert("contacts", id=1, email="old@example.com", **named)
    new = {"id": 2, "email": "user@example.com" if "CHECK" in table else "old@example.com"}
    absorbed(agency, received("contacts", new, {"id": 3, "email": "new@example.com"} | named))
    ((index, found),) = refused(agency)
    assert (index, why in found) == (0, True), found
    assert agency.query("SELECT id, email FROM contacts") == [
        (1, "old@example.com"),
        (3, "new@example.com"),
    ]


def test_a_table_without_rowid_is_written_by_its_ids(tmp_path: Path) -> None:
    agency = Agency(tmp_path / "agency.sqlite3")
    agency.query("DROP TABLE contacts")
    columns = "id INTEGER PRIMARY KEY, email TEXT, twice TEXT AS (email || email)"
    agency.query(f"CREATE TABLE contacts ({columns}) WITHOUT ROWID")
    agency.query("INSERT INTO contacts VALUES (7, 'seven@example.com')")
    absorbed(
        agency,
        received(
            "contacts",
            {"email": "SEVEN@example.com", "state": "CA"},
            {"email": "new@example.com"},
            {"id": 7, "twice": "x"},
        ),
    )
    rows = agency.query("SELECT id, email, state FROM contacts")
    assert rows == [(7, "seven@example.com", "CA"), (8, "new@example.com", None)]
    assert refused(agency) == [(2, "twice: cannot be written: the database computes it")]
