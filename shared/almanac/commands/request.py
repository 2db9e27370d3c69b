"""`almanac request`."""

from __future__ import annotations

import datetime as dt
import json
import sys
import uuid
from functools import partial
from typing import Annotated

import typer

from almanac.commands.arguments import read_assignments
from almanac.commands.dates import read_date
from almanac.commands.exit_codes import OK
from almanac.commands.groups import new_app
from almanac.commands.options import AsJson, EventId
from almanac.commands.output import print_json
from almanac.errors import InputError
from almanac.messaging.messages import CampaignChange, Message, RunRequest, parse, to_json
from almanac.messaging.requests import Requested, publish_request, request_bus
from almanac.messaging.topics import Topics
from almanac.names import change_run_id, daily_run_id, manual_run_id
from almanac.organizations.organizations import read_config
from almanac.report.text import console_for, table
from almanac.settings import Settings, load_settings
from almanac.storage.opening import open_store

app = new_app(
    name="request",
    help="Request a run, or a change of a campaign, from the functions in the cloud.",
    epilog="The request is published in the project ALMANAC_PROJECT, to a topic whose name begins "
    "with ALMANAC_TOPIC_PREFIX. Start with: almanac request run --org 206.",
    no_args_is_help=True,
)


@app.command(
    short_help="Request a run.",
    epilog="Example: almanac request run --org 206 --as-of 2026-11-21",
)
def run(
    org: Annotated[
        str | None, typer.Option(metavar="ORG", help="Only this organization, else all.")
    ] = None,
    as_of: Annotated[
        str | None, typer.Option("--as-of", metavar="DATE", help="The day to plan on; today.")
    ] = None,
    reason: Annotated[
        str,
        typer.Option(
            metavar="daily|manual", help="daily: the one run of the day, unless it is done."
        ),
    ] = "manual",
    force: Annotated[
        bool, typer.Option("--force", help="Plan again what is planned already.")
    ] = False,
    as_json: AsJson = False,
) -> int:
    """Request a run over all contacts of an organization, or of every organization."""
    settings, requested = load_settings(), Requested.now()
    today = partial(_today, settings, org, requested)
    day = read_date(as_of, "--as-of", today) if as_of else None
    given = {"org_id": org, "as_of": day and str(day), "reason": reason, "force": force}
    request = parse(RunRequest, json.dumps(given).encode())
    day = day or _day_of_run(settings, org, requested)
    topic = Topics(settings.topic_prefix).run_requests
    publish_request(request_bus(settings), topic, request, requested)
    if day is None:
        return _print(request, None, as_json)
    run_id = daily_run_id(day) if reason == "daily" else manual_run_id(day, requested.request_id)
    return _print(request, run_id, as_json)


@app.command(
    short_help="Request a change of a campaign.",
    epilog="Example: almanac request change --org 206 --instance 7 "
    "--set active_end_date=2026-12-31",
)
def change(
    org: Annotated[str, typer.Option(metavar="ORG", help="The organization's id.")],
    instance: Annotated[int, typer.Option(min=0, metavar="ID", help="The campaign instance's id.")],
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="FIELD=VALUE",
            help="The new value of a field, nothing behind the sign to clear it; repeatable.",
        ),
    ] = None,
    event_id: EventId = None,
    changed_by: Annotated[
        str | None, typer.Option("--changed-by", metavar="WHO", help="For the log of changes.")
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Request a change of a campaign instance, and a plan of the contacts that it affects.

    Without --set only these contacts are planned again: the database has the change already.
    """
    given = {
        "event_id": uuid.uuid4().hex if event_id is None else event_id,
        "org_id": org,
        "campaign_instance_id": instance,
        "changes": read_assignments(settings or [], "--set"),
        "changed_by": changed_by,
    }
    request = parse(CampaignChange, json.dumps(given).encode())
    ours, requested = load_settings(), Requested.now()
    topic = Topics(ours.topic_prefix).campaign_changes
    publish_request(request_bus(ours), topic, request, requested)
    day = _day_of_run(ours, org, requested)
    return _print(request, change_run_id(day, request.event_id) if day else None, as_json)


def _day_of_run(settings: Settings, org: str | None, requested: Requested) -> dt.date | None:
    """Return the day that the run plans on; None if the organization's time zone is unknown."""
    if org is None or settings.store is None:
        return None
    zone = read_config(open_store(settings.store), org).zone
    return requested.at.astimezone(zone).date()


def _today(settings: Settings, org: str | None, requested: Requested) -> dt.date:
    day = _day_of_run(settings, org, requested)
    if day is None:
        raise InputError(
            "--as-of: a day by today is one in the organization's time zone; expected YYYY-MM-DD, "
            "or --org and a store (ALMANAC_STORE)"
        )
    return day


def _print(request: Message, run_id: str | None, as_json: bool) -> int:
    if as_json:
        print_json(message=request.model_dump(mode="json"), run_id=run_id)
        return OK
    unknown = "begins with today's date in the organization's time zone"
    rows = [("published", to_json(request).decode()), ("its run", run_id or unknown)]
    table(console_for(sys.stdout), ("!", ""), rows, indent=0)
    return OK
