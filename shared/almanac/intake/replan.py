"""The request for a run that plans at once whom events affect."""

from __future__ import annotations

from collections.abc import Callable

from almanac.messaging.bus import Bus
from almanac.messaging.messages import RunRequest, to_json
from almanac.messaging.topics import Topics

# organization, id of an event
AskForRun = Callable[[str, str], None]


def asking_by(bus: Bus, topics: Topics) -> AskForRun:
    """Return what publishes the request for the run of an event; the same again is the same run."""

    def ask(org: str, event_id: str) -> None:
        request = RunRequest(org_id=org, reason="replan", event_id=event_id)
        bus.publish(topics.run_requests, [to_json(request)])

    return ask
