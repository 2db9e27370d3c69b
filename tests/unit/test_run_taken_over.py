"""A request goes on after another delivery has taken over the lease of the run it was starting."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from almanac.messaging.messages import CampaignChange, Message, RunRequest
from almanac.runs.finish import take_lease
from almanac.storage import layout
from almanac.storage.store import ObjectInfo
from tests.support.clouds import NOW, TOPICS, Cloud
from tests.support.tiny import Agency

ORG = "206"
RUN = "2027-03-01-daily"
CHANGE = "2027-03-01-change-event"


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Cloud]:
    agency = Agency(tmp_path / "agency.sqlite3")
    agency.contact(1)
    made = Cloud(tmp_path)
    made.push(ORG, agency.path)
    yield made
    made.close()


def take_over_before(cloud: Cloud, run_id: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before an object is written, another delivery of the run's request ends the run as dead.

    It takes the lease for the next attempt, then fails, and is not delivered again by itself.
    """
    write = cloud.store.write
    later = replace(cloud.services, clock=lambda: NOW + dt.timedelta(hours=2))

    def write_late(key: str, data: bytes, if_generation: int | None) -> ObjectInfo:
        if key == name:
            monkeypatch.setattr(cloud.store, "write", write)
            take_lease(later, ORG, f"{run_id}~2")
        return write(key, data, if_generation)

    monkeypatch.setattr(cloud.store, "write", write_late)


@pytest.mark.parametrize(
    ("message", "run_id", "last_written", "ends"),
    [
        (RunRequest(org_id=ORG), RUN, layout.plan(ORG, RUN), "committed"),
        (
            CampaignChange(event_id="event", org_id=ORG, campaign_instance_id=99, changes={}),
            CHANGE,
            layout.result(ORG, CHANGE),
            "rejected",
        ),
    ],
    ids=["planned", "rejected"],
)
def test_a_start_that_lost_its_lease_leaves_the_request_to_the_next_attempt(
    cloud: Cloud,
    monkeypatch: pytest.MonkeyPatch,
    message: Message,
    run_id: str,
    last_written: str,
    ends: str,
) -> None:
    take_over_before(cloud, run_id, last_written, monkeypatch)
    topic = TOPICS.run_requests if isinstance(message, RunRequest) else TOPICS.campaign_changes
    cloud.send(topic, message)
    cloud.run()

    assert cloud.result(ORG, run_id).again
    assert cloud.result(ORG, f"{run_id}~2").state == ends
    assert cloud.store.stat(layout.lease(ORG)) is None
