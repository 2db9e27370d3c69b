"""Events that come over the topic `intake`, put into the inbox.

A message is an event as a body of the function `intake` is one, with its kind under the key `kind`.
"""

from __future__ import annotations

import json
from typing import Any

from almanac.errors import RequestError
from almanac.intake import inbox
from almanac.intake.events import IntakeEvent, kind_of, parse_event
from almanac.intake.inbox import Received
from almanac.intake.known_organizations import has_database
from almanac.messaging.bus import Delivery
from almanac.storage.store import ObjectStore


def put_message(store: ObjectStore, delivery: Delivery) -> IntakeEvent:
    """Put the event of a message into the inbox and return it; its entries are not looked at.

    Without an `event_id` it has the message's id: a repeated delivery is the same event. Raise
    RequestError if it is no event, or the store has no database of its organization.
    """
    content = _object(delivery.data)
    kind = content.pop("kind", None)
    if not isinstance(kind, str):
        raise RequestError("kind: is missing, or is not text")
    content.setdefault("event_id", f"message-{delivery.message_id}")
    event = parse_event(kind, json.dumps(content).encode())
    if not has_database(store, event.org_id):
        raise RequestError(f"organization {event.org_id}: has no version yet")
    received = Received(
        kind=kind_of(event),
        event=event.model_dump(),
        received=delivery.publish_time,
        source="pubsub",
    )
    inbox.put(store, event.org_id, [received])
    return event


def _object(data: bytes) -> dict[str, Any]:
    try:
        content = json.loads(data or b"{}")
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        raise RequestError('not a JSON object, such as {"kind": "deliveries", "org_id": ...}')
    return content
