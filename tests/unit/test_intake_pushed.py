"""Events that come over the topic `intake`."""

from __future__ import annotations

from typing import Any

import pytest

from almanac.errors import RequestError
from almanac.intake.pushed import put_message
from almanac.intake.replan import asking_by
from almanac.messaging.bus import Delivery
from almanac.messaging.local import LocalBus
from almanac.messaging.messages import RunRequest, parse
from almanac.messaging.topics import Topics
from tests.support.intake_posts import PUBLISHED, Inlet, delivery

EVENT = {"kind": "contacts", "org_id": "206", "entries": [{"id": 1}, {"no": "contact"}]}


def test_a_message_is_an_event_of_the_time_at_which_it_was_published() -> None:
    inlet = Inlet()
    for _ in range(2):  # delivered again
        assert put_message(inlet.store, delivery(EVENT)).event_id == "message-17"
    (event,) = inlet.events()
    assert (event.kind, event.received, event.source) == ("contacts", PUBLISHED, "pubsub")
    assert inlet.entries() == EVENT["entries"]  # wrong entries are refused when they are applied
    assert len(inlet.objects()) == 1


def test_an_event_id_in_the_message_is_that_of_the_event() -> None:
    inlet = Inlet()
    put_message(inlet.store, delivery(EVENT | {"event_id": "crm-1"}))
    assert [each.event_id for each in inlet.events()] == ["crm-1"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"no JSON",
        b"[" * 100_000,
        {},
        {"kind": "contacts"},
        EVENT | {"kind": "unknown"},
        EVENT | {"kind": ["contacts"]},
        EVENT | {"org_id": "207"},
        EVENT | {"org_id": "../206"},
        EVENT | {"entries": []},
        EVENT | {"entries": [{"id": number} for number in range(1001)]},
        EVENT | {"entries": ["x" * (1 << 20)]},
        EVENT | {"event_id": "a b"},
        EVENT | {"more": 1},
    ],
)
def test_a_message_that_can_never_succeed_is_refused(content: Any) -> None:
    inlet = Inlet()
    with pytest.raises(RequestError):
        put_message(inlet.store, delivery(content))
    assert inlet.objects() == []


def test_the_request_for_a_run_names_the_event() -> None:
    bus, got = LocalBus(), list[Delivery]()
    bus.subscribe("test-run-requests", got.append)
    asking_by(bus, Topics("test-"))("206", "crm-1")
    bus.run_until_idle()
    (message,) = got
    expected = RunRequest(org_id="206", reason="replan", event_id="crm-1")
    assert parse(RunRequest, message.data) == expected
