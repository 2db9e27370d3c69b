"""A campaign change: applied and planned in one commit, with all others that wait at the time.

A change is written down when it first arrives (orgs/<org>/changes/<event>.json), so that whichever
delivery gets the lease takes along what waits for the same day: a hundred changes sent at once are
a few runs and not a hundred. Each event still has its own request and result.
"""

from __future__ import annotations

from dataclasses import replace

from pydantic import AwareDatetime

from almanac.config import Config, first_send_date
from almanac.errors import ConfigError, PreconditionFailed, RequestError
from almanac.logs import bound, get_log
from almanac.messaging.bus import Delivery
from almanac.messaging.messages import CampaignChange, parse
from almanac.names import change_run_id
from almanac.organizations.organizations import read_config, snapshot_of
from almanac.runs.finish import forget_change
from almanac.runs.plan import PlanRequest
from almanac.runs.results import RunResult, State, attempt_at, record_result, result_of
from almanac.runs.run_plan import Asked, PlannedChange, plan_or_none
from almanac.runs.services import Services
from almanac.runs.start import begin, require_organization
from almanac.storage import layout
from almanac.storage.documents import Document, read_document, to_json
from almanac.storage.lease import release
from almanac.storage.store import ObjectStore, write_once


class WaitingChange(Document):
    """changes/<event>.json: a change that has arrived and waits for its run."""

    change: PlannedChange
    request_id: str
    requested_at: AwareDatetime


def change_campaign(services: Services, delivery: Delivery) -> None:
    """CampaignChange: start the run that applies it, unless that has been done."""
    message = parse(CampaignChange, delivery.data)
    org = message.org_id
    with bound(org_id=org, event_id=message.event_id):
        require_organization(services.store, org)
        try:
            config, problem = read_config(services.store, org), None
        except ConfigError as error:
            config, problem = Config(), str(error)
        own = WaitingChange(
            change=PlannedChange.model_validate(message.model_dump(exclude={"org_id"})),
            request_id=delivery.message_id,
            requested_at=delivery.publish_time,
        )
        as_of = own.requested_at.astimezone(config.zone).date()
        base = change_run_id(as_of, message.event_id)
        if (ended := attempt_at(services.store, org, base, own.request_id).ended) is None:
            _wait(services, org, own)
        else:
            _check_same(services, own, ended)
        asked = Asked(base=base, request_id=own.request_id, requested_at=own.requested_at)
        plan_request = PlanRequest(org, base, asked, "change", config, as_of)
        begin(
            services,
            plan_request,
            problem=problem,
            gather=lambda plan_request: _gather(services, plan_request, own),
        )
        if attempt_at(services.store, org, base, own.request_id).ended is not None:
            forget_change(services, org, message.event_id)


def _wait(services: Services, org: str, own: WaitingChange) -> None:
    """Write the change down; RequestError if its event id stands for another one."""
    name = layout.change(org, own.change.event_id)
    try:
        write_once(services.store, name, to_json(own))
    except PreconditionFailed:
        there = read_document(services.store, name, WaitingChange)
        if there is not None and there[0].change != own.change:
            raise RequestError(
                f"CampaignChange.event_id: {own.change.event_id!r} is that of another change, "
                f"which waits since {there[0].requested_at.isoformat()}"
            ) from None


def _check_same(services: Services, own: WaitingChange, ended: RunResult) -> None:
    """RequestError if another change was applied under the event id."""
    plan = plan_or_none(services.store, ended.org_id, ended.by_run or ended.run_id)
    for change in plan.changes if plan else ():
        if change.event_id == own.change.event_id and change != own.change:
            raise RequestError(
                f"CampaignChange.event_id: {own.change.event_id!r} is that of another change, "
                f"which run {ended.run_id} was asked for"
            )


def _gather(
    services: Services, plan_request: PlanRequest, own: WaitingChange
) -> PlanRequest | None:
    """The request with all changes that its run can apply; None if its own has ended.

    Those come along, oldest first, that wait for a run of the same day and first send date and
    have not failed in one.
    Raises RequestError if there is no such campaign instance.
    """
    waiting = {own.change.event_id: own}
    for info in services.store.list(layout.changes(plan_request.org_id)):
        found = read_document(services.store, info.name, WaitingChange)
        if found is not None and _comes_along(services.store, found[0], plan_request):
            waiting.setdefault(found[0].change.event_id, found[0])
    _, reference = snapshot_of(services.store, plan_request.org_id)
    with services.snapshots.open(reference) as snapshot:
        instances = {row["id"] for row in snapshot.campaign_instances()}
        applied = snapshot.logged_events(waiting)
    for event in applied:  # its own delivery may be long gone
        forget_change(services, plan_request.org_id, event)
    if own.change.event_id in applied:
        _end(services, plan_request, "committed", "the event is in campaign_change_log already")
        return None
    if own.change.campaign_instance_id not in instances:
        known = ", ".join(map(str, sorted(instances)[:20])) or "there are none"
        reason = (
            f"CampaignChange.campaign_instance_id: {own.change.campaign_instance_id}: organization "
            f"{plan_request.org_id} has no such campaign instance ({known})"
        )
        _end(services, plan_request, "rejected", reason)
        forget_change(services, plan_request.org_id, own.change.event_id)
        raise RequestError(reason)
    taken = [
        each.change
        for each in sorted(waiting.values(), key=lambda w: (w.requested_at, w.change.event_id))
        if each.change.event_id not in applied and each.change.campaign_instance_id in instances
    ]
    get_log().info("changes gathered", changes=len(taken))
    return replace(plan_request, changes=taken)


def _comes_along(store: ObjectStore, waiting: WaitingChange, plan_request: PlanRequest) -> bool:
    """Whether the change was asked for with the same as_of and T0, and never failed."""
    as_of = waiting.requested_at.astimezone(plan_request.config.zone).date()
    t0 = first_send_date(as_of, waiting.requested_at, plan_request.config)
    if (as_of, t0) != (
        plan_request.as_of,
        first_send_date(plan_request.as_of, plan_request.asked.requested_at, plan_request.config),
    ):
        return False
    earlier = result_of(store, plan_request.org_id, change_run_id(as_of, waiting.change.event_id))
    return earlier is None or earlier.state != "failed"


def _end(services: Services, plan_request: PlanRequest, state: State, reason: str) -> None:
    """End the request of a change that needs no run."""
    result = RunResult(
        org_id=plan_request.org_id,
        run_id=plan_request.run_id,
        state=state,
        reason=reason,
        request_id=plan_request.asked.request_id,
        as_of=plan_request.as_of,
        finished_at=services.clock(),
    )
    record_result(services.store, result)
    release(services.store, plan_request.org_id, plan_request.run_id)
