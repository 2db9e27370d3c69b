"""The first step of a run: write plan.json, which holds what is common to all shards."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from almanac.config import Config, first_send_date
from almanac.contact_ranges import ContactRange, cut, cut_apart, in_ranges, ranges_of
from almanac.database.census import Census
from almanac.database.reading import Snapshot
from almanac.errors import DatabaseError, PreconditionFailed
from almanac.frames import Ids
from almanac.messaging.planned_change import PlannedChange
from almanac.organizations.brief import no_usable_id, run_context_of
from almanac.organizations.snapshots import SnapshotRef
from almanac.planning.brief import Instance, RunContext
from almanac.runs.run_plan import Reason, RequestOrigin, RunPlan, read_plan
from almanac.runs.services import Services
from almanac.storage import layout
from almanac.storage.store import write_once
from almanac.tracing import note, traced


@dataclass(frozen=True)
class Replan:
    """What events ask a run to plan. contacts: their sorted ids; instances: of campaigns, whose
    contacts are planned too, those of before the events and those of after them."""

    contacts: Ids
    instances: Ids


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
    event_id: str | None = None  # of the event that asked for the run
    replan: Replan | None = None  # of a run over some contacts


@traced("plan run")
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
        before: list[Instance] = []
        if new_values:
            as_it_is = run_context_of(opened, request.config, request.as_of, t0, None, known)
            before = [instance for instance in as_it_is.instances if instance.id in new_values]
        if request.replan is not None and len(request.replan.instances):
            before = _before(services, request, snapshot, context, before)
        scope, replan = request.scope, request.replan
        if replan is not None and not before and not request.changes:
            scope = ranges_of(replan.contacts)
            total = census.contacts if census is not None else opened.total_contacts()
            shards = cut_apart(replan.contacts, services.shard_contacts)
        else:
            total, count, ids = _contacts(opened, request, census)
            shards = cut(ids, count, services.shard_contacts, request.shards)
    plan = RunPlan(
        org_id=request.org_id,
        run_id=request.run_id,
        reason=request.reason,
        asked=request.asked,
        context=context,
        snapshot=snapshot,
        total_contacts=total,
        scope=None if scope is None else list(scope),
        changes=list(request.changes),
        before=before,
        replan=ranges_of(replan.contacts) if replan is not None else [],
        shards=shards,
        started_at=services.clock().replace(microsecond=0),
    )
    note(run_id=plan.run_id, shards=len(shards))
    name = layout.plan(request.org_id, request.run_id)
    try:
        write_once(services.store, name, plan.model_dump_json().encode())
    except PreconditionFailed:  # another delivery was first: its plan is the run's
        return read_plan(services.store, request.org_id, request.run_id)
    return plan


def _contacts(
    opened: Snapshot, request: PlanRequest, census: Census | None
) -> tuple[int, int, Ids]:
    """Return the rows of contacts, the number of ids in scope, and these or a sample of them."""
    # an older program counted no ids that are texts; the configuration may have changed since
    id_column = opened.contact_columns(request.config.contacts).column("id")
    counted = census is not None and census.ids and census.id_column == id_column
    if census is not None and counted and request.scope is None:
        return census.contacts, census.ids, np.array(census.bounds, np.int64)
    everyone = opened.contact_ids(request.config.contacts)
    total, ids = opened.total_contacts(), in_ranges(everyone, request.scope)
    if total and not len(everyone):
        invalid = opened.oddities(request.config.contacts).invalid_ids
        raise DatabaseError(no_usable_id(total, invalid.examples))
    return total, len(ids), ids


def _before(
    services: Services,
    request: PlanRequest,
    snapshot: SnapshotRef,
    context: RunContext,
    changed: Sequence[Instance],
) -> list[Instance]:
    """Return the changed instances as they were before events and changes; new ones as they are.

    changed: those that changes change, as they are before the changes.
    """
    of_version = snapshot.model_copy(update={"absorbed": None})
    with services.snapshots.open(of_version) as opened:
        earlier = run_context_of(opened, request.config, request.as_of, context.t0)
    found = {instance.id: instance for instance in context.instances}
    defined = set(request.replan.instances.tolist()) if request.replan else set()
    chosen = [i.id for i in context.instances if i.id in defined | {each.id for each in changed}]
    for each in (*changed, *earlier.instances):
        found[each.id] = each
    return [found[instance] for instance in chosen]


def _new_values(changes: Sequence[PlannedChange]) -> Mapping[int, Mapping[str, Any]]:
    """Return the new columns by campaign instance; of several changes of a column the last wins."""
    values: dict[int, dict[str, Any]] = {}
    for change in changes:
        values.setdefault(change.campaign_instance_id, {}).update(change.changes)
    return values
