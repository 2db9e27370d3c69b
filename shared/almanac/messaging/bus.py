"""Publishing and receiving, whatever carries the messages."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True)
class Delivery:
    """A message as it arrives: at least once, in any order.

    publish_time is aware, and the same at every delivery of the message.
    """

    topic: str
    message_id: str
    publish_time: dt.datetime
    data: bytes
    attributes: Mapping[str, str] = field(default_factory=dict)


class Bus(Protocol):
    """Where messages are published."""

    def publish(
        self, topic: str, messages: Sequence[bytes], attributes: Mapping[str, str] | None = None
    ) -> None:
        """Publish the messages and return once every one of them is confirmed.

        On an error some may have been published: publish all of them again.
        Raises TransientError, OutcomeUnknown, and ConfigError where there is no such topic: the
        fault is then in the installation, and not in the message that is being dealt with.
        """
        ...
