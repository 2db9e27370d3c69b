"""Plans a range of contacts: a ShardTask becomes a fragment and a ShardDone."""

from __future__ import annotations

import functions_framework

from almanac.messaging.envelope import Event
from almanac.runs.push_endpoint import receive


@functions_framework.cloud_event
def shard(event: Event) -> None:
    receive("shard", event)
