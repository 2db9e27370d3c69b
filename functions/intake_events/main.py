"""Takes events that are published on the topic intake into the inbox."""

from __future__ import annotations

import functions_framework

from almanac.messaging.envelope import Event
from almanac.runs.push_endpoint import receive


@functions_framework.cloud_event
def intake_events(event: Event) -> None:
    receive("intake_events", event)
