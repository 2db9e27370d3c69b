"""A function that messages set off: from the event to the answer, with one line in the log.

Pub/Sub delivers again whatever is not answered with success. So success is for what is done, and
for what can never be done once that is recorded.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping
from typing import Any

from almanac.errors import OutcomeUnknown, RequestError, TransientError
from almanac.logs import bound, get_log
from almanac.messaging.bus import Delivery
from almanac.messaging.envelope import Event, delivery_of, raw_of
from almanac.messaging.subscriptions import SUBSCRIPTIONS
from almanac.runs.cloud_services import services_of_this_process
from almanac.runs.handlers import HANDLERS
from almanac.runs.rejections import record_rejection

DELIVERY = "delivery"  # the message of the line
# What of a message's content every line about it carries.
_NAMES = ("org_id", "run_id", "shard", "event_id")


def receive(function: str, event: Event) -> None:
    """Do what the event asks of the function, with one line in the log.

    Raises an HTTP error, which the framework answers with, if the event is to be delivered again:
    503 for what passes by itself, 500 for what somebody has to look into.
    """
    from werkzeug.exceptions import InternalServerError, ServiceUnavailable

    started = time.perf_counter()
    names: dict[str, Any] = {"step": function}
    words: dict[str, Any] = {}
    again: Exception | None = None
    level = logging.INFO
    try:
        words["outcome"] = _deliver(function, event, names)
    except (TransientError, OutcomeUnknown) as error:
        words = {"outcome": "again", "reason": str(error)}
        level, again = logging.WARNING, ServiceUnavailable()
    except Exception as error:
        words = {"outcome": "failed", "reason": str(error), "exc_info": error}
        level, again = logging.ERROR, InternalServerError()
    seconds = round(time.perf_counter() - started, 3)
    get_log().log(level, DELIVERY, **names, **words, seconds=seconds)
    if again is not None:
        raise again


def _deliver(function: str, event: Event, names: dict[str, Any]) -> str:
    """Hand the message to the function's handler; what came of it, in a word.

    What the message says of itself is added to names.
    """
    services = services_of_this_process()
    topic = SUBSCRIPTIONS[function].topic_name(services.topics)
    try:
        delivery = delivery_of(event, topic)
    except RequestError as error:
        names["message_id"], data = raw_of(event)
        record_rejection(
            services.store,
            topic=topic,
            message_id=names["message_id"],
            publish_time=None,
            data=data,
            reason=str(error),
            now=services.clock(),
        )
        return "rejected"
    names["message_id"] = delivery.message_id
    names |= _names_in(delivery)
    with bound(**names):
        HANDLERS[function](services, delivery)
    return "done"


def _names_in(delivery: Delivery) -> dict[str, str | int]:
    """What the message is about, for the logs; whether it is right is for its handler to say."""
    try:
        content = json.loads(delivery.data or b"{}")
    except (ValueError, RecursionError):
        return {}
    if not isinstance(content, Mapping):
        return {}
    return {key: content[key] for key in _NAMES if isinstance(content.get(key), str | int)}
