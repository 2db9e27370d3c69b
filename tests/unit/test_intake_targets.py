"""Targets of campaigns come in by events: added and removed, by contact id or address."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.intake_calls import absorbed, received, refused
from tests.support.tiny import Agency
from tests.support.undo_calls import copy_of

DAY, LATER = "2027-02-01", "2027-05-01"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    agency = Agency(tmp_path_factory.mktemp("made") / "agency.sqlite3")
    for number in (1, 2, 3):
        agency.contact(number)
    agency.contact(4, email="USER3@example.com")
    agency.campaign(1)
    agency.campaign(2)
    return agency.path


@pytest.fixture
def agency(made: Path, tmp_path: Path) -> Agency:
    return copy_of(made, tmp_path / "agency.sqlite3")


def targets(agency: Agency, instance: int = 1) -> list[tuple[Any, ...]]:
    return agency.query(
        "SELECT contact_id, trigger_date, status, metadata FROM contact_campaigns "
        "WHERE campaign_instance_id = ? ORDER BY contact_id, trigger_date",
        instance,
    )


def target(contact_id: int, day: str | None = DAY, **more: Any) -> dict[str, Any]:
    return {"campaign_instance_id": 1, "contact_id": contact_id, "trigger_date": day} | more


def test_targets_are_added_by_id_and_by_address(agency: Agency) -> None:
    done = absorbed(
        agency,
        received(
            "targets",
            target(1, metadata={"premium": 120}),
            {"campaign_instance_id": "2", "email": " User2@example.com "},
            target(1, LATER),
            replan=True,
        ),
    )
    assert refused(agency) == []
    assert targets(agency) == [(1, DAY, "pending", '{"premium": 120}'), (1, LATER, "pending", None)]
    assert targets(agency, 2) == [(2, None, "pending", None)]
    assert done.replan_contacts.tolist() == [1, 2]


def test_the_same_target_twice_is_one_and_gets_the_later_metadata(agency: Agency) -> None:
    agency.target(1, DAY, 2, status="scheduled", metadata='{"premium": 1, "plan": "G"}')
    agency.target(1, DAY, 3, status="sent", metadata='{"premium": 1}')
    absorbed(
        agency,
        received(
            "targets",
            target(1, metadata={"premium": 1, "plan": "N"}),
            target(1, metadata={"premium": 2}),
            target(2, metadata={"premium": 2}),
            target(3, metadata={"premium": 2}),
        ),
    )
    assert targets(agency) == [
        (1, DAY, "pending", '{"premium": 2, "plan": "N"}'),
        (2, DAY, "scheduled", '{"premium":2,"plan":"G"}'),
        (3, DAY, "sent", '{"premium": 1}'),
    ]


def test_a_target_is_removed_unless_its_message_was_sent(agency: Agency) -> None:
    for contact, day, status in ((1, DAY, "pending"), (1, LATER, "pending"), (2, DAY, "sent")):
        agency.target(1, day, contact, status=status)
    agency.target(1, f"{DAY} 00:00:00", 3)
    agency.target(2, DAY, 1)
    absorbed(
        agency,
        received(
            "targets",
            target(1, LATER, action="remove"),
            target(2, None, action="remove"),
            target(3, action="remove"),
            target(4, action="remove"),
        ),
    )
    assert targets(agency) == [(1, DAY, "pending", None), (2, DAY, "sent", None)]
    assert targets(agency, 2) == [(1, DAY, "pending", None)]
    assert refused(agency) == [(1, "the message of this target was sent: the target stays")]
    absorbed(agency, received("targets", target(1, None, action="remove"), event_id="e2"))
    assert [contact for contact, *_ in targets(agency)] == [2]


def test_entries_are_applied_in_their_order(agency: Agency) -> None:
    absorbed(
        agency,
        received("targets", target(1), target(1, action="remove"), event_id="b", minutes=1),
        received("targets", target(1, action="remove"), target(2), event_id="a"),
    )
    assert [contact for contact, *_ in targets(agency)] == [2]


WRONG: list[tuple[dict[str, Any], str]] = [
    (target(1) | {"campaign_instance_id": 9}, "campaign_instance_id: there is no instance 9"),
    (target(9), "contact_id: there is no contact 9"),
    (target(1, "2027-02-30"), "trigger_date: '2027-02-30' is not a date"),
    (target(1, metadata=[1]), "metadata: [1] is not an object"),
    (
        {"campaign_instance_id": 1, "email": "user3@example.com"},
        "email: 'user3@example.com': 2 contacts have it, 3 and 4 among them; expected contact",
    ),
    ({"campaign_instance_id": 1, "email": "x@example.com"}, "there is no such contact"),
    ({"campaign_instance_id": 1}, "contact_id or email is missing"),
    (target(1, day=None, trigger="2027-01-01"), "trigger: unknown key"),
]


def test_a_wrong_entry_costs_that_entry(agency: Agency) -> None:
    absorbed(agency, received("targets", *(entry for entry, _ in WRONG), target(2)))
    assert [contact for contact, *_ in targets(agency)] == [2]
    found = refused(agency)
    assert [index for index, _ in found] == list(range(len(WRONG)))
    for (entry, why), (_, reason) in zip(WRONG, found, strict=True):
        assert why in reason, entry


def test_contacts_and_campaigns_of_the_same_batch_are_there(agency: Agency) -> None:
    new = {"campaign_type": "promo", "instance_name": "new"}
    absorbed(
        agency,
        received("targets", {"campaign_instance_id": 3, "email": "new@example.com"}, event_id="a"),
        received("contacts", {"email": "new@example.com"}, event_id="b", minutes=1),
        received("campaigns", {"instance": new}, event_id="c", minutes=2),
    )
    assert refused(agency) == []
    assert targets(agency, 3) == [(5, None, "pending", None)]
