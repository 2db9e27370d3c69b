"""Entries that the agency's own constraints and triggers refuse: each costs itself alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from almanac.errors import DatabaseError
from almanac.intake.claims import Honoured, honour
from tests.support.intake_calls import absorbed, received, refused
from tests.support.tiny import Agency

STATUSES = "SELECT id, status FROM email_schedules ORDER BY id"
HOWS = {"ABORT, 'not here'": "not here", "IGNORE": "a trigger leaves the row as it is"}
_GUARD = "CREATE TRIGGER guard BEFORE {} WHEN {} BEGIN SELECT RAISE({}); END"


@pytest.fixture
def agency(tmp_path: Path) -> Agency:
    made = Agency(tmp_path / "agency.sqlite3")
    for contact in range(1, 7):
        made.contact(contact)
        made.sent("birthday", "2026-11-23", id=contact, contact_id=contact, status="pre-scheduled")
    made.campaign(4)
    made.campaign(5)
    return made


def guard(agency: Agency, event: str, when: str, how: str = "ABORT, 'not here'") -> None:
    """A trigger that refuses writes."""
    agency.query(_GUARD.format(event, when, how))


def mark(row: int, status: str, minute: int = 0, **columns: Any) -> dict[str, Any]:
    return {"id": row, "status": status, "at": f"2026-11-23T09:{minute:02}:00"} | columns


def test_a_status_that_the_table_does_not_know_costs_the_marks_that_have_it(
    agency: Agency,
) -> None:
    guard(agency, "UPDATE ON email_schedules", "new.status = 'bounced'")
    days = [mark(row, status) for row in range(1, 7) for status in ("processing", "sent")]
    done = absorbed(agency, received("deliveries", mark(2, "bounced"), *days, mark(5, "bounced")))
    assert refused(agency) == [
        (0, "the database refuses it: not here"),
        (13, "the database refuses it: not here"),
    ]
    assert agency.query(STATUSES) == [(row, "sent") for row in range(1, 7)]
    assert agency.query("SELECT status, count(*) FROM message_deliveries GROUP BY 1") == [
        ("processing", 6),
        ("sent", 6),
    ]
    assert agency.query("SELECT count(*) FROM suppressions") == [(0,)]
    assert (done.committed, done.pre_scheduled, done.entries) == (6, 6, {"deliveries": 12})


def test_a_number_of_the_provider_that_another_row_has_costs_its_mark(agency: Agency) -> None:
    agency.query("ALTER TABLE email_schedules ADD COLUMN sendgrid_message_id TEXT")
    agency.query("CREATE UNIQUE INDEX once ON email_schedules (sendgrid_message_id)")
    ids = ["a", "b", "a", "c"]
    marks = [mark(row, "sent", sendgrid_message_id=x) for row, x in enumerate(ids, start=1)]
    absorbed(agency, received("deliveries", *marks))
    ((index, why),) = refused(agency)
    assert index == 2
    assert "UNIQUE" in why
    assert agency.query(STATUSES)[:4] == [
        (1, "sent"),
        (2, "sent"),
        (3, "pre-scheduled"),
        (4, "sent"),
    ]


def test_a_mark_that_a_trigger_drops_is_refused(agency: Agency) -> None:
    guard(agency, "UPDATE ON email_schedules", "new.status = 'sent' AND new.id = 3", "IGNORE")
    absorbed(agency, received("deliveries", *(mark(row, "sent") for row in range(1, 5))))
    assert refused(agency) == [(2, "the database refuses it: a trigger leaves the row as it is")]
    assert agency.query("SELECT id FROM email_schedules WHERE status = 'sent'") == [
        (1,),
        (2,),
        (4,),
    ]
    assert agency.query("SELECT count(*) FROM message_deliveries") == [(3,)]


@pytest.mark.parametrize("how", HOWS)
def test_a_claim_whose_day_a_trigger_forbids_is_refused(agency: Agency, how: str) -> None:
    moved = "UPDATE OF scheduled_send_date ON email_schedules"
    guard(agency, moved, "new.scheduled_send_date <> old.scheduled_send_date", how)
    claim = mark(1, "processing", scheduled_send_date="2026-11-20")
    absorbed(agency, received("deliveries", claim, mark(2, "processing")))
    ((index, why),) = refused(agency)
    assert index == 0
    assert why.startswith("is of 2026-11-23 now, and the database refuses it: ")
    assert agency.query(STATUSES)[:2] == [(1, "pre-scheduled"), (2, "processing")]


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize(
    ("kind", "event", "table", "left"),
    [
        ("suppressions", "INSERT ON suppressions", "suppressions", [(1,), (3,)]),
        ("activity", "INSERT ON contact_events", "contact_events", [(1,), (3,)]),
        ("targets", "INSERT ON contact_campaigns", "contact_campaigns", [(1,), (3,)]),
    ],
)
def test_a_new_row_that_the_table_refuses_costs_its_entry(
    agency: Agency, kind: str, event: str, table: str, left: list[tuple[int]], how: str
) -> None:
    kinds: dict[str, dict[str, Any]] = {
        "suppressions": {"reason": "wish"},
        "activity": {"type": "answered"},
        "targets": {"campaign_instance_id": 4, "trigger_date": "2026-12-24"},
    }
    more = kinds[kind]
    absorbed(agency, received(kind, {"contact_id": 6} | more))
    guard(agency, event, "new.contact_id = 2", how)
    entries = [{"contact_id": contact} | more for contact in (1, 2, 3)]
    done = absorbed(agency, received(kind, *entries, event_id="e2"))
    assert [index for index, _ in refused(agency)] == [1]
    assert agency.query(f"SELECT contact_id FROM {table} WHERE contact_id < 6") == left
    assert done.entries == {kind: 2}


def test_a_contact_that_the_table_refuses_costs_its_entry(agency: Agency) -> None:
    guard(agency, "UPDATE ON contacts", "new.state = 'NY' AND new.id = 2")
    absorbed(agency, received("contacts", *({"id": each, "state": "NY"} for each in (1, 2, 3))))
    assert [index for index, _ in refused(agency)] == [1]
    assert agency.query("SELECT id FROM contacts WHERE state = 'NY'") == [(1,), (3,)]


@pytest.mark.parametrize("how", HOWS)
def test_an_end_that_the_table_refuses_leaves_the_suppression_as_it_is(
    agency: Agency, how: str
) -> None:
    absorbed(agency, received("suppressions", {"contact_id": 1}, {"contact_id": 2}))
    guard(agency, "UPDATE ON suppressions", "new.contact_id = 1", how)
    ends = [{"action": "end", "contact_id": contact} for contact in (1, 2)]
    absorbed(agency, received("suppressions", *ends, event_id="e2"))
    assert refused(agency) == [(0, f"the database refuses it: {HOWS[how]}")]
    assert agency.query("SELECT contact_id FROM suppressions WHERE until IS NULL") == [(1,)]


def test_a_target_that_the_table_keeps_costs_its_removal(agency: Agency) -> None:
    for contact in (1, 2, 3):
        agency.target(4, "2026-12-24", contact)
    guard(agency, "DELETE ON contact_campaigns", "old.contact_id = 2")
    target = {"action": "remove", "campaign_instance_id": 4}
    absorbed(agency, received("targets", *(target | {"contact_id": each} for each in (1, 2, 3))))
    assert refused(agency) == [(1, "the database refuses it: not here")]
    assert agency.query("SELECT contact_id FROM contact_campaigns") == [(2,)]


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize(
    ("event", "when"),
    [
        ("INSERT ON campaign_change_log", "new.campaign_instance_id = 4"),
        ("UPDATE ON campaign_instances", "new.id = 4"),
    ],
)
def test_a_campaign_that_the_table_refuses_costs_its_entry_whole(
    agency: Agency, event: str, when: str, how: str
) -> None:
    fields = {"active_start_date": "2026-11-01"}
    absorbed(agency, received("campaigns", {"instance": {"id": 5} | fields}))
    guard(agency, event, when, how)
    fields = {"active_start_date": "2026-11-02"}
    changes = [{"instance": {"id": instance} | fields} for instance in (4, 5)]
    absorbed(agency, received("campaigns", *changes, event_id="e2"))
    assert refused(agency) == [(0, f"the database refuses it: {HOWS[how]}")]
    sql = "SELECT id FROM campaign_instances WHERE active_start_date = '2026-11-02'"
    assert agency.query(sql) == [(5,)]
    log = "SELECT campaign_instance_id FROM campaign_change_log WHERE event_id LIKE 'e2%'"
    assert agency.query(log) == [(5,)]


@pytest.mark.parametrize("how", HOWS)
def test_metadata_that_the_table_does_not_take_costs_its_target(agency: Agency, how: str) -> None:
    target = {"campaign_instance_id": 4, "trigger_date": "2026-12-24"}
    given = [target | {"contact_id": contact} for contact in (1, 2, 3)]
    absorbed(agency, received("targets", *given))
    guard(agency, "UPDATE ON contact_campaigns", "new.contact_id = 2", how)
    more = [each | {"metadata": {"premium": 9}} for each in given]
    absorbed(agency, received("targets", *more, event_id="e2"))
    assert refused(agency) == [(1, f"the database refuses it: {HOWS[how]}")]
    sql = "SELECT contact_id FROM contact_campaigns WHERE metadata LIKE '%premium%'"
    assert agency.query(sql) == [(1,), (3,)]


def test_marks_that_are_all_refused_are_not_tried_again_and_again(
    agency: Agency, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = []

    def counted(*given: Any) -> Honoured:
        tried.append(given)
        return honour(*given)

    monkeypatch.setattr("almanac.intake.deliveries.honour", counted)
    guard(agency, "UPDATE ON email_schedules", "1")
    days = [mark(row, status) for row in range(1, 7) for status in ("processing", "sent")]
    done = absorbed(agency, received("deliveries", *days))
    assert done.refused == 12
    assert len(tried) == 3  # all of them, then the first of each row, then the second


@pytest.mark.parametrize(
    ("kind", "table", "event"),
    [
        ("deliveries", "email_schedules", "UPDATE"),
        ("activity", "contact_events", "INSERT"),
        ("suppressions", "suppressions", "INSERT"),
    ],
)
def test_a_trigger_that_undoes_the_transaction_is_named_and_nothing_is_applied(
    agency: Agency, kind: str, table: str, event: str
) -> None:
    entries: dict[str, list[dict[str, Any]]] = {
        "deliveries": [mark(row, "sent") for row in (1, 2, 3)],
        "activity": [{"type": "answered", "contact_id": contact} for contact in (1, 2, 3)],
        "suppressions": [{"contact_id": contact} for contact in (1, 2, 3)],
    }
    absorbed(agency, received(kind, entries[kind][0]))
    column = "id" if kind == "deliveries" else "contact_id"
    guard(agency, f"{event} ON {table}", f"new.{column} = 2", "ROLLBACK, 'no'")
    with pytest.raises(DatabaseError, match=f"trigger guard of table {table} has undone"):
        absorbed(agency, received(kind, *entries[kind], event_id="e2"))
    assert agency.query("SELECT event_id FROM intake_log") == [("e1",)]
    assert agency.query("SELECT count(*) FROM suppressions") == [(kind == "suppressions",)]
