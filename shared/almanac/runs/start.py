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
from almanac.organizations.organizations import organizations, read_config
from almanac.runs.finish import Ended, after_end, end_failed, take_lease
from almanac.runs.plan import PlanRequest, plan_run
from almanac.runs.results import RunResult, attempt_at, is_final, result_of
from almanac.runs.run_plan import Asked, RunPlan, plan_or_none
from almanac.runs.services import Services
from almanac.runs.tasks import publish_tasks
from almanac.storage import layout
from almanac.storage.store import ObjectStore


def orchestrate(services: Services, delivery: Delivery) -> None:
    """RunRequest: start the organization's run, or ask for one of each organization."""
    request = parse(RunRequest, delivery.data)
    if request.org_id is None:
        ask_for_all(services, request, delivery)
        return
    with bound(org_id=request.org_id):
        require_organization(services.store, request.org_id)
        start_run(services, request.org_id, request, delivery)


def require_organization(store: ObjectStore, org_id: str) -> None:
    """Raises RequestError if the store does not know the organization."""
    if store.stat(layout.current(org_id)) is None:
        raise RequestError(f"organization {org_id}: it has no database in this store")


def ask_for_all(services: Services, request: RunRequest, delivery: Delivery) -> None:
    """One request an organization, so that none waits for another or fails with it."""
    everyone = [
        org for org in organizations(services.store) if services.store.stat(layout.current(org))
    ]
    requests = [request.model_copy(update={"org_id": org}) for org in everyone]
    attributes = {
        "request_id": delivery.message_id,
        "requested_at": delivery.publish_time.isoformat(),
    }
    services.bus.publish(
        services.topics.run_requests, [to_json(each) for each in requests], attributes
    )
    get_log().info("all organizations asked for", organizations=len(everyone))


def start_run(services: Services, org_id: str, request: RunRequest, delivery: Delivery) -> None:
    """Start the run that is asked for, or go on with it; one that has ended stays ended."""
    clock = request.requested_at or delivery.publish_time
    try:
        config, problem = read_config(services.store, org_id), None
    except ConfigError as error:
        config, problem = Config(), str(error)
    as_of = request.as_of or clock.astimezone(config.zone).date()
    daily = request.reason == "daily"
    base = daily_run_id(as_of) if daily else manual_run_id(as_of, delivery.message_id)
    asked = Asked(
        base=base, request_id=delivery.message_id, requested_at=clock, force=request.force
    )
    plan_request = PlanRequest(org_id, base, asked, request.reason, config, as_of)
    begin(services, plan_request, problem=problem)


def begin(
    services: Services,
    plan_request: PlanRequest,
    *,
    problem: str | None = None,
    gather: Callable[[PlanRequest], PlanRequest | None] = lambda plan_request: plan_request,
) -> RunPlan | None:
    """Take the lease, plan the run, publish its tasks; None if it has ended.

    problem: why the run cannot succeed, if that is known already. gather completes the request
    once the lease is there, or ends it. Raises LeaseTaken while another run is in flight.
    """
    asked = plan_request.asked
    attempt = attempt_at(
        services.store, plan_request.org_id, asked.base, asked.request_id, force=asked.force
    )
    asked = asked.model_copy(update={"attempt": attempt.number})
    plan_request = replace(plan_request, run_id=attempt.run_id, asked=asked)
    with bound(run_id=plan_request.run_id):
        if attempt.ended is not None:
            _stay_ended(services, attempt.ended)
            return None
        take_lease(services, plan_request.org_id, plan_request.run_id)
        if (
            ended := result_of(services.store, plan_request.org_id, plan_request.run_id)
        ) is not None:
            _stay_ended(services, ended)
            return None
        if problem is not None:
            end_failed(services, Ended.of_ask(plan_request), None, problem)
            return None
        # a plan that cannot be read may be so only now, and to us: no reason to end its run
        plan = plan_or_none(services.store, plan_request.org_id, plan_request.run_id)
        try:
            if plan is None:
                complete = gather(plan_request)
                plan = plan_run(services, complete) if complete is not None else None
        except Exception as error:
            if isinstance(error, RequestError) or not is_final(error):
                raise
            end_failed(services, Ended.of_ask(plan_request), None, str(error))
            return None
        if plan is None:
            return None
        publish_tasks(services, plan)
        get_log().info(
            "run started", as_of=str(plan.as_of), shards=len(plan.shards), reason=plan.reason
        )
        return plan


def _stay_ended(services: Services, result: RunResult) -> None:
    """A request for a run that has ended; what followed its end may have been cut short."""
    get_log().info("run has ended already", state=result.state)
    after_end(services, plan_or_none(services.store, result.org_id, result.run_id), result)
