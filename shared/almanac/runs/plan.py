"""The first step of a run: what holds for all contacts, and which shard plans which of them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from almanac.config import Config, load_config
from almanac.errors import PreconditionFailed, RequestError
from almanac.frames import Ids
from almanac.messaging.messages import ShardDone, ShardTask, to_json
from almanac.organizations.brief import brief_of
from almanac.organizations.organizations import census_of
from almanac.runs.run_plan import Asked, PlannedChange, Reason, RunPlan, SnapshotRef
from almanac.runs.services import Parts, plan_or_none, read_plan
from almanac.storage import layout
from almanac.storage.store import ObjectStore, read_or_none, write_once
from almanac.storage.versions import Current, current, database_of, manifest_of

MAX_SHARDS = 10_000


@dataclass(frozen=True)
class Ask:
    """What is asked of an organization: a run, not yet planned."""

    org_id: str
    run_id: str
    asked: Asked
    reason: Reason
    config: Config
    as_of: dt.date
    scope: Sequence[tuple[int, int]] | None = None
    shards: int | None = None  # by default one for each `shard_contacts`
    changes: Sequence[PlannedChange] = ()


def read_config(store: ObjectStore, org_id: str) -> Config:
    """The organization's configuration; the defaults where it has none."""
    name = layout.config(org_id)
    found = read_or_none(store, name)
    return load_config(found.data, name) if found else Config()


def first_send_date(as_of: dt.date, clock: dt.datetime, config: Config) -> dt.date:
    """T0: as_of if the run's clock is before the send time of that day in the organization's
    zone, else the day after."""
    send = dt.datetime.combine(as_of, config.send_clock, config.zone)
    return as_of if clock < send else as_of + dt.timedelta(days=1)


def snapshot_of(store: ObjectStore, org_id: str) -> tuple[Current, SnapshotRef]:
    """The organization's version in force; RequestError if it has none."""
    there = current(store, org_id)
    if there is None:
        raise RequestError(f"organization {org_id}: it has no database in this store")
    version, pointer = there
    info = database_of(store, version)
    return version, SnapshotRef(
        name=info.name,
        generation=info.generation,
        size=info.size,
        crc32c=info.crc32c,
        version=version.version,
        pointer=pointer,
    )


def plan_run(parts: Parts, ask: Ask) -> RunPlan:
    """Write plan.json for a run on the organization's current version, and return it.

    A run that is planned already goes on with the plan that it has.
    """
    if (plan := plan_or_none(parts.store, ask.org_id, ask.run_id)) is not None:
        return plan
    version, reference = snapshot_of(parts.store, ask.org_id)
    t0 = first_send_date(ask.as_of, ask.asked.requested_at, ask.config)
    manifest = manifest_of(parts.store, version.folder)
    # the version was counted when it was published; over ranges, counting may fetch half of it
    census = census_of(manifest) if manifest and manifest.crc32c == version.crc32c else None
    known = census.rate_increases if census else None
    with parts.snapshots.open(reference) as snapshot:
        new_values = _new_values(ask.changes)
        brief = brief_of(snapshot, ask.config, ask.as_of, t0, new_values, known)
        before = brief_of(snapshot, ask.config, ask.as_of, t0, None, known) if new_values else brief
        if census is not None and ask.scope is None:
            total, count, ids = census.contacts, census.ids, np.array(census.bounds, np.int64)
        else:
            total, ids = snapshot.total_contacts(), in_ranges(snapshot.contact_ids(), ask.scope)
            count = len(ids)
    plan = RunPlan(
        org_id=ask.org_id,
        run_id=ask.run_id,
        reason=ask.reason,
        asked=ask.asked,
        brief=brief,
        snapshot=reference,
        total_contacts=total,
        scope=None if ask.scope is None else list(ask.scope),
        changes=list(ask.changes),
        before=[instance for instance in before.instances if instance.id in new_values],
        shards=cut(ids, count, parts.shard_contacts, ask.shards),
        started_at=parts.clock().replace(microsecond=0),
    )
    name = layout.plan(ask.org_id, ask.run_id)
    try:
        write_once(parts.store, name, plan.model_dump_json().encode())
    except PreconditionFailed:  # another delivery was first, and its plan holds
        return read_plan(parts.store, ask.org_id, ask.run_id)
    return plan


def _new_values(changes: Sequence[PlannedChange]) -> Mapping[int, Mapping[str, Any]]:
    """By instance the columns as they will be, the last change of each standing."""
    values: dict[int, dict[str, Any]] = {}
    for change in changes:
        values.setdefault(change.campaign_instance_id, {}).update(change.changes)
    return values


def publish_tasks(parts: Parts, plan: RunPlan) -> None:
    """One ShardTask for each shard whose fragment is not there yet; if none is missing, the word
    that sets off the merge."""
    done = {info.name for info in parts.store.list(layout.fragments(plan.org_id, plan.run_id))}
    missing = [
        shard
        for shard in range(len(plan.shards))
        if layout.fragment(plan.org_id, plan.run_id, shard) not in done
    ]
    if missing:
        ask_for_shards(parts, plan, missing)
    else:
        announce(parts, plan.org_id, plan.run_id, 0)


def ask_for_shards(parts: Parts, plan: RunPlan, shards: Sequence[int]) -> None:
    """A ShardTask for each of these shards."""
    tasks = [
        ShardTask(org_id=plan.org_id, run_id=plan.run_id, shard=shard, first_id=first, last_id=last)
        for shard in shards
        for first, last in [plan.shards[shard]]
    ]
    parts.bus.publish(parts.topics.shard_tasks, [to_json(task) for task in tasks])


def announce(parts: Parts, org_id: str, run_id: str, shard: int) -> None:
    """ShardDone for a shard whose fragment is written."""
    done = ShardDone(org_id=org_id, run_id=run_id, shard=shard)
    parts.bus.publish(parts.topics.shard_results, [to_json(done)])


def in_ranges(ids: Ids, ranges: Sequence[tuple[int, int]] | None) -> Ids:
    """The sorted ids that lie in any of the ranges (inclusive); all of them without ranges."""
    if ranges is None:
        return ids
    chosen = np.zeros(len(ids), np.bool_)
    for first, last in ranges:
        chosen[np.searchsorted(ids, first) : np.searchsorted(ids, last, side="right")] = True
    return ids[chosen]


def cut(ids: Ids, contacts: int, shard_contacts: int, shards: int | None) -> list[tuple[int, int]]:
    """First and last id of each shard: ranges that join, of as many of the ids as possible alike.

    There is one shard for each `shard_contacts` of the contacts (of which the ids may be a sample)
    unless `shards` says how many, and always one, also for no contacts at all.
    """
    if len(ids) == 0:
        return [(0, 0)]
    wanted = shards if shards is not None else -(-contacts // shard_contacts)
    count = max(1, min(wanted, len(ids), MAX_SHARDS))
    bounds = np.linspace(0, len(ids), count + 1).astype(np.intp)[:-1]
    firsts = [int(ids[bound]) for bound in bounds]
    lasts = [following - 1 for following in firsts[1:]] + [int(ids[-1])]
    return list(zip(firsts, lasts, strict=True))
