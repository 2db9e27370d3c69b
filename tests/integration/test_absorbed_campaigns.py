"""Contacts, campaigns and targets that come in together are planned by one run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from almanac.intake import inbox
from almanac.intake.inbox import Received
from tests.support.clouds import Cloud, query
from tests.support.tiny import Agency

ORG = "206"
NEW = {"campaign_type": "webinar", "instance_name": "spring"}
PLANNED = """
    SELECT contact_id, email_type, scheduled_send_date FROM email_schedules
    WHERE status = 'pre-scheduled' AND campaign_instance_id IS NOT NULL ORDER BY 1, 3
"""


@pytest.fixture
def cloud(folder: Path) -> Iterator[Cloud]:
    agency = Agency(folder / "agency.sqlite3")
    agency.query("ALTER TABLE contacts DROP COLUMN phone_number")
    for number in (1, 2, 3):
        agency.contact(number)
    agency.campaign(1, days_before_event=3)
    agency.plan("2027-02-28")
    made = Cloud(folder)
    made.push(ORG, agency.path)
    yield made
    made.close()


def put(cloud: Cloud, kind: str, event_id: str, *entries: dict[str, Any], **fields: Any) -> None:
    event = {"event_id": event_id, "org_id": ORG, "entries": list(entries), **fields}
    received = Received(kind=kind, event=event, received=cloud.now, source="http")
    inbox.put(cloud.store, ORG, [received])


@pytest.mark.slow
def test_a_contact_its_campaign_and_its_target_are_planned_by_one_run(cloud: Cloud) -> None:
    target = {"campaign_instance_id": 2, "email": "new@example.com", "trigger_date": "2027-04-01"}
    put(cloud, "targets", "t1", target, target | {"campaign_instance_id": 1})
    put(cloud, "campaigns", "d1", {"type": {"name": "webinar"}}, {"instance": NEW})
    put(cloud, "contacts", "c1", {"email": "new@example.com", "phone_number": "512 555 0123"})
    cloud.ask(ORG)
    cloud.run()
    version = cloud.pull(ORG)
    assert query(version, "SELECT event_id, refused FROM intake_log ORDER BY 1") == [
        ("c1", ""),
        ("d1", ""),
        ("t1", ""),
    ]
    assert query(version, PLANNED) == [
        (4, "campaign_promo", "2027-03-29"),
        (4, "campaign_webinar", "2027-04-01"),
    ]
    assert query(version, "SELECT phone_number FROM contacts WHERE id = 4") == [("512 555 0123",)]


@pytest.mark.slow
def test_with_replan_whom_the_events_affect_is_planned_at_once(cloud: Cloud) -> None:
    put(
        cloud,
        "targets",
        "t1",
        {"campaign_instance_id": 1, "contact_id": 2, "trigger_date": "2027-04-01"},
        replan=True,
    )
    put(cloud, "campaigns", "d1", {"type": {"name": "promo", "priority": 3}}, replan=True)
    cloud.ask(ORG, reason="replan", event_id="d1")
    cloud.run()
    version = cloud.pull(ORG)
    assert query(version, PLANNED) == [(2, "campaign_promo", "2027-03-29")]
    ((run,),) = query(
        version,
        "SELECT DISTINCT scheduler_run_id FROM email_schedules "
        "WHERE contact_id = 2 AND campaign_instance_id = 1",
    )
    assert run == "2027-03-01-change-d1"
