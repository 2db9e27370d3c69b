"""The first step of a run: write plan.json, which holds what is common to all shards."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from almanac.config import Config, first_send_date
from almanac.contact_ranges import ContactRange, cut, in_ranges
from almanac.database.census import Census
from almanac.errors import DatabaseError, PreconditionFailed
from almanac.messaging.planned_change import PlannedChange
from almanac.organizations.brief import no_usable_id, run_context_of
from almanac.organizations.snapshots import SnapshotRef
from almanac.runs.run_plan import Reason, RequestOrigin, RunPlan, read_plan
from almanac.runs.services import Services
from almanac.storage import layout
from almanac.storage.store import write_once


@dataclass(frozen=True)
class PlanRequest:
    """A run of an organization that is requested and not yet planned."""

    org_id: str
    run_id: str
    asked: RequestOrigin
    reason: Reason
    config: Config
    as_of: dt.date
    scope: Sequence[ContactRange] | None = None
    shards: int | None = None  # by default one for each `shard_contacts`
    changes: Sequence[PlannedChange] = ()


def plan_run(
    services: Services, request: PlanRequest, snapshot: SnapshotRef, census: Census | None
) -> RunPlan:
    """Plan a run on the snapshot, write its plan.json, and return the plan.

    census: the counts of the snapshot's rows if they are known; without them the snapshot is
    counted, which over ranges may fetch half of it. If another delivery of the same request wrote
    plan.json first, return that plan. Raises DatabaseError if no contact has a usable id.
    """
    t0 = first_send_date(request.as_of, request.asked.requested_at, request.config)
    known = census.rate_increases if census else None
    new_values = _new_values(request.changes)
    with services.snapshots.open(snapshot) as opened:
        context = run_context_of(opened, request.config, request.as_of, t0, new_values, known)
        before = (
            run_context_of(opened, request.config, request.as_of, t0, None, known)
            if new_values
            else context
        )
        # an older program counted no ids that are texts; the configuration may have changed since
        id_column = opened.contact_columns(request.config.contacts).column("id")
        counted = census is not None and census.ids and census.id_column == id_column
        if census is not None and counted and request.scope is None:
            total, count, ids = census.contacts, census.ids, np.array(census.bounds, np.int64)
        else:
            everyone = opened.contact_ids(request.config.contacts)
            total, ids = opened.total_contacts(), in_ranges(everyone, request.scope)
            count = len(ids)
            if total and not len(everyone):
                invalid = opened.oddities(request.config.contacts).invalid_ids
                raise DatabaseError(no_usable_id(total, invalid.examples))
    plan = RunPlan(
        org_id=request.org_id,
        run_id=request.run_id,
        reason=request.reason,
        asked=request.asked,
        context=context,
        snapshot=snapshot,
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
    except PreconditionFailed:  # another delivery was first: its plan is the run's
        return read_plan(services.store, request.org_id, request.run_id)
    return plan


def _new_values(changes: Sequence[PlannedChange]) -> Mapping[int, Mapping[str, Any]]:
    """Return the new columns by campaign instance; of several changes of a column the last wins."""
    values: dict[int, dict[str, Any]] = {}
    for change in changes:
        values.setdefault(change.campaign_instance_id, {}).update(change.changes)
    return values
