"""Which of what waits concerns the messages of a day."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import apsw

from almanac.config_contacts import ContactColumns
from almanac.intake.concerning import DayKeys, concerning
from tests.support.intake_calls import received

KEYS = DayKeys({1: 10, 2: 20}, lambda: {10, 20}, lambda: {"a@x.org", "b@x.org"})


def chosen(*events: Any, claimed: bool = False) -> tuple[list[Any], set[int], list[int]]:
    """The entries that are kept, the further rows, and the rows that were looked up."""
    asked: list[int] = []

    def addresses_of(rows: Collection[int]) -> dict[int, str]:
        asked.extend(sorted(rows))
        return {row: "b@x.org" if row == 7 else "other@x.org" for row in rows}

    found = concerning(KEYS, events, addresses_of, claimed=claimed)
    entries = [entry for event in found.events for entry in event.event["entries"]]
    return entries, set(found.further), asked


def mark(row: object, status: str, **more: object) -> dict[str, object]:
    return {"id": row, "status": status, **more}


def test_of_a_mark_what_it_must_match_is_enough_unless_claims_are_asked_for() -> None:
    claim = mark("1", "processing", contact_id=10, metadata={"a": 1})
    marks = received("deliveries", claim, mark(1, "sent"), mark(3, "sent"), mark(2, "retry"))
    entries, _, _ = chosen(marks)
    assert entries == [{"id": "1", "status": "processing", "contact_id": 10}, mark(1, "sent")]
    entries, further, _ = chosen(marks, received("deliveries", mark(3, "processing")), claimed=True)
    assert entries == [claim, mark(1, "sent"), mark(3, "sent"), mark(3, "processing")]
    assert further == {3}


def test_a_claim_that_names_another_contact_does_not_hide_the_next() -> None:
    wrong, right = mark(1, "sent", contact_id=99), mark(1, "sent", contact_id=10)
    assert chosen(received("deliveries", wrong, right))[0] == [wrong, right]


def test_bounces_of_other_days_count_if_their_address_is_one_of_the_day() -> None:
    bounces = received(
        "deliveries",
        mark(5, "bounced", email="A@x.org "),
        mark(6, "bounced", email="c@x.org"),
        mark(7, "complaint"),
        mark(8, "bounced"),
    )
    entries, further, asked = chosen(bounces)
    assert [each["id"] for each in entries] == [5, 7]
    assert (further, asked) == ({5, 7}, [7, 8])


def test_a_contact_of_the_day_brings_its_new_address() -> None:
    events = [
        received("suppressions", {"email": "new@x.org"}, {"email": "c@x.org"}, {"phone": "1"}),
        received("contacts", {"id": 10, "email": "New@x.org"}, {"id": 77, "email": "c@x.org"}),
    ]
    entries, _, _ = chosen(*events)
    assert sorted(map(str, entries)) == sorted(
        map(str, [{"id": 10, "email": "New@x.org"}, {"email": "new@x.org"}, {"phone": "1"}])
    )


def test_no_address_is_no_address_of_the_day() -> None:
    connection = apsw.Connection(":memory:")
    connection.execute("CREATE TABLE contacts (id INTEGER PRIMARY KEY, email TEXT)")
    connection.execute("CREATE TABLE email_schedules (id INTEGER PRIMARY KEY, contact_id INT)")
    connection.execute("INSERT INTO contacts VALUES (1, ' '), (2, 'X@x.org ')")
    connection.execute("INSERT INTO email_schedules VALUES (5, 2)")
    keys = DayKeys.of(connection, ContactColumns())
    assert (keys.rows, keys.contacts, keys.addresses) == ({5: 2}, {1, 2}, {"x@x.org"})
    connection.execute("DROP TABLE email_schedules")
    keys = DayKeys.of(connection, ContactColumns())
    assert (keys.rows, keys.contacts, keys.addresses) == ({}, set(), set())
