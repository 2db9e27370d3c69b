"""`almanac explain`: a contact by what is at hand, and a past day by what is recorded."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.cli_calls import almanac
from tests.support.tiny import Agency

AS_OF, BEFORE = "2026-11-21", "2026-11-10"


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs; between them one message of three was sent."""
    agency = Agency(tmp_path_factory.mktemp("past") / "agency.sqlite3")
    for column in ("first_name", "last_name"):
        agency.query(f"ALTER TABLE contacts ADD COLUMN {column} TEXT")
    born = "1950-11-24"  # its message is due on 10 November
    agency.contact(1, first_name="Ada", last_name="Love", birth_date=born)
    agency.contact(
        2, first_name="Adam", last_name="Love", birth_date=born, phone_number="5125550170"
    )
    agency.contact(3, "CA", first_name="Eve", last_name="Li", birth_date=born)
    agency.plan(BEFORE)
    ((row,),) = agency.query("SELECT id FROM email_schedules WHERE contact_id = 1")
    marks = agency.path.with_name("marks.csv")
    marks.write_text(f"id,status,at\n{row},sent,2026-11-10T15:00:00Z\n")
    assert almanac("mark", agency.path, marks).code == 0
    agency.plan("2026-11-25")
    return agency.path


def on(database: Path, who: str, day: str = BEFORE, *more: str) -> dict[str, object]:
    answer = almanac("explain", database, "--contact", who, "--on", day, *more, "--json")
    assert answer.code == 0, answer.err
    found: dict[str, object] = json.loads(answer.out)["on"]
    return found


def test_a_message_that_was_sent_is_found_with_what_the_sender_reported(database: Path) -> None:
    found = on(database, "user1@")
    assert found["verdict"] == ("On 2026-11-10 contact 1 has birthday (sent on 2026-11-10).")
    text = almanac("explain", database, "--contact", "1", "--on", BEFORE).out
    assert "On 2026-11-10, from history" in text
    assert "planned by the run 2026-11-10-" in " ".join(text.split())
    assert "reported: sent 2026-11-10" in text
    assert "A run replaces planned rows" in text


def test_a_message_that_was_not_sent_or_skipped_says_so(database: Path) -> None:
    assert "birthday (planned for the day and not sent by its deadline" in str(
        on(database, "5125550170")["verdict"]
    )
    verdict = str(on(database, "Eve")["verdict"])
    assert "Contact 3 got nothing on 2026-11-10, as far as is recorded" in verdict
    assert "birthday (skipped: Birthday exclusion window for CA" in verdict


def test_a_day_without_rows_names_those_around_it(database: Path) -> None:
    verdict = str(on(database, "1", "2026-11-12")["verdict"])
    assert "no row has that day; the last before is birthday on 2026-11-10" in verdict
    assert on(database, "1", "2026-12-24")["history"] is None


def test_a_text_that_means_several_contacts_lists_them(database: Path) -> None:
    answer = almanac("explain", database, "--contact", "love")
    assert (answer.code, answer.out) == (1, "")
    assert answer.err.splitlines() == [
        "Error: --contact: 'love' means 2 contacts; choose one by its id",
        "  1  Ada Love  user1@example.com",
        "  2  Adam Love  user2@example.com",
    ]


def test_a_text_that_means_no_contact_is_an_error(database: Path) -> None:
    answer = almanac("explain", database, "--contact", "zoe")
    assert (answer.code, answer.err) == (
        2,
        f"Error: --contact: {database} has no contact for 'zoe'\n",
    )
    answer = almanac("explain", database, "--contact", "77777777")
    assert (answer.code, "the nearest ids are 1, 2, 3" in answer.err) == (2, True)
