"""Campaign changes from preview to plan: written to a database, or requested from the functions.

A run can apply a change and replan the affected contacts in one transaction. So a change of a file
with --replan is left to the run, and in a store it is published as a request unless it is direct.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from almanac.campaigns.change_request import ChangeRequest, Changes
from almanac.campaigns.edit import (
    commit_instance_change,
    commit_type_change,
    preview_instance_change,
    preview_type_change,
)
from almanac.campaigns.model import ChangeResult, Replanned
from almanac.campaigns.validation import campaign_change
from almanac.errors import ConfigError
from almanac.messaging.planned_change import PlannedChange
from almanac.messaging.requests import Requested, no_replan, publish_request, request_bus
from almanac.messaging.topics import Topics
from almanac.names import MAX_ID, change_run_id, check_event_id
from almanac.organizations.agency_database import AgencyDatabase, FileDatabase, StoreDatabase
from almanac.progress import Progress
from almanac.runs.early_workers import start_workers_for
from almanac.runs.local import run_file
from almanac.runs.run_options import RunOptions
from almanac.settings import load_settings

# Applies and plans changes; returns the fields of a result that say how.
Replanner = Callable[[Sequence[PlannedChange]], dict[str, object]]


@dataclass(frozen=True)
class ApplyOptions:
    """How to apply a change."""

    dry_run: bool = False
    replan: bool = False
    direct: bool = False  # in a store: publish a version with the change


def change_instance(
    agency: AgencyDatabase,
    which: str,
    changes: Changes,
    request: ChangeRequest,
    options: ApplyOptions,
    progress: Progress,
) -> ChangeResult:
    """Change an instance, or preview the change. Raises RequestError for an invalid one.

    A direct change that was made before is replanned all the same: the process may have died
    between the two.
    """
    publish = isinstance(agency, StoreDatabase) and not options.direct
    replan = replanner(agency, request, options, progress, required=publish)
    result = preview_instance_change(agency, which, changes, request, progress)
    made_before = result.outcome == "done before"
    if options.dry_run or (made_before and not (options.direct and options.replan)):
        return result
    if not result.changes and not options.replan:
        return result.model_copy(update={"outcome": "nothing to change"})
    instance = int(result.instance_id or 0)
    if publish or (options.replan and not options.direct):
        wanted = {each.field: each.new for each in result.changes}
        outcome = "published" if publish else "written" if wanted else "nothing to change"
        planned = replan([request.change(instance, wanted)])
        return result.model_copy(update={"outcome": outcome, **planned})
    result = commit_instance_change(agency, result, request, progress)
    return result.model_copy(update=replan([request.replan(instance)]))


def change_type(
    agency: AgencyDatabase,
    name: str,
    changes: Changes,
    request: ChangeRequest,
    options: ApplyOptions,
    progress: Progress,
) -> ChangeResult:
    """Change a type directly, since there is no message for it; otherwise as `change_instance`."""
    replan = replanner(agency, request, options, progress)
    result, instances = preview_type_change(agency, name, changes, request, progress)
    if options.dry_run:
        return result
    result = commit_type_change(agency, result, request, progress)
    return result.model_copy(update=replan([request.replan(each) for each in instances]))


def replanner(
    agency: AgencyDatabase,
    request: ChangeRequest,
    options: ApplyOptions,
    progress: Progress,
    required: bool = False,
) -> Replanner:
    """Return the function that applies and plans changes, by a run in the file or by requests.

    It does nothing unless the options or `required` want it. What it needs is checked at once, so
    that no change is written that cannot be planned: raises ConfigError, RequestError.
    """
    check_event_id(request.replan(MAX_ID).event_id)  # the longest id that is derived from it
    if options.dry_run or not (options.replan or required):
        return lambda changes: {}
    if isinstance(agency, StoreDatabase):
        return _requester(agency, required)
    assert isinstance(agency, FileDatabase)
    start_workers_for(agency.path)

    def run(changes: Sequence[PlannedChange]) -> dict[str, object]:
        if not changes:  # a type without instances
            return {}
        return {"replanned": replan_file(agency, changes, request.as_of, progress)}

    return run


def _requester(agency: StoreDatabase, required: bool) -> Replanner:
    """Return the function that publishes changes as requests to the functions."""
    settings = load_settings()
    try:
        bus, topic = request_bus(settings), Topics(settings.topic_prefix).campaign_changes
    except ConfigError:
        if required:
            raise
        raise no_replan("--replan") from None

    def publish(changes: Sequence[PlannedChange]) -> dict[str, object]:
        zone, run_ids = agency.config().zone, []
        for change in changes:
            message, requested = campaign_change(agency.org, change), Requested.now()
            publish_request(bus, topic, message, requested)
            run_ids.append(change_run_id(requested.at.astimezone(zone).date(), message.event_id))
        return {"run_ids": run_ids}

    return publish


def replan_file(
    agency: FileDatabase, changes: Sequence[PlannedChange], as_of: dt.date, progress: Progress
) -> Replanned:
    """Apply the changes to a file and replan the affected contacts, in one transaction."""
    options = RunOptions(as_of=as_of, changes=changes, of_the_file=True, cache=agency.cache)
    summary = run_file(agency.path, agency.config(), options, progress)
    return Replanned(
        run_id=summary.run_id, contacts=summary.contacts_in_scope, changes=summary.changes
    )
