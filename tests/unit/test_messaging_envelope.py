"""From the event of a Pub/Sub push to the message in it."""

from __future__ import annotations

import base64
import datetime as dt
import json
from typing import Any

import pytest

from almanac.errors import RequestError
from almanac.messaging.bus import Delivery
from almanac.messaging.envelope import delivery_of, raw_of

PUBLISHED = dt.datetime(2026, 11, 21, 10, 0, 0, 123000, tzinfo=dt.UTC)
DATA = b'{"org_id": "206"}'


class Event:
    """A CloudEvent as functions get it."""

    def __init__(self, data: Any) -> None:
        self.data = data

    def __getitem__(self, key: str) -> Any:
        return {"id": "event-7", "source": "//pubsub.googleapis.com/projects/p/topics/t"}[key]


def message(**changes: Any) -> dict[str, Any]:
    """A message as Pub/Sub pushes it; a key that is changed to None is left out."""
    full = {
        "data": base64.b64encode(DATA).decode(),
        "messageId": "12",
        "publishTime": "2026-11-21T10:00:00.123Z",
        **changes,
    }
    return {key: value for key, value in full.items() if value is not None}


def arrived(**changes: Any) -> Delivery:
    return delivery_of(Event({"message": message(**changes)}), "run-requests")


def test_the_shape_of_functions_framework() -> None:
    expected = Delivery("run-requests", "12", PUBLISHED, DATA, {"a": "b"})
    typed = {"@type": "type.googleapis.com/google.pubsub.v1.PubsubMessage"}
    assert arrived(attributes={"a": "b"}, **typed) == expected


def test_the_shape_of_eventarc() -> None:
    both = message(message_id="12", publish_time="2026-11-21T10:00:00.123Z")
    event = Event({"message": both, "subscription": "projects/p/subscriptions/s"})
    assert delivery_of(event, "t") == Delivery("t", "12", PUBLISHED, DATA, {})


@pytest.mark.parametrize("as_bytes", [True, False])
def test_json_that_nobody_has_parsed_yet(as_bytes: bool) -> None:
    text = json.dumps({"message": message()})
    event = Event(text.encode() if as_bytes else text)
    assert delivery_of(event, "t").data == DATA


def test_names_with_underscores_alone() -> None:
    changes = {"messageId": None, "publishTime": None}
    got = arrived(message_id="13", publish_time="2026-11-21T05:00:00.123-05:00", **changes)
    assert (got.message_id, got.publish_time) == ("13", PUBLISHED)


@pytest.mark.parametrize("data", [None, ""])
def test_no_data_is_an_empty_message(data: str | None) -> None:
    assert arrived(data=data).data == b""


@pytest.mark.parametrize("attributes", [None, {}])
def test_no_attributes(attributes: dict[str, str] | None) -> None:
    assert arrived(attributes=attributes).attributes == {}


def test_a_request_published_again_keeps_the_id_and_the_time_of_the_first() -> None:
    first = {"request_id": "3", "requested_at": "2026-11-20T10:00:00+00:00"}
    got = arrived(attributes=first)
    assert got.message_id == "3"
    assert got.publish_time == dt.datetime(2026, 11, 20, 10, tzinfo=dt.UTC)
    assert got.attributes == first


def test_a_time_to_the_nanosecond() -> None:
    got = arrived(publishTime="2026-11-21T10:00:00.123000999Z")
    assert got.publish_time == PUBLISHED


@pytest.mark.parametrize("data", [None, [], 5, b"garbage", "garbage", {}, {"message": "text"}])
def test_an_event_without_a_message_is_refused(data: Any) -> None:
    with pytest.raises(RequestError, match="is not the event of a Pub/Sub message") as refused:
        delivery_of(Event(data), "t")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"messageId": None}, "event: its message has no id"),
        ({"messageId": 5}, "event: its message has no id"),
        ({"data": "%%%"}, "message 12: data '%%%' is not base64"),
        ({"data": "é"}, "message 12: data 'é' is not base64"),
        ({"data": {"a": 1}}, "message 12: data {'a': 1} is not base64"),
        ({"publishTime": None}, "message 12: publish time None is not a time"),
        ({"publishTime": "yesterday"}, "message 12: publish time 'yesterday' is not a time"),
        ({"publishTime": 5}, "message 12: publish time 5 is not a time"),
        ({"publishTime": "2026-11-21T10:00:00"}, "is not a time with its offset from UTC"),
        ({"attributes": {"requested_at": "soon"}}, "message 12: publish time 'soon' is not"),
        ({"attributes": {"a": 5}}, "event: attributes {'a': 5} are not texts by name"),
        ({"attributes": ["a"]}, "event: attributes ['a'] are not texts by name"),
    ],
)
def test_what_cannot_be_understood_is_refused(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(RequestError) as refused:
        arrived(**changes)
    assert reason in str(refused.value)


def test_a_refusal_shows_no_more_than_the_beginning() -> None:
    with pytest.raises(RequestError) as refused:
        delivery_of(Event({"message": "x" * 10_000}), "t")
    assert len(str(refused.value)) < 250


@pytest.mark.parametrize(
    ("data", "raw"), [(b"\xff", b"\xff"), ({"a": [1]}, b'{"a": [1]}'), (None, b"null")]
)
def test_a_refused_event_can_be_recorded_whole(data: Any, raw: bytes) -> None:
    assert raw_of(Event(data)) == ("event-7", raw)
