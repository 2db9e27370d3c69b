"""What concerns all organizations of a store: each is looked at, several at the same time."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from pydantic import ValidationError

from almanac.errors import AlmanacError, TransientError
from almanac.logs import get_log
from almanac.messaging.bus import Delivery
from almanac.messaging.messages import RunRequest, to_json
from almanac.organizations.organizations import organizations
from almanac.organizations.overdue import overdue
from almanac.runs.services import Services
from almanac.storage import layout
from almanac.validation_text import first_problem_text

T = TypeVar("T")

# The line that the alert "an organization has had no run for 26 hours" reads (infra/monitoring.tf).
OVERDUE = "organization overdue"


def ask_for_all(services: Services, request: RunRequest, delivery: Delivery) -> None:
    """Publish one request per organization, so that none waits for another or fails with it."""
    there = _look_at_all(services, lambda org: services.store.stat(layout.current(org)))
    everyone = [org for org, pointer in there if pointer]
    requests = [request.model_copy(update={"org_id": org}) for org in everyone]
    attributes = {
        "request_id": delivery.message_id,
        "requested_at": delivery.publish_time.isoformat(),
    }
    services.bus.publish(
        services.topics.run_requests, [to_json(each) for each in requests], attributes
    )
    get_log().info("all organizations requested", organizations=len(everyone))


def check_all(services: Services) -> None:
    """Log each organization whose last run over all contacts is too old, or cannot be read.

    Raises TransientError: the message is delivered again.
    """
    now = services.clock()

    def look(org: str) -> str | None:
        try:
            return overdue(services.store, org, now)
        except TransientError:
            raise
        except ValidationError as error:
            return f"{error.title} cannot be read: {first_problem_text(error)}"
        except AlmanacError as error:
            return str(error)

    found = _look_at_all(services, look)
    late = [(org, reason) for org, reason in found if reason]
    for org, reason in late:
        get_log().error(OVERDUE, org_id=org, reason=reason)
    get_log().info("organizations checked", organizations=len(found), overdue=len(late))


def _look_at_all(services: Services, look: Callable[[str], T]) -> list[tuple[str, T]]:
    """Return what a look at each organization gives, in the order of their ids."""
    everyone = organizations(services.store)
    if services.at_once == 1:
        return [(org, look(org)) for org in everyone]
    with ThreadPoolExecutor(services.at_once) as pool:
        return list(zip(everyone, pool.map(look, everyone), strict=True))
