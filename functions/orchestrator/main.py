"""Starts runs: a RunRequest becomes plan.json and a ShardTask for each range of contacts."""

from __future__ import annotations

import functions_framework

from almanac.messaging.envelope import Event
from almanac.runs.push_endpoint import receive


@functions_framework.cloud_event
def orchestrator(event: Event) -> None:
    receive("orchestrator", event)
