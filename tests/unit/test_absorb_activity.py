"""What contacts did, coming in as events."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.intake_calls import absorbed, received, refused
from tests.support.tiny import Agency


@pytest.fixture
def agency(tmp_path: Path) -> Agency:
    made = Agency(tmp_path / "agency.sqlite3")
    made.contact(1)
    made.contact(2, email="both@example.com")
    made.contact(3, email="both@example.com")
    made.sent("birthday", "2026-11-20", contact_id=2, id=7)
    return made


def test_a_click_is_a_row_at_its_time_in_the_organizations_zone(agency: Agency) -> None:
    absorbed(
        agency,
        received(
            "activity",
            {"type": "Click", "contact_id": 1, "at": "2026-11-21T02:00:00Z", "url": "https://x"},
            {"type": "click", "email": "USER1@example.com", "at": "2026-11-21T08:00:00"},
            {"type": "click", "message": "7", "email": "both@example.com"},
            {"type": "click", "contact_id": 3, "message": 99, "at": 1795255200},
        ),
    )
    assert agency.query("SELECT contact_id, clicked_at, url, metadata FROM tracking_clicks") == [
        (1, "2026-11-20 20:00:00", "https://x", None),
        (1, "2026-11-21 08:00:00", None, None),
        (2, "2026-11-21 08:00:00", None, '{"message": 7}'),
        (3, "2026-11-21 04:00:00", None, None),
    ]


def test_a_click_without_metadata_has_what_the_agencys_table_has_by_default(
    agency: Agency,
) -> None:
    agency.query("DROP TABLE tracking_clicks")
    agency.query(
        "CREATE TABLE tracking_clicks (contact_id, clicked_at, metadata NOT NULL DEFAULT '{}')"
    )
    absorbed(agency, received("activity", {"type": "click", "contact_id": 1}))
    assert agency.query("SELECT contact_id, url, metadata FROM tracking_clicks") == [
        (1, None, "{}")
    ]


def test_an_answer_is_an_event_with_its_metadata(agency: Agency) -> None:
    metadata = {"main_questions_yes_count": 1}
    absorbed(
        agency,
        received(
            "activity",
            {"type": "Eligibility_Answered", "contact_id": 1, "metadata": metadata},
            {"type": "Opened", "contact_id": 1, "url": "https://x"},
            {"type": "Called", "message": 7, "metadata": {"minutes": 3}},
        ),
    )
    assert agency.query(
        "SELECT contact_id, event_type, created_at, metadata FROM contact_events"
    ) == [
        (1, "eligibility_answered", "2026-11-21 08:00:00", '{"main_questions_yes_count": 1}'),
        (1, "Opened", "2026-11-21 08:00:00", '{"url": "https://x"}'),
        (2, "Called", "2026-11-21 08:00:00", '{"message": 7, "minutes": 3}'),
    ]


def test_activity_of_no_contact_is_refused(agency: Agency) -> None:
    absorbed(
        agency,
        received(
            "activity",
            {"type": "click", "contact_id": 9},
            {"type": "click", "email": "nobody@example.com"},
            {"type": "click", "email": "both@example.com"},
            {"type": "click", "message": 99},
            {"type": "click", "contact_id": 1},
        ),
    )
    assert [why for _, why in refused(agency)] == [
        "contact_id: no contact has the id 9",
        "email: 'nobody@example.com': there is no such contact",
        "email: 'both@example.com': 2 contacts have it, 2 and 3 among them; expected contact_id",
        "message: no row has the id 99",
    ]
    assert agency.query("SELECT count(*) FROM tracking_clicks") == [(1,)]


def test_a_table_that_takes_no_rows_costs_the_entries_for_it(agency: Agency) -> None:
    agency.query("DROP TABLE tracking_clicks")
    agency.query("CREATE VIEW tracking_clicks AS SELECT 1 AS contact_id, '' AS clicked_at")
    done = absorbed(
        agency,
        received("activity", {"type": "click", "contact_id": 1}),
        received("suppressions", {"contact_id": 1}, event_id="e2"),
    )
    assert refused(agency) == [(0, "tracking_clicks is a view here; Almanac needs a table")]
    assert done.events == {"activity": 1, "suppressions": 1}
    assert agency.query("SELECT contact_id FROM suppressions") == [(1,)]
