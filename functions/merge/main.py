"""Commits a run: the ShardDone of the last fragment becomes the next version."""

from __future__ import annotations

import functions_framework

from almanac.messaging.envelope import Event
from almanac.runs.push_endpoint import receive


@functions_framework.cloud_event
def merge(event: Event) -> None:
    receive("merge", event)
