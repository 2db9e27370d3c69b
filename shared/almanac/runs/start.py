"""How runs start: the lease, the plan, the tasks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from almanac.config import Config
from almanac.errors import ConfigError, RequestError
from almanac.logs import bound, get_log
from almanac.messaging.bus import Delivery
from almanac.messaging.messages import RunRequest, parse, to_json
from almanac.names import daily_run_id, manual_run_id
from almanac.organizations.organizations import organizations
from almanac.pipeline.attempts import attempt_at
from almanac.pipeline.faults import is_final
from almanac.runs.finish import Ended, after_end, end_failed, take_lease
from almanac.runs.plan import Ask, plan_run, publish_tasks, read_config
from almanac.runs.results import RunResult, result_of
from almanac.runs.run_plan import Asked, RunPlan
from almanac.runs.services import Parts, plan_or_none
from almanac.storage import layout
from almanac.storage.store import ObjectStore


def orchestrate(parts: Parts, delivery: Delivery) -> None:
    """RunRequest: start the organization's run, or ask for one of each organization."""
    request = parse(RunRequest, delivery.data)
    if request.org_id is None:
        ask_for_all(parts, request, delivery)
        return
    with bound(org_id=request.org_id):
        require_organization(parts.store, request.org_id)
        start_run(parts, request.org_id, request, delivery)


def require_organization(store: ObjectStore, org_id: str) -> None:
    """Raises RequestError if the store does not know the organization."""
    if store.stat(layout.current(org_id)) is None:
        raise RequestError(f"organization {org_id}: it has no database in this store")


def ask_for_all(parts: Parts, request: RunRequest, delivery: Delivery) -> None:
    """One request an organization, so that none waits for another or fails with it."""
    everyone = [org for org in organizations(parts.store) if parts.store.stat(layout.current(org))]
    requests = [request.model_copy(update={"org_id": org}) for org in everyone]
    attributes = {
        "request_id": delivery.message_id,
        "requested_at": delivery.publish_time.isoformat(),
    }
    parts.bus.publish(parts.topics.run_requests, [to_json(each) for each in requests], attributes)
    get_log().info("all organizations asked for", organizations=len(everyone))


def start_run(parts: Parts, org_id: str, request: RunRequest, delivery: Delivery) -> None:
    """Start the run that is asked for, or go on with it; one that has ended stays ended."""
    clock = request.requested_at or delivery.publish_time
    try:
        config, problem = read_config(parts.store, org_id), None
    except ConfigError as error:
        config, problem = Config(), str(error)
    as_of = request.as_of or clock.astimezone(config.zone).date()
    daily = request.reason == "daily"
    base = daily_run_id(as_of) if daily else manual_run_id(as_of, delivery.message_id)
    asked = Asked(
        base=base, request_id=delivery.message_id, requested_at=clock, force=request.force
    )
    ask = Ask(org_id, base, asked, request.reason, config, as_of)
    begin(parts, ask, problem=problem)


def begin(
    parts: Parts,
    ask: Ask,
    *,
    problem: str | None = None,
    gather: Callable[[Ask], Ask | None] = lambda ask: ask,
) -> RunPlan | None:
    """Take the lease, plan the run, publish its tasks; None if it has ended.

    problem: why the run cannot succeed, if that is known already. gather completes the request
    once the lease is there, or ends it. Raises LeaseTaken while another run is in flight.
    """
    asked = ask.asked
    attempt = attempt_at(parts.store, ask.org_id, asked.base, asked.request_id, force=asked.force)
    asked = asked.model_copy(update={"attempt": attempt.number})
    ask = replace(ask, run_id=attempt.run_id, asked=asked)
    with bound(run_id=ask.run_id):
        if attempt.ended is not None:
            _stay_ended(parts, attempt.ended)
            return None
        take_lease(parts, ask.org_id, ask.run_id)
        if (ended := result_of(parts.store, ask.org_id, ask.run_id)) is not None:
            _stay_ended(parts, ended)
            return None
        if problem is not None:
            end_failed(parts, Ended.of_ask(ask), None, problem)
            return None
        # a plan that cannot be read may be so only now, and to us: no reason to end its run
        plan = plan_or_none(parts.store, ask.org_id, ask.run_id)
        try:
            if plan is None:
                complete = gather(ask)
                plan = plan_run(parts, complete) if complete is not None else None
        except Exception as error:
            if isinstance(error, RequestError) or not is_final(error):
                raise
            end_failed(parts, Ended.of_ask(ask), None, str(error))
            return None
        if plan is None:
            return None
        publish_tasks(parts, plan)
        get_log().info(
            "run started", as_of=str(plan.as_of), shards=len(plan.shards), reason=plan.reason
        )
        return plan


def _stay_ended(parts: Parts, result: RunResult) -> None:
    """A request for a run that has ended; what followed its end may have been cut short."""
    get_log().info("run has ended already", state=result.state)
    after_end(parts, plan_or_none(parts.store, result.org_id, result.run_id), result)
