"""The first step of a run: what holds for all contacts, and which shard plans which of them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from almanac.config import Config, first_send_date
from almanac.contact_ranges import ContactRange, cut, in_ranges
from almanac.errors import PreconditionFailed
from almanac.organizations.brief import run_context_of
from almanac.organizations.organizations import census_of, snapshot_of
from almanac.runs.run_plan import Asked, PlannedChange, Reason, RunPlan, plan_or_none, read_plan
from almanac.runs.services import Services
from almanac.storage import layout
from almanac.storage.store import write_once
from almanac.storage.versions import manifest_of


@dataclass(frozen=True)
class PlanRequest:
    """What is asked of an organization: a run, not yet planned."""

    org_id: str
    run_id: str
    asked: Asked
    reason: Reason
    config: Config
    as_of: dt.date
    scope: Sequence[ContactRange] | None = None
    shards: int | None = None  # by default one for each `shard_contacts`
    changes: Sequence[PlannedChange] = ()


def plan_run(services: Services, request: PlanRequest) -> RunPlan:
    """Write plan.json for a run on the organization's current version, and return it.

    A run that is planned already goes on with the plan that it has.
    """
    if (plan := plan_or_none(services.store, request.org_id, request.run_id)) is not None:
        return plan
    version, reference = snapshot_of(services.store, request.org_id)
    t0 = first_send_date(request.as_of, request.asked.requested_at, request.config)
    manifest = manifest_of(services.store, version.folder)
    # the version was counted when it was published; over ranges, counting may fetch half of it
    census = census_of(manifest) if manifest and manifest.crc32c == version.crc32c else None
    known = census.rate_increases if census else None
    with services.snapshots.open(reference) as snapshot:
        new_values = _new_values(request.changes)
        context = run_context_of(snapshot, request.config, request.as_of, t0, new_values, known)
        before = (
            run_context_of(snapshot, request.config, request.as_of, t0, None, known)
            if new_values
            else context
        )
        if census is not None and request.scope is None:
            total, count, ids = census.contacts, census.ids, np.array(census.bounds, np.int64)
        else:
            total, ids = snapshot.total_contacts(), in_ranges(snapshot.contact_ids(), request.scope)
            count = len(ids)
    plan = RunPlan(
        org_id=request.org_id,
        run_id=request.run_id,
        reason=request.reason,
        asked=request.asked,
        context=context,
        snapshot=reference,
        total_contacts=total,
        scope=None if request.scope is None else list(request.scope),
        changes=list(request.changes),
        before=[instance for instance in before.instances if instance.id in new_values],
        shards=cut(ids, count, services.shard_contacts, request.shards),
        started_at=services.clock().replace(microsecond=0),
    )
    name = layout.plan(request.org_id, request.run_id)
    try:
        write_once(services.store, name, plan.model_dump_json().encode())
    except PreconditionFailed:  # another delivery was first, and its plan holds
        return read_plan(services.store, request.org_id, request.run_id)
    return plan


def _new_values(changes: Sequence[PlannedChange]) -> Mapping[int, Mapping[str, Any]]:
    """By instance the columns as they will be, the last change of each standing."""
    values: dict[int, dict[str, Any]] = {}
    for change in changes:
        values.setdefault(change.campaign_instance_id, {}).update(change.changes)
    return values
