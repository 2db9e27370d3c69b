"""What each message of a run sets off. Every step may be called again for the same message."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from almanac.messaging.bus import Delivery
from almanac.messaging.messages import RunRequest, ShardDone, ShardTask, parse, to_json
from almanac.names import daily_run_id, manual_run_id
from almanac.pipeline.balance import balance, is_complete
from almanac.pipeline.merge import write_run
from almanac.pipeline.orchestrate import plan_run, publish_tasks, read_config
from almanac.pipeline.parts import Parts, read_plan, snapshot_file
from almanac.pipeline.run_plan import RunPlan
from almanac.report.summary import RunSummary


def start_run(
    parts: Parts,
    org_id: str,
    request: RunRequest,
    delivery: Delivery,
    *,
    scope: Sequence[tuple[int, int]] | None = None,
    shards: int | None = None,
) -> RunPlan:
    """Plan an organization's run and ask for its shards."""
    config = read_config(parts.store, org_id)
    clock = delivery.publish_time
    as_of = request.as_of or clock.astimezone(config.zone).date()
    run_id = _run_id(request, as_of, delivery.message_id)
    plan = plan_run(
        parts,
        org_id,
        run_id,
        config,
        as_of=as_of,
        clock=clock,
        reason=request.reason,
        scope=scope,
        shards=shards,
    )
    publish_tasks(parts, plan)
    return plan


def _run_id(request: RunRequest, as_of: dt.date, message_id: str) -> str:
    if request.reason == "daily":
        return daily_run_id(as_of)
    return manual_run_id(as_of, message_id)


def announce(parts: Parts, task: ShardTask) -> None:
    """ShardDone for a task whose fragment is written."""
    done = ShardDone(org_id=task.org_id, run_id=task.run_id, shard=task.shard)
    parts.bus.publish(parts.topics.shard_results, [to_json(done)])


def merge_step(parts: Parts, delivery: Delivery) -> RunSummary | None:
    """ShardDone: when the last fragment is there, place everything and commit; else None."""
    done = parse(ShardDone, delivery.data)
    plan = read_plan(parts.store, done.org_id, done.run_id)
    if not is_complete(parts.store, plan):
        return None
    database = snapshot_file(parts.store, plan.snapshot, parts.workspace)
    balanced = balance(parts.store, plan, database, parts.progress)
    return parts.committer.commit(
        plan, lambda connection: write_run(parts.store, balanced, connection, parts.progress)
    )
