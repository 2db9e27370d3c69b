"""Campaign changes that wait for a run: one commit applies all those that wait at the time.

A change is recorded when it first arrives (orgs/<org>/changes/<event>.json), so that the delivery
which gets the lease takes along the changes that wait for the same day: a hundred changes sent at
once need a few runs and not a hundred. Each event still has its own request and result.
"""

from __future__ import annotations

import datetime as dt
from contextlib import suppress

from pydantic import AwareDatetime

from almanac.config import first_send_date
from almanac.errors import NotFound, PreconditionFailed, RequestError
from almanac.logs import get_log
from almanac.messaging.planned_change import PlannedChange
from almanac.names import change_run_id
from almanac.organizations.snapshots import SnapshotRef
from almanac.runs.plan import PlanRequest
from almanac.runs.results import RunResult, State, record_result, release_ended, result_of
from almanac.runs.run_plan import plan_or_none
from almanac.runs.services import Services
from almanac.storage import layout
from almanac.storage.documents import Document, read_document, to_json
from almanac.storage.store import ObjectStore, write_once


class WaitingChange(Document):
    """changes/<event>.json: a change that has arrived and waits for its run."""

    change: PlannedChange
    request_id: str
    requested_at: AwareDatetime


def wait_for_run(store: ObjectStore, org: str, own: WaitingChange) -> None:
    """Record the change; raise RequestError if another change with its event id waits."""
    name = layout.change(org, own.change.event_id)
    try:
        write_once(store, name, to_json(own))
    except PreconditionFailed:
        there = read_document(store, name, WaitingChange)
        if there is not None and there[0].change != own.change:
            raise RequestError(
                f"CampaignChange.event_id: {own.change.event_id!r} is that of another change, "
                f"which waits since {there[0].requested_at.isoformat()}"
            ) from None


def check_same(store: ObjectStore, own: WaitingChange, ended: RunResult) -> None:
    """Raise RequestError if another change was applied under the event id."""
    plan = plan_or_none(store, ended.org_id, ended.by_run or ended.run_id)
    for change in plan.changes if plan else ():
        if change.event_id == own.change.event_id and change != own.change:
            raise RequestError(
                f"CampaignChange.event_id: {own.change.event_id!r} is that of another change, "
                f"which run {ended.run_id} was requested for"
            )


def requested_at(store: ObjectStore, org_id: str, event_id: str) -> dt.datetime | None:
    """Return when a change that still waits was requested; None if it does not wait."""
    found = read_document(store, layout.change(org_id, event_id), WaitingChange)
    return found[0].requested_at if found else None


def forget_change(store: ObjectStore, org_id: str, event_id: str) -> None:
    """Delete the record of a change that no longer waits for a run."""
    name = layout.change(org_id, event_id)
    there = store.stat(name)
    if there is not None:
        with suppress(NotFound, PreconditionFailed):  # another delivery did it
            store.delete(name, if_generation=there.generation)


def gather(
    services: Services, request: PlanRequest, own: WaitingChange, snapshot: SnapshotRef
) -> list[PlannedChange] | None:
    """Return the changes that the run applies, oldest first; None if its own needs no run.

    Its own comes with all that wait for a run of the same day and first send date and have not
    failed in one. The own change needs no run if an earlier one applied it: its result is then
    recorded. Raises RequestError if there is no such campaign instance.
    """
    store, org = services.store, request.org_id
    waiting = {own.change.event_id: own}
    for info in store.list(layout.changes(org)):
        found = read_document(store, info.name, WaitingChange)
        if found is not None and _comes_along(store, found[0], request):
            waiting.setdefault(found[0].change.event_id, found[0])
    with services.snapshots.open(snapshot) as opened:
        instances = {row["id"] for row in opened.campaign_instances()}
        applied = opened.logged_events(waiting)
    for event in applied:  # the delivery that sent it may be long gone
        forget_change(store, org, event)
    if own.change.event_id in applied:
        end_without_run(
            services, request, "committed", "the event is in campaign_change_log already"
        )
        return None
    if own.change.campaign_instance_id not in instances:
        known = ", ".join(map(str, sorted(instances)[:20])) or "there are none"
        reason = (
            f"CampaignChange.campaign_instance_id: {own.change.campaign_instance_id}: organization "
            f"{org} has no such campaign instance ({known})"
        )
        end_without_run(services, request, "rejected", reason)
        forget_change(store, org, own.change.event_id)
        raise RequestError(reason)
    changes = [
        each.change
        for each in sorted(waiting.values(), key=lambda w: (w.requested_at, w.change.event_id))
        if each.change.event_id not in applied and each.change.campaign_instance_id in instances
    ]
    get_log().info("changes gathered", changes=len(changes))
    return changes


def _comes_along(store: ObjectStore, waiting: WaitingChange, request: PlanRequest) -> bool:
    """Whether the change was requested for the same as_of and T0, and has never failed."""
    as_of = waiting.requested_at.astimezone(request.config.zone).date()
    t0 = first_send_date(as_of, waiting.requested_at, request.config)
    if (as_of, t0) != (
        request.as_of,
        first_send_date(request.as_of, request.asked.requested_at, request.config),
    ):
        return False
    earlier = result_of(store, request.org_id, change_run_id(as_of, waiting.change.event_id))
    return earlier is None or earlier.state != "failed"


def end_without_run(services: Services, request: PlanRequest, state: State, reason: str) -> None:
    """Record the end of a request that needs no run, and release the lease."""
    result = RunResult(
        org_id=request.org_id,
        run_id=request.run_id,
        state=state,
        reason=reason,
        request_id=request.asked.request_id,
        as_of=request.as_of,
        requested_at=request.asked.requested_at,
        finished_at=services.clock(),
    )
    record_result(services.store, result)
    release_ended(services.store, request.org_id, request.run_id)
