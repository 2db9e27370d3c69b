"""How runs end: recorded once, then whatever the ending calls for, as often as it takes.

result.json comes first. What follows it (the changes that are done, the lease, asking again) may
be cut short by a crash at any point; the next delivery of any of the run's messages finds the
result and goes through the rest again.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from almanac.errors import Corrupt
from almanac.logs import get_log
from almanac.messaging.messages import CampaignChange, RunRequest, to_json
from almanac.names import attempt_run_id, change_run_id
from almanac.report.summary import RunSummary
from almanac.runs.campaign_change import forget_change
from almanac.runs.plan import PlanRequest
from almanac.runs.results import RunResult, attempt_at, record_result, result_of, superseded_before
from almanac.runs.run_plan import PlannedChange, RunPlan, plan_or_none
from almanac.runs.services import Services
from almanac.storage import layout
from almanac.storage.lease import Lease, acquire, close_dead_runs, release
from almanac.storage.store import read_or_none
from almanac.storage.versions import Manifest, committed_by

MAX_SUPERSEDED = 5


@dataclass(frozen=True)
class Ended:
    """A run that can go no further: what there is to tell of it."""

    org_id: str
    run_id: str
    request_id: str = ""
    as_of: dt.date | None = None
    started_at: dt.datetime | None = None

    @classmethod
    def of_plan(cls, plan: RunPlan) -> Ended:
        return cls(plan.org_id, plan.run_id, plan.asked.request_id, plan.as_of, plan.started_at)

    @classmethod
    def of_request(cls, plan_request: PlanRequest) -> Ended:
        return cls(
            plan_request.org_id,
            plan_request.run_id,
            plan_request.asked.request_id,
            plan_request.as_of,
        )


def end_committed(
    services: Services,
    plan: RunPlan,
    version: int,
    summary: RunSummary | None = None,
    seconds: dict[str, float] | None = None,
) -> RunResult:
    """The run's version is in force, or was; its summary is in the version too."""
    if summary is None:
        folder = layout.version(plan.org_id, version, plan.run_id)
        found = read_or_none(services.store, f"{folder}/{layout.REPORT_JSON}")
        summary = RunSummary.model_validate_json(found.data) if found else None
    return _end(
        services,
        Ended.of_plan(plan),
        plan,
        state="committed",
        version=version,
        planned=summary.planned_total if summary else None,
        skipped=summary.skipped_total if summary else None,
        seconds=seconds or {},
    )


def end_failed(
    services: Services, ended: Ended, plan: RunPlan | None, reason: str, *, again: bool = False
) -> RunResult:
    """The run cannot succeed; again: the fault was not its own."""
    get_log().error("run failed", org_id=ended.org_id, run_id=ended.run_id, reason=reason)
    return _end(services, ended, plan, state="failed", reason=reason, again=again)


def end_broken(services: Services, plan: RunPlan, change: PlannedChange, reason: str) -> RunResult:
    """A change of the run is broken: if it only came along, the run goes on without it."""
    base = change_run_id(plan.as_of, change.event_id)
    ended = Ended.of_plan(plan)
    if base == plan.asked.base:
        return end_failed(services, ended, plan, reason)
    attempt = attempt_at(services.store, plan.org_id, base, "")
    if attempt.ended is None:
        alone = RunResult(
            org_id=plan.org_id,
            run_id=attempt.run_id,
            state="failed",
            reason=reason,
            as_of=plan.as_of,
            by_run=plan.run_id,
            finished_at=services.clock(),
        )
        record_result(services.store, alone)
    forget_change(services.store, plan.org_id, change.event_id)
    return end_failed(services, ended, plan, f"a change that came along: {reason}", again=True)


def end_superseded(services: Services, plan: RunPlan, reason: str) -> RunResult:
    """Another writer was first: the run is asked for again, at most MAX_SUPERSEDED times."""
    base, number = plan.asked.base, plan.asked.attempt
    if superseded_before(services.store, plan.org_id, base, number) + 1 >= MAX_SUPERSEDED:
        reason = f"superseded {MAX_SUPERSEDED} times in a row, the last time: {reason}"
        return end_failed(services, Ended.of_plan(plan), plan, reason, again=False)
    get_log().warning("run superseded", reason=reason)
    return _end(services, Ended.of_plan(plan), plan, state="superseded", reason=reason)


def _end(services: Services, ended: Ended, plan: RunPlan | None, **outcome: object) -> RunResult:
    result = RunResult.model_validate(
        {
            "org_id": ended.org_id,
            "run_id": ended.run_id,
            "request_id": ended.request_id,
            "as_of": ended.as_of,
            "started_at": ended.started_at,
            "finished_at": services.clock(),
            **outcome,
        }
    )
    result = record_result(services.store, result)
    after_end(services, plan, result)
    return result


def after_end(services: Services, plan: RunPlan | None, result: RunResult) -> None:
    """What follows a run's end; again and again does no harm."""
    if plan is not None and plan.changes and result.state != "superseded":
        _settle_changes(services, plan, result)
    release(services.store, result.org_id, result.run_id)
    if plan is not None and _goes_on(services, plan, result):
        _ask_again(services, plan)


def _goes_on(services: Services, plan: RunPlan, result: RunResult) -> bool:
    """Whether the run is to be asked for again: it was superseded, or it was a campaign change's
    and died. A whole run that died is not missed: the one that took its lease plans everyone."""
    if result.state == "superseded":
        return True
    return result.again and plan.reason == "change" and plan.asked.attempt < MAX_SUPERSEDED


def _settle_changes(services: Services, plan: RunPlan, result: RunResult) -> None:
    """The changes that the run took along have their results too, and wait no more.

    After a failure only the change that asked for the run: each other one tries for itself.
    """
    for change in plan.changes:
        base = change_run_id(plan.as_of, change.event_id)
        if base != plan.asked.base:
            if result.state != "committed":
                continue
            attempt = attempt_at(services.store, plan.org_id, base, "")
            if attempt.ended is None:
                record_result(
                    services.store,
                    result.model_copy(update={"run_id": attempt.run_id, "by_run": plan.run_id}),
                )
        forget_change(services.store, plan.org_id, change.event_id)


def _ask_again(services: Services, plan: RunPlan) -> None:
    """Publish what was asked for once more, unless the next attempt is under way."""
    following = attempt_run_id(plan.asked.base, plan.asked.attempt + 1)
    if plan_or_none(services.store, plan.org_id, following) is not None:
        return
    if result_of(services.store, plan.org_id, following) is not None:
        return
    attributes = {
        "request_id": plan.asked.request_id,
        "requested_at": plan.asked.requested_at.isoformat(),
    }
    if plan.reason != "change":
        request = RunRequest(
            org_id=plan.org_id, as_of=plan.as_of, reason=plan.reason, force=plan.asked.force
        )
        services.bus.publish(services.topics.run_requests, [to_json(request)], attributes)
        return
    change = _asked_change(plan)
    message = CampaignChange(
        event_id=change.event_id,
        org_id=plan.org_id,
        campaign_instance_id=change.campaign_instance_id,
        changes=change.changes,
        changed_by=change.changed_by,
    )
    services.bus.publish(services.topics.campaign_changes, [to_json(message)], attributes)


def _asked_change(plan: RunPlan) -> PlannedChange:
    """The change that the run was asked for by; others came along."""
    for change in plan.changes:
        if change_run_id(plan.as_of, change.event_id) == plan.asked.base:
            return change
    raise AssertionError(f"run {plan.run_id}: without the change that asked for it")


def version_of(services: Services, plan: RunPlan) -> Manifest | None:
    """The version that an earlier delivery of the run committed, if one did."""
    return committed_by(services.store, plan.org_id, plan.run_id, plan.snapshot.version)


def take_lease(services: Services, org_id: str, run_id: str) -> Lease:
    """The organization's lease, with the ends of dead runs recorded; LeaseTaken."""
    lease = acquire(
        services.store,
        org_id,
        run_id,
        services.new_holder(),
        services.clock(),
        services.lease_seconds,
        lambda other: result_of(services.store, org_id, other) is not None,
    )
    _bury_dead_runs(services, lease)
    return lease


def _bury_dead_runs(services: Services, lease: Lease) -> None:
    """Record the ends of the runs whose lease ran out."""
    for run_id in lease.dead_runs:
        try:
            plan = plan_or_none(services.store, lease.org, run_id)
        except Corrupt:
            plan = None
        if (result := result_of(services.store, lease.org, run_id)) is not None:
            after_end(services, plan, result)  # who recorded it may have died right then
            continue
        done = version_of(services, plan) if plan else None
        if plan is not None and done is not None:
            end_committed(services, plan, done.version)
            continue
        ended = Ended.of_plan(plan) if plan else Ended(lease.org, run_id)
        reason = f"its lease ran out before it ended; run {lease.run_id} took over"
        end_failed(services, ended, plan, reason, again=True)
    if lease.dead_runs:
        close_dead_runs(services.store, lease)
