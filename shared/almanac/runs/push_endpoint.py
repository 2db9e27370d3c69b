"""The endpoint of a push subscription: handle one event, and write one line in the log.

Pub/Sub delivers again whatever is not answered with success. So success is the answer for what is
done, and for what can never succeed once that is recorded.
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
from almanac.runs.handlers import HANDLERS, of_message
from almanac.runs.rejections import record_rejection
from almanac.storage.patience import renew_patience
from almanac.tracing import flush, log_fields, note

DELIVERY = "delivery"  # the message of the line
# Keys of a message that every log line about it carries.
_NAMES = ("org_id", "run_id", "shard", "event_id")


def receive(function: str, event: Event) -> None:
    """Handle the event, and write one line in the log.

    Raises an HTTP error, which the framework turns into the answer, if the event is to be delivered
    again: 503 for transient errors, 500 for what an operator has to inspect.
    """
    from werkzeug.exceptions import InternalServerError, ServiceUnavailable

    started = time.perf_counter()
    names: dict[str, Any] = {"step": function}
    fields: dict[str, Any] = {}
    again: Exception | None = None
    level = logging.INFO
    try:
        fields["outcome"] = _deliver(function, event, names)
    except (TransientError, OutcomeUnknown) as error:
        fields = {"outcome": "again", "reason": str(error)}
        level, again = logging.WARNING, ServiceUnavailable()
    except Exception as error:
        fields = {"outcome": "failed", "reason": str(error), "exc_info": error}
        level, again = logging.ERROR, InternalServerError()
    seconds = round(time.perf_counter() - started, 3)
    get_log().log(level, DELIVERY, **names, **fields, seconds=seconds)
    flush()  # before the answer: after it the process has no processor
    if again is not None:
        raise again


def _deliver(function: str, event: Event, names: dict[str, Any]) -> str:
    """Pass the message to the function's handler; return the outcome in one word.

    Adds the message's id and keys to names.
    """
    services = services_of_this_process()
    renew_patience(services.store)
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
    with of_message(function, delivery), bound(**names):
        note(**_names_in(delivery))
        names |= log_fields()
        HANDLERS[function](services, delivery)
    return "done"


def _names_in(delivery: Delivery) -> dict[str, str | int]:
    """Return the message's keys for the logs; the handler validates them."""
    try:
        content = json.loads(delivery.data or b"{}")
    except (ValueError, RecursionError):
        return {}
    if not isinstance(content, Mapping):
        return {}
    return {key: content[key] for key in _NAMES if isinstance(content.get(key), str | int)}
