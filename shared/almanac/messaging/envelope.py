"""Parse the event that a function is called with into a Delivery.

A Pub/Sub push arrives as a CloudEvent whose data hold the message. functions-framework makes
`{"message": {...}}` of it; Eventarc's own events have `"subscription"` beside it. Names are in
camel case or with underscores, and `data` is in base64, empty or absent.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import json
from collections.abc import Mapping
from typing import Any, Protocol, TypeGuard

from almanac.errors import RequestError
from almanac.messaging.bus import Delivery
from almanac.names import FIRST_YEAR, LAST_YEAR

# Attributes of a request that was published again: id and publish time of its first message, from
# which the run's id, as_of and T0 follow.
REQUEST_ID = "request_id"
REQUESTED_AT = "requested_at"
_LONGEST_ID = 1024  # characters: the limit of an attribute


class Event(Protocol):
    """The part of a CloudEvent that is used."""

    data: Any

    def __getitem__(self, key: str) -> Any: ...


def delivery_of(event: Event, topic: str) -> Delivery:
    """Return the message in the event; raise RequestError if there is none."""
    message = _object(_content(event), "message")
    attributes = _attributes(message)
    message_id = attributes.get(REQUEST_ID) or _first(message, "messageId", "message_id")
    if not _is_id(message_id):
        raise RequestError(f"event: its message has no id: {_shown(message_id)}")
    published = attributes.get(REQUESTED_AT) or _first(message, "publishTime", "publish_time")
    return Delivery(
        topic=topic,
        message_id=message_id,
        publish_time=_time(published, message_id),
        data=_data(message, message_id),
        attributes=attributes,
    )


def raw_of(event: Event) -> tuple[str, bytes]:
    """Return id and data of an event that delivery_of refuses, to be recorded."""
    data = event.data
    if not isinstance(data, bytes):
        data = json.dumps(data, default=str).encode()
    return str(event["id"]), data


def _content(event: Event) -> Any:
    """Return the event's data; JSON is parsed already if its content type says so."""
    if not isinstance(event.data, bytes | str):
        return event.data
    try:
        return json.loads(event.data)
    except (ValueError, RecursionError):
        return event.data


def _object(content: Any, key: str) -> Mapping[str, Any]:
    message = content.get(key) if isinstance(content, Mapping) else None
    if not isinstance(message, Mapping):
        raise RequestError(
            f"event: {_shown(content)} is not the event of a Pub/Sub message, "
            'an object such as {"message": {"data": ..., "messageId": ...}}'
        )
    return message


def _attributes(message: Mapping[str, Any]) -> dict[str, str]:
    attributes = message.get("attributes") or {}
    if not isinstance(attributes, Mapping) or not all(
        isinstance(value, str) for value in attributes.values()
    ):
        raise RequestError(f"event: attributes {_shown(attributes)} are not texts by name")
    return dict(attributes)


def _is_id(value: Any) -> TypeGuard[str]:
    """Whether the value is a text that can be encoded."""
    if not isinstance(value, str) or not 0 < len(value) <= _LONGEST_ID:
        return False
    return not any("\ud800" <= character <= "\udfff" for character in value)


def _first(message: Mapping[str, Any], *keys: str) -> Any:
    return next((message[key] for key in keys if message.get(key) is not None), None)


def _time(value: Any, message_id: str) -> dt.datetime:
    try:
        time = dt.datetime.fromisoformat(value)
    except (TypeError, ValueError):
        time = None
    if time is None or time.tzinfo is None or not FIRST_YEAR <= time.year <= LAST_YEAR:
        raise RequestError(
            f"message {message_id}: publish time {_shown(value)} is not a time with its offset "
            "from UTC, such as 2026-11-21T10:00:00Z"
        )
    return time


def _data(message: Mapping[str, Any], message_id: str) -> bytes:
    data = message.get("data") or ""
    try:
        return base64.b64decode(data, validate=True)
    except (TypeError, ValueError, binascii.Error):
        raise RequestError(f"message {message_id}: data {_shown(data)} is not base64") from None


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:80]}..."
