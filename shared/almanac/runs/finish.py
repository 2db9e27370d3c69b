"""The end of a run: its result is recorded once, and the steps that follow are idempotent.

result.json comes first. A crash may interrupt what follows (settling campaign changes, releasing
the lease, requesting the run again) at any point; the next delivery of any of the run's messages
finds the result and repeats these steps.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import asdict, dataclass

from almanac.errors import Corrupt
from almanac.logs import get_log
from almanac.messaging.messages import CampaignChange, RunRequest, to_json
from almanac.messaging.planned_change import PlannedChange
from almanac.names import attempt_run_id, change_run_id, date_of_run, event_of_run
from almanac.report.summary import RunSummary
from almanac.runs.absorb import forget_absorbed
from almanac.runs.campaign_change import forget_change, requested_at
from almanac.runs.organization_summary import keep_summary
from almanac.runs.plan import PlanRequest
from almanac.runs.results import (
    RunResult,
    attempt_at,
    record_result,
    release_ended,
    result_of,
    superseded_before,
)
from almanac.runs.run_plan import RunPlan, plan_or_none
from almanac.runs.services import Services
from almanac.storage import layout
from almanac.storage.history import committed_by
from almanac.storage.lease import Lease, acquire, close_dead_runs
from almanac.storage.store import ObjectStore, read_or_none
from almanac.storage.versions import Manifest, current_since

MAX_SUPERSEDED = 5


@dataclass(frozen=True)
class Ended:
    """What the result of a run says of it, however it ended."""

    org_id: str
    run_id: str
    request_id: str = ""
    as_of: dt.date | None = None
    requested_at: dt.datetime | None = None
    started_at: dt.datetime | None = None

    @classmethod
    def of_plan(cls, plan: RunPlan) -> Ended:
        asked = plan.asked
        at = asked.requested_at, plan.started_at
        return cls(plan.org_id, plan.run_id, asked.request_id, plan.as_of, *at)

    @classmethod
    def of_request(cls, request: PlanRequest) -> Ended:
        asked = request.asked
        at = request.as_of, asked.requested_at
        return cls(request.org_id, request.run_id, asked.request_id, *at)

    def result(self, now: dt.datetime, **outcome: object) -> RunResult:
        return RunResult.model_validate(asdict(self) | {"finished_at": now} | outcome)


def end_committed(
    services: Services,
    plan: RunPlan,
    version: int,
    summary: RunSummary | None = None,
    seconds: dict[str, float] | None = None,
) -> RunResult:
    """End a run whose version was published; without a summary, take it from the version."""
    outcome = _committed(services.store, plan.org_id, plan.run_id, version, summary)
    result = _end(services, Ended.of_plan(plan), plan, **outcome, seconds=seconds or {})
    keep_summary(services.store, plan.org_id)
    return result


def _committed(
    store: ObjectStore, org_id: str, run_id: str, version: int, summary: RunSummary | None = None
) -> dict[str, object]:
    if summary is None:
        folder = layout.version(org_id, version, run_id)
        found = read_or_none(store, f"{folder}/{layout.REPORT_JSON}")
        summary = RunSummary.model_validate_json(found.data) if found else None
    return {
        "state": "committed",
        "version": version,
        "planned": summary.planned_total if summary else None,
        "skipped": summary.skipped_total if summary else None,
        "refused": summary.events.refused if summary else 0,
        "unreadable": summary.events.unreadable if summary else {},
    }


def end_failed(
    services: Services, ended: Ended, plan: RunPlan | None, reason: str, *, again: bool = False
) -> RunResult:
    """End a run that cannot succeed; again: through no fault of its own."""
    get_log().error("run failed", org_id=ended.org_id, run_id=ended.run_id, reason=reason)
    return _end(services, ended, plan, state="failed", reason=reason, again=again)


def end_broken(services: Services, plan: RunPlan, change: PlannedChange, reason: str) -> RunResult:
    """End a run because of a broken change; if that only came along, retry without it."""
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
            requested_at=requested_at(services.store, plan.org_id, change.event_id),
            finished_at=services.clock(),
        )
        record_result(services.store, alone)
    forget_change(services.store, plan.org_id, change.event_id)
    return end_failed(services, ended, plan, f"a change that came along: {reason}", again=True)


def end_superseded(services: Services, plan: RunPlan, reason: str) -> RunResult:
    """End a superseded run, and request it again, at most MAX_SUPERSEDED times in a row."""
    base, number = plan.asked.base, plan.asked.attempt
    if superseded_before(services.store, plan.org_id, base, number) + 1 >= MAX_SUPERSEDED:
        reason = f"superseded {MAX_SUPERSEDED} times in a row, the last time: {reason}"
        return end_failed(services, Ended.of_plan(plan), plan, reason, again=False)
    get_log().warning("run superseded", reason=reason)
    return _end(services, Ended.of_plan(plan), plan, state="superseded", reason=reason)


def _end(services: Services, ended: Ended, plan: RunPlan | None, **outcome: object) -> RunResult:
    result = record_result(services.store, ended.result(services.clock(), **outcome))
    after_end(services, plan, result)
    return result


def after_end(services: Services, plan: RunPlan | None, result: RunResult) -> None:
    """Do what follows a run's end; idempotent."""
    if plan is not None and plan.changes and result.state != "superseded":
        _settle_changes(services, plan, result)
    if plan is not None and plan.snapshot.absorbed and result.state == "committed":
        forget_absorbed(services, plan)
    release_ended(services.store, result.org_id, result.run_id)
    if plan is not None and _goes_on(services, plan, result):
        _request_again(services, plan)


def _goes_on(services: Services, plan: RunPlan, result: RunResult) -> bool:
    """Whether to request the run again: it was superseded, or it was for some contacts and died.

    After a whole run that died, the run that took its lease plans all contacts.
    """
    if result.state == "superseded":
        return True
    return (
        result.again and plan.reason in ("change", "replan") and plan.asked.attempt < MAX_SUPERSEDED
    )


def _settle_changes(services: Services, plan: RunPlan, result: RunResult) -> None:
    """Record the results of the run's changes, and delete them from the waiting ones.

    After a failure only that of the change that requested the run: the others are retried alone.
    """
    for change in plan.changes:
        base = change_run_id(plan.as_of, change.event_id)
        if base != plan.asked.base:
            if result.state != "committed":
                continue
            attempt = attempt_at(services.store, plan.org_id, base, "")
            if attempt.ended is None:
                asked = requested_at(services.store, plan.org_id, change.event_id)
                own = {"run_id": attempt.run_id, "by_run": plan.run_id, "requested_at": asked}
                record_result(services.store, result.model_copy(update=own))
        forget_change(services.store, plan.org_id, change.event_id)


def _request_again(services: Services, plan: RunPlan) -> None:
    """Publish the request of the run again, unless its next attempt is under way."""
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
            org_id=plan.org_id,
            as_of=plan.as_of,
            reason=plan.reason,
            event_id=event_of_run(plan.asked.base) if plan.reason == "replan" else None,
            force=plan.asked.force,
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
    """Return the change that requested the run; others came along."""
    for change in plan.changes:
        if change_run_id(plan.as_of, change.event_id) == plan.asked.base:
            return change
    raise AssertionError(f"run {plan.run_id}: without the change that requested it")


def version_of(services: Services, plan: RunPlan, *, moved: bool = False) -> Manifest | None:
    """Return the version that an earlier delivery of the run committed, if one did.

    moved: current.json is known to have been replaced since the run was planned; raise
    TransientError for an answer from before that.
    """
    seen = plan.snapshot.pointer + 1 if moved else 0
    there = current_since(services.store, plan.org_id, seen)
    if there is None:
        return None
    return committed_by(services.store, plan.org_id, plan.run_id, plan.snapshot.version, there[0])


def take_lease(services: Services, org_id: str, run_id: str) -> Lease:
    """Take the organization's lease, and end the runs that died with it; raise LeaseTaken."""
    lease = acquire(
        services.store,
        org_id,
        run_id,
        services.new_holder(),
        services.clock(),
        services.lease_seconds,
        lambda other: result_of(services.store, org_id, other) is not None,
    )
    _end_dead_runs(services, lease)
    return lease


def _end_dead_runs(services: Services, lease: Lease) -> None:
    for plan, result in dead_runs(services.store, lease, services.clock()):
        after_end(services, plan, result)
    if lease.dead_runs:
        close_dead_runs(services.store, lease)


def dead_runs(
    store: ObjectStore, lease: Lease, now: dt.datetime
) -> Iterator[tuple[RunPlan | None, RunResult]]:
    """Record the ends of the runs whose lease expired; yield each plan, if readable, and result.

    A run that recorded its own end before it died keeps that result.
    """
    for run_id in lease.dead_runs:
        if date_of_run(run_id) is None:
            continue  # the lease of a rollback, which is no run
        try:
            plan = plan_or_none(store, lease.org, run_id)
        except Corrupt:
            plan = None
        yield (
            plan,
            result_of(store, lease.org, run_id) or _record_dead(store, lease, run_id, plan, now),
        )


def _record_dead(
    store: ObjectStore, lease: Lease, run_id: str, plan: RunPlan | None, now: dt.datetime
) -> RunResult:
    since = plan.snapshot.version if plan else 0
    done = committed_by(store, lease.org, run_id, since)
    if done is None:  # an answer may be out of date, and this one ends a run
        done = committed_by(store, lease.org, run_id, since)
    if done is not None:
        outcome = _committed(store, lease.org, run_id, done.version)
    else:
        reason = f"its lease ran out before it ended; run {lease.run_id} took over"
        get_log().error("run failed", org_id=lease.org, run_id=run_id, reason=reason)
        outcome = {"state": "failed", "reason": reason, "again": True}
    ended = Ended.of_plan(plan) if plan else Ended(lease.org, run_id, as_of=date_of_run(run_id))
    return record_result(store, ended.result(now, **outcome))
