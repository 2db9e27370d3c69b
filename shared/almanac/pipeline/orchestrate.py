"""The first step of a run: what holds for all contacts, and which shard plans which of them."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Sequence

import numpy as np

from almanac.config import Config, load_config
from almanac.database.reading import Snapshot
from almanac.errors import RequestError
from almanac.frames import Ids
from almanac.messaging.messages import ShardTask, to_json
from almanac.pipeline.briefing import brief_of
from almanac.pipeline.parts import Parts, read_plan, snapshot_file
from almanac.pipeline.run_plan import RunPlan, SnapshotRef
from almanac.storage import layout
from almanac.storage.store import ObjectStore, write_once
from almanac.storage.versions import current, database_of

MAX_SHARDS = 10_000


def read_config(store: ObjectStore, org_id: str) -> Config:
    """The organization's configuration; the defaults where it has none."""
    name = layout.config(org_id)
    if store.stat(name) is None:
        return Config()
    return load_config(store.read(name).data, name)


def first_send_date(as_of: dt.date, clock: dt.datetime, config: Config) -> dt.date:
    """T0: as_of if the run's clock is before the send time of that day in the organization's
    zone, else the day after."""
    send = dt.datetime.combine(as_of, config.send_clock, config.zone)
    return as_of if clock < send else as_of + dt.timedelta(days=1)


def plan_run(
    parts: Parts,
    org_id: str,
    run_id: str,
    config: Config,
    *,
    as_of: dt.date,
    clock: dt.datetime,
    reason: str,
    scope: Sequence[tuple[int, int]] | None = None,
    shards: int | None = None,
) -> RunPlan:
    """Write plan.json for a run on the organization's current version, and return it.

    `shards` asks for a number of shards; by default there is one for each `shard_contacts`.
    A run that is planned already goes on with the plan that it has.
    """
    if parts.store.stat(layout.plan(org_id, run_id)) is not None:
        return read_plan(parts.store, org_id, run_id)
    there = current(parts.store, org_id)
    if there is None:
        raise RequestError(f"organization {org_id}: it has no database in this store")
    version = there[0]
    info = database_of(parts.store, version)
    reference = SnapshotRef(
        name=info.name,
        generation=info.generation,
        size=info.size,
        crc32c=info.crc32c,
        version=version.version,
    )
    path = snapshot_file(parts.store, reference, parts.workspace)
    with Snapshot(path) as snapshot:
        brief = brief_of(snapshot, config, as_of, first_send_date(as_of, clock, config))
        ids = in_ranges(snapshot.contact_ids(), scope)
        plan = RunPlan(
            org_id=org_id,
            run_id=run_id,
            reason=reason,
            brief=brief,
            snapshot=reference,
            total_contacts=snapshot.total_contacts(),
            scope=None if scope is None else list(scope),
            shards=cut(ids, parts.shard_contacts, shards),
            started_at=parts.clock().replace(microsecond=0),
        )
    write_once(parts.store, layout.plan(org_id, run_id), plan.model_dump_json().encode())
    return plan


def publish_tasks(parts: Parts, plan: RunPlan) -> None:
    """One ShardTask for each shard whose fragment is not there yet."""
    done = {info.name for info in parts.store.list(layout.fragments(plan.org_id, plan.run_id))}
    tasks = [
        ShardTask(org_id=plan.org_id, run_id=plan.run_id, shard=shard, first_id=first, last_id=last)
        for shard, (first, last) in enumerate(plan.shards)
        if layout.fragment(plan.org_id, plan.run_id, shard) not in done
    ]
    parts.bus.publish(parts.topics.shard_tasks, [to_json(task) for task in tasks])


def in_ranges(ids: Ids, ranges: Sequence[tuple[int, int]] | None) -> Ids:
    """The sorted ids that lie in any of the ranges (inclusive); all of them without ranges."""
    if ranges is None:
        return ids
    chosen = np.zeros(len(ids), np.bool_)
    for first, last in ranges:
        chosen[np.searchsorted(ids, first) : np.searchsorted(ids, last, side="right")] = True
    return ids[chosen]


def cut(ids: Ids, shard_contacts: int, shards: int | None) -> list[tuple[int, int]]:
    """First and last id of each shard: ranges of as many contacts as possible alike.

    There is always one shard, also for no contacts at all.
    """
    if len(ids) == 0:
        return [(0, 0)]
    wanted = shards if shards is not None else -(-len(ids) // shard_contacts)
    count = max(1, min(wanted, len(ids), MAX_SHARDS))
    bounds = np.linspace(0, len(ids), count + 1).astype(np.intp)
    return [(int(ids[first]), int(ids[last - 1])) for first, last in itertools.pairwise(bounds)]
