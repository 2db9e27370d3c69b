"""What concerns all organizations of a store: each is looked at, several at the same time."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from pydantic import ValidationError

from almanac.errors import AlmanacError, TransientError
from almanac.logs import get_log
from almanac.messaging.bus import Delivery
from almanac.messaging.messages import RunRequest, to_json
from almanac.organizations.organizations import organizations
from almanac.organizations.overdue import Lateness, lateness, planned_by
from almanac.runs.services import Services
from almanac.storage import layout
from almanac.tracing import apart, note, traced
from almanac.validation_text import first_problem_text

T = TypeVar("T")

# The lines that the alert "an organization is late" reads (infra/monitoring.tf).
OVERDUE, UNSENT = "organization overdue", "messages not sent"
# The line with the numbers of the dashboard.
CHECKED = "organizations checked"
# The line that the service level "planned by 06:00" counts (infra/slo.tf).
AT_DEADLINE = "organization at the deadline"


@traced("enumerate")
def ask_for_all(services: Services, request: RunRequest, delivery: Delivery) -> None:
    """Publish one request per organization, so that none waits for another or fails with it."""
    there = _look_at_all(services, lambda org: services.store.stat(layout.current(org)))
    everyone = [org for org, pointer in there if pointer]
    requests = [request.model_copy(update={"org_id": org}) for org in everyone]
    attributes = {
        "request_id": delivery.message_id,
        "requested_at": delivery.publish_time.isoformat(),
    }
    note(organizations=len(everyone))
    with apart():  # a tree for each organization, not one of all
        services.bus.publish(
            services.topics.run_requests, [to_json(each) for each in requests], attributes
        )
    get_log().info("all organizations requested", organizations=len(everyone))


@traced("check organizations")
def check_all(services: Services) -> None:
    """Log each organization whose last run is too old, cannot be read, or has unsent messages.

    Raises TransientError: the message is delivered again.
    """
    now = services.clock()

    def look(org: str) -> Lateness:
        try:
            return lateness(services.store, org, now)
        except TransientError:
            raise
        except ValidationError as error:
            return Lateness(f"{error.title} cannot be read: {first_problem_text(error)}")
        except AlmanacError as error:
            return Lateness(str(error))

    found = _look_at_all(services, look)
    for org, late in found:
        if late.run:
            get_log().error(OVERDUE, org_id=org, reason=late.run)
        if late.messages:
            get_log().warning(UNSENT, org_id=org, messages=late.messages)
    get_log().info(
        CHECKED,
        organizations=len(found),
        overdue=sum(late.run is not None for _, late in found),
        objects_waiting=sum(late.waiting for _, late in found),
    )


def check_deadline(services: Services, deadline: dt.datetime) -> None:
    """Log of each organization whether a run had planned it for the day by then.

    What cannot be read is not planned. Raises TransientError: the message is delivered again.
    """

    def look(org: str) -> bool | None:
        try:
            return planned_by(services.store, org, deadline)
        except TransientError:
            raise
        except (AlmanacError, ValidationError):  # the hourly check says why
            return False

    for org, planned in _look_at_all(services, look):
        if planned is not None:
            get_log().info(AT_DEADLINE, org_id=org, planned=planned)


def _look_at_all(services: Services, look: Callable[[str], T]) -> list[tuple[str, T]]:
    """Return what a look at each organization gives, in the order of their ids."""
    everyone = organizations(services.store)
    if services.at_once == 1:
        return [(org, look(org)) for org in everyone]
    with ThreadPoolExecutor(services.at_once) as pool:
        return list(zip(everyone, pool.map(look, everyone), strict=True))
