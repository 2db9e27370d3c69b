"""Requests that a command publishes to the functions."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import NamedTuple

from almanac.errors import ConfigError
from almanac.messaging.bus import Bus
from almanac.messaging.envelope import REQUEST_ID, REQUESTED_AT
from almanac.messaging.messages import Message, to_json
from almanac.messaging.pubsub import PubSubBus
from almanac.settings import Settings


class Requested(NamedTuple):
    """The id and the time of a request, which determine the id of its run."""

    request_id: str
    at: dt.datetime

    @classmethod
    def now(cls) -> Requested:
        """Return a new id, and the current time."""
        return cls(uuid.uuid4().hex, dt.datetime.now(dt.UTC))


def request_bus(settings: Settings) -> Bus:
    """Return the bus over which requests go; raise ConfigError without a project."""
    return PubSubBus(settings.required_project())


def no_replan(key: str) -> ConfigError:
    """Return the error of what asks by a key for a replan in a store, without a project."""
    return ConfigError(
        f"ALMANAC_PROJECT: is not set; {key} in a store asks the functions of that Google Cloud "
        f"project, so nothing was written: set it, or leave {key} out, and the next run plans what "
        "changed"
    )


def publish_request(bus: Bus, topic: str, message: Message, requested: Requested) -> None:
    """Publish a message with the id and the time of the request."""
    attributes = {REQUEST_ID: requested.request_id, REQUESTED_AT: requested.at.isoformat()}
    bus.publish(topic, [to_json(message)], attributes)
