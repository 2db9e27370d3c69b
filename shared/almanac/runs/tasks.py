"""The messages between the steps of a run, and which fragments exist."""

from __future__ import annotations

from collections.abc import Sequence

from almanac.messaging.messages import ShardDone, ShardTask, to_json
from almanac.runs.run_plan import RunPlan
from almanac.runs.services import Services
from almanac.storage import layout
from almanac.storage.store import ObjectStore
from almanac.tracing import traced

LATE = 3  # fragments that a listing may not have yet


@traced("publish tasks")
def publish_tasks(services: Services, plan: RunPlan) -> None:
    """Publish a ShardTask for each missing fragment; if none is missing, a ShardDone to merge."""
    done = {info.name for info in services.store.list(layout.fragments(plan.org_id, plan.run_id))}
    missing = [
        shard
        for shard in range(len(plan.shards))
        if layout.fragment(plan.org_id, plan.run_id, shard) not in done
    ]
    if missing:
        ask_for_shards(services, plan, missing)
    else:
        announce(services, plan.org_id, plan.run_id, 0)


def ask_for_shards(services: Services, plan: RunPlan, shards: Sequence[int]) -> None:
    """Publish a ShardTask for each of these shards."""
    tasks = [
        ShardTask(org_id=plan.org_id, run_id=plan.run_id, shard=shard, first_id=first, last_id=last)
        for shard in shards
        for first, last in [plan.shards[shard]]
    ]
    services.bus.publish(services.topics.shard_tasks, [to_json(task) for task in tasks])


def announce(services: Services, org_id: str, run_id: str, shard: int) -> None:
    """Publish the ShardDone of a shard whose fragment is written."""
    done = ShardDone(org_id=org_id, run_id=run_id, shard=shard)
    services.bus.publish(services.topics.shard_results, [to_json(done)])


def fragment_names(plan: RunPlan) -> list[str]:
    """Return the names of the run's fragments in the order of shards."""
    return [layout.fragment(plan.org_id, plan.run_id, n) for n in range(len(plan.shards))]


def is_complete(store: ObjectStore, plan: RunPlan) -> bool:
    """Whether all fragments of the run exist."""
    there = {info.name for info in store.list(layout.fragments(plan.org_id, plan.run_id))}
    missing = [name for name in fragment_names(plan) if name not in there]
    # A listing may be out of date, and this may be the last ShardDone.
    return len(missing) <= LATE and all(store.stat(name) is not None for name in missing)
