"""Publishing and receiving messages, independent of the transport."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True)
class Delivery:
    """A delivery of a message: at least once, in any order.

    publish_time has a time zone, and is the same at every delivery of the message.
    """

    topic: str
    message_id: str
    publish_time: dt.datetime
    data: bytes
    attributes: Mapping[str, str] = field(default_factory=dict)


class Bus(Protocol):
    """Publishes messages."""

    def publish(
        self, topic: str, messages: Sequence[bytes], attributes: Mapping[str, str] | None = None
    ) -> None:
        """Publish the messages, and return once each of them is confirmed.

        Besides the attributes they have those of `almanac.tracing.carrier`.

        After an error some may have been published: publish all of them again. Raises
        TransientError, OutcomeUnknown, ConfigError (no such topic: a fault of the installation,
        not of the message being handled).
        """
        ...
