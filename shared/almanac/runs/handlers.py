"""The handler of each function's messages: it returns on success, and raises for a retry.

A message that can never succeed is recorded, as rejected or as its run's end, and then
acknowledged.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager

from almanac.errors import RequestError
from almanac.logs import bound, get_log
from almanac.messaging.bus import Delivery
from almanac.messaging.messages import ShardDone, ShardTask, parse
from almanac.runs.finish import Ended, after_end, end_failed
from almanac.runs.merge import merge
from almanac.runs.merge_job import hand_over
from almanac.runs.rejections import record_rejection
from almanac.runs.results import is_final, result_of
from almanac.runs.run_plan import read_plan
from almanac.runs.services import Services
from almanac.runs.shard import run_shard
from almanac.runs.start import change_campaign, orchestrate
from almanac.runs.tasks import announce
from almanac.tracing import root
from almanac.workspaces import workspace

Handler = Callable[[Services, Delivery], None]


def of_message(function: str, delivery: Delivery) -> AbstractContextManager[None]:
    """Begin the span in which a function handles a message, below that which published it."""
    seed = f"{delivery.topic}\n{delivery.message_id}\n".encode() + delivery.data
    handler, named = HANDLERS[function], delivery.attributes
    return root(function, handler, named, seed, message_id=delivery.message_id)


def _rejecting(step: Handler) -> Handler:
    """Return the step with messages that can never succeed recorded instead of raised."""

    @functools.wraps(step)
    def handle(services: Services, delivery: Delivery) -> None:
        try:
            step(services, delivery)
        except RequestError as error:
            record_rejection(
                services.store,
                topic=delivery.topic,
                message_id=delivery.message_id,
                publish_time=delivery.publish_time,
                data=delivery.data,
                reason=str(error),
                now=services.clock(),
            )

    return handle


def _shard(services: Services, delivery: Delivery) -> None:
    """Handle a ShardTask: plan the range, write the fragment, publish ShardDone."""
    task = parse(ShardTask, delivery.data)
    with bound(org_id=task.org_id, run_id=task.run_id, shard=task.shard):
        plan = read_plan(services.store, task.org_id, task.run_id)
        if (result := result_of(services.store, task.org_id, task.run_id)) is not None:
            get_log().info("run has ended already", state=result.state)
            return
        try:
            run_shard(services.store, plan, task, services.snapshots)
        except Exception as error:
            if isinstance(error, RequestError) or not is_final(error):
                raise
            end_failed(services, Ended.of_plan(plan), plan, str(error))
            return
        announce(services, task.org_id, task.run_id, task.shard)


def _merge(services: Services, delivery: Delivery) -> None:
    """Handle a ShardDone: once the last fragment exists, merge the run."""
    done = parse(ShardDone, delivery.data)
    with bound(org_id=done.org_id, run_id=done.run_id):
        plan = read_plan(services.store, done.org_id, done.run_id)
        if done.shard >= len(plan.shards):
            raise RequestError(
                f"run {done.run_id} of organization {done.org_id}: has {len(plan.shards)} shards, "
                f"none is number {done.shard}"
            )
        if (result := result_of(services.store, done.org_id, done.run_id)) is not None:
            after_end(services, plan, result)
            return
        if services.merge_job is not None:
            hand_over(services, plan, done.shard, services.merge_job)
            return
        with workspace(services.workspace) as folder:
            merge(services, plan, done.shard, folder)


def _intake(services: Services, delivery: Delivery) -> None:
    """Handle an event: put it into the inbox, and ask for a run if it is to be planned at once."""
    from almanac.intake.pushed import put_message  # the other steps do without the models of events
    from almanac.intake.replan import asking_by

    event = put_message(services.store, delivery)
    if event.replan:
        asking_by(services.bus, services.topics)(event.org_id, event.event_id)


HANDLERS: Mapping[str, Handler] = {
    "orchestrator": _rejecting(orchestrate),
    "shard": _rejecting(_shard),
    "merge": _rejecting(_merge),
    "campaign_change": _rejecting(change_campaign),
    "intake_events": _rejecting(_intake),
}
