"""Changes a campaign: a CampaignChange becomes a run over the contacts that it affects."""

from __future__ import annotations

import functions_framework

from almanac.messaging.envelope import Event
from almanac.runs.push_endpoint import receive


@functions_framework.cloud_event
def campaign_change(event: Event) -> None:
    receive("campaign_change", event)
