"""The start of a run: the lease, the plan, the tasks of its shards."""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

from almanac.config import Config
from almanac.database.census import Census
from almanac.errors import ConfigError, LeaseTaken, RequestError
from almanac.logs import bound, get_log
from almanac.messaging.bus import Delivery
from almanac.messaging.messages import CampaignChange, RunRequest, parse
from almanac.messaging.planned_change import PlannedChange
from almanac.names import change_run_id, daily_run_id, manual_run_id
from almanac.organizations.kept_rows import kept_rows_of
from almanac.organizations.organizations import census_of, read_config, snapshot_of
from almanac.organizations.snapshots import SnapshotRef
from almanac.runs.absorb import Start, absorb_waiting, waiting_events
from almanac.runs.campaign_change import (
    WaitingChange,
    check_same,
    end_without_run,
    forget_change,
    gather,
    wait_for_run,
)
from almanac.runs.fan_out import ask_for_all, check_all, check_deadline
from almanac.runs.finish import Ended, after_end, end_failed, take_lease
from almanac.runs.plan import PlanRequest, plan_run
from almanac.runs.results import RunResult, attempt_at, is_final, result_of
from almanac.runs.run_plan import RequestOrigin, RunPlan, plan_or_none
from almanac.runs.services import Services
from almanac.runs.tasks import publish_tasks
from almanac.storage import layout
from almanac.storage.store import ObjectStore
from almanac.storage.versions import manifest_of


def orchestrate(services: Services, delivery: Delivery) -> None:
    """Handle a RunRequest: start the organization's run, or request or check all organizations."""
    request = parse(RunRequest, delivery.data)
    if request.org_id is None:
        if request.reason == "check":
            check_all(services)
        elif request.reason == "deadline":
            check_deadline(services, request.requested_at or delivery.publish_time)
        else:
            ask_for_all(services, request, delivery)
        return
    with bound(org_id=request.org_id):
        _require_organization(services.store, request.org_id)
        start_run(services, request.org_id, request, delivery)


def start_run(services: Services, org_id: str, request: RunRequest, delivery: Delivery) -> None:
    """Start the requested run, or continue it; a run that has ended is not started again."""
    clock = request.requested_at or delivery.publish_time
    config, problem = _config_of(services.store, org_id)
    as_of = request.as_of or clock.astimezone(config.zone).date()
    match request.reason:
        case "daily":
            base = daily_run_id(as_of)
        case "manual":
            base = manual_run_id(as_of, delivery.message_id)
        case "replan":
            base = change_run_id(as_of, request.event_id or "")
        case "check" | "deadline":
            raise RequestError(
                f"reason: a {request.reason} is of all organizations, without an org_id"
            )
        case _:
            assert_never(request.reason)
    origin = RequestOrigin(
        base=base, request_id=delivery.message_id, requested_at=clock, force=request.force
    )
    asked = PlanRequest(
        org_id, base, origin, request.reason, config, as_of, event_id=request.event_id
    )
    _begin(services, asked, problem)


def change_campaign(services: Services, delivery: Delivery) -> None:
    """Handle a CampaignChange: start the run that applies it, unless it was applied already."""
    message = parse(CampaignChange, delivery.data)
    org = message.org_id
    with bound(org_id=org, event_id=message.event_id):
        _require_organization(services.store, org)
        config, problem = _config_of(services.store, org)
        own = WaitingChange(
            change=PlannedChange.model_validate(message.model_dump(exclude={"org_id"})),
            request_id=delivery.message_id,
            requested_at=delivery.publish_time,
        )
        as_of = own.requested_at.astimezone(config.zone).date()
        base = change_run_id(as_of, message.event_id)
        if (ended := attempt_at(services.store, org, base, own.request_id).ended) is None:
            wait_for_run(services.store, org, own)
        else:
            check_same(services.store, own, ended)
        origin = RequestOrigin(base=base, request_id=own.request_id, requested_at=own.requested_at)
        _begin(services, PlanRequest(org, base, origin, "change", config, as_of), problem, own)
        if attempt_at(services.store, org, base, own.request_id).ended is not None:
            forget_change(services.store, org, message.event_id)


def _require_organization(store: ObjectStore, org_id: str) -> None:
    """Raise RequestError if the store has no database of the organization."""
    if store.stat(layout.current(org_id)) is None:
        raise RequestError(f"organization {org_id}: it has no database in this store")


def _config_of(store: ObjectStore, org_id: str) -> tuple[Config, str | None]:
    """Return the configuration; if it is not valid, the defaults and the reason."""
    try:
        return read_config(store, org_id), None
    except ConfigError as error:
        return Config(), str(error)


def _begin(
    services: Services, request: PlanRequest, problem: str | None, own: WaitingChange | None = None
) -> None:
    """Start the request's run under its lease, or continue it; complete its end if it has one.

    problem: why the run cannot succeed, if that is already known. own: the campaign change that
    requests the run. Raises LeaseTaken while another run is in flight, and if another run took the
    lease over meanwhile: a delivery of the same request may have begun the next attempt and rely
    on being delivered again, so this one must not end the message.
    """
    org, origin = request.org_id, request.asked
    attempt = attempt_at(services.store, org, origin.base, origin.request_id, force=origin.force)
    origin = origin.model_copy(update={"attempt": attempt.number})
    request = replace(request, run_id=attempt.run_id, asked=origin)
    with bound(run_id=request.run_id):
        if attempt.ended is not None:
            _complete(services, request, attempt.ended)
            return
        try:
            _start(services, request, problem, own)
        except RequestError:
            _check_attempt(services.store, request)
            raise
        _check_attempt(services.store, request)


def _complete(services: Services, request: PlanRequest, ended: RunResult) -> None:
    """Repeat the steps that follow an end: they may have been interrupted."""
    get_log().info("run has ended already", state=ended.state)
    after_end(services, plan_or_none(services.store, request.org_id, request.run_id), ended)


def _check_attempt(store: ObjectStore, request: PlanRequest) -> None:
    """Raise LeaseTaken if the run has ended so that its request goes on with another attempt."""
    ended = result_of(store, request.org_id, request.run_id)
    if ended is not None and (ended.again or ended.state == "superseded"):
        raise LeaseTaken(
            f"organization {request.org_id}: run {request.run_id} ended as {ended.state} while it "
            f"was started ({ended.reason})"
        )


def _start(
    services: Services, request: PlanRequest, problem: str | None, own: WaitingChange | None
) -> None:
    """Take the lease, plan the run, publish its tasks; do nothing more if it has ended by then."""
    take_lease(services, request.org_id, request.run_id)
    ended = result_of(services.store, request.org_id, request.run_id)
    if ended is not None:
        _complete(services, request, ended)
        return
    if problem is not None:
        end_failed(services, Ended.of_request(request), None, problem)
        return
    # Not below: a plan that this delivery cannot read may be readable for the next one.
    plan = plan_or_none(services.store, request.org_id, request.run_id)
    if plan is None:
        try:
            plan = _plan(services, request, own)
        except Exception as error:
            if isinstance(error, RequestError) or not is_final(error):
                raise
            end_failed(services, Ended.of_request(request), None, str(error))
    if plan is None:
        return
    publish_tasks(services, plan)
    get_log().info(
        "run started", as_of=str(plan.as_of), shards=len(plan.shards), reason=plan.reason
    )


def _plan(services: Services, request: PlanRequest, own: WaitingChange | None) -> RunPlan | None:
    """Plan the run on the current version and all events that wait; None if it needs no run."""
    waiting = waiting_events(services.store, request.org_id)
    start = Start(*_current_snapshot(services.store, request.org_id))
    if request.event_id is not None and _has_event(services, request.event_id, start.snapshot):
        end_without_run(services, request, "committed", "a run has applied the event already")
        return None
    start = absorb_waiting(services, request, waiting, start)
    if request.event_id is not None and not start.has(request.event_id):
        reason = f"RunRequest.event_id: no event {request.event_id!r} waits in the inbox"
        end_without_run(services, request, "rejected", reason)
        raise RequestError(reason)
    if own is not None:
        changes = gather(services, request, own, start.snapshot)
        if changes is None:
            return None
        request = replace(request, changes=changes)
    if request.reason in ("change", "replan"):
        request = replace(request, replan=start.replan)
    return plan_run(services, request, start.snapshot, start.census)


def _has_event(services: Services, event_id: str, snapshot: SnapshotRef) -> bool:
    with services.snapshots.open(snapshot) as opened:
        return opened.has_absorbed(event_id)


def _current_snapshot(store: ObjectStore, org_id: str) -> tuple[SnapshotRef, Census | None]:
    """Return the current version's database, and its rows as counted when it was published."""
    version, snapshot = snapshot_of(store, org_id)
    manifest = manifest_of(store, version.folder)
    if manifest is None or manifest.crc32c != version.crc32c:
        return snapshot, None
    snapshot = snapshot.model_copy(update={"planned": kept_rows_of(manifest)})
    return snapshot, census_of(manifest)
