"""A run over an organization of a store, in this process: the functions' own steps over a local
bus, for a store in a folder, which has no functions."""

from __future__ import annotations

import datetime as dt
import functools
import time
import uuid
from dataclasses import replace
from pathlib import Path

from almanac.errors import AlmanacError
from almanac.messaging.bus import Delivery
from almanac.messaging.envelope import REQUEST_ID, REQUESTED_AT
from almanac.messaging.local import LocalBus
from almanac.messaging.messages import RunRequest, to_json
from almanac.names import manual_run_id
from almanac.organizations.snapshots import RangedSnapshots
from almanac.progress import Progress
from almanac.report.summary import RunSummary
from almanac.runs.handlers import HANDLERS, of_message
from almanac.runs.results import attempt_at
from almanac.runs.services import Services
from almanac.storage import layout
from almanac.storage.folder import FolderStore
from almanac.workspaces import workspace

ATTEMPTS = 10  # of a step, such as while another run has the lease
PAUSE = 1.0  # seconds between two


def run_in_store(
    store: FolderStore, org: str, as_of: dt.date, requested_at: dt.datetime, progress: Progress
) -> RunSummary:
    """Plan the organization's current version and publish the next; return the run's summary.

    requested_at: the run's clock, which decides T0. Raises AlmanacError with the reason if the run
    comes to nothing, and LeaseTaken while another run is in flight.
    """
    request_id = uuid.uuid4().hex
    with workspace() as folder:
        bus = LocalBus(max_attempts=ATTEMPTS, pause=lambda attempt: time.sleep(PAUSE))
        services = Services(
            store=store,
            bus=bus,
            snapshots=RangedSnapshots(store),
            workspace=Path(folder),
            progress=progress,
        )
        topics = services.topics
        for topic, function in (
            (topics.run_requests, "orchestrator"),
            (topics.shard_tasks, "shard"),
            (topics.shard_results, "merge"),
            (topics.campaign_changes, "campaign_change"),  # that waits for the end of the run
        ):
            bus.subscribe(topic, functools.partial(_handle, services, function, request_id))
        request = RunRequest(
            org_id=org, as_of=as_of, requested_at=requested_at, reason="manual", force=False
        )
        bus.publish(topics.run_requests, [to_json(request)])
        bus.run_until_idle()
    ended = attempt_at(store, org, manual_run_id(as_of, request_id), request_id).ended
    if ended is None or ended.state != "committed" or ended.version is None:
        reason = ended.reason if ended else "the run has not ended"
        raise AlmanacError(f"organization {org}: {reason}")
    name = f"{layout.version(org, ended.version, ended.run_id)}/{layout.REPORT_JSON}"
    summary = RunSummary.model_validate_json(store.read(name).data)
    return summary.model_copy(update={"seconds": ended.seconds})


def _handle(services: Services, function: str, request_id: str, delivery: Delivery) -> None:
    """Handle a message; id and time of its request are those that it names, else the run's."""
    named = delivery.attributes
    at = named.get(REQUESTED_AT)
    delivery = replace(
        delivery,
        message_id=named.get(REQUEST_ID) or request_id,
        publish_time=dt.datetime.fromisoformat(at) if at else delivery.publish_time,
    )
    with of_message(function, delivery):
        HANDLERS[function](services, delivery)
