"""`almanac campaign`."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from almanac.campaigns import edit, text
from almanac.campaigns.change_request import new_request
from almanac.campaigns.model import ChangeResult
from almanac.campaigns.queries import list_campaigns, show_campaign
from almanac.campaigns.target_import import ImportOptions, import_targets
from almanac.commands import campaign_removal, campaign_targets
from almanac.commands.agency_arguments import CampaignArguments, check_no_more, day_of
from almanac.commands.arguments import read_assignments
from almanac.commands.exit_codes import OK
from almanac.commands.groups import new_app
from almanac.commands.imports import AllOrNothing, Metadata, import_code
from almanac.commands.options import (
    AsJson,
    AsOf,
    ChangedBy,
    DryRun,
    EventId,
    InstanceWords,
    Map,
    MaybeOrg,
    Rejects,
    Replan,
    Store,
    words_argument,
)
from almanac.commands.output import print_result
from almanac.commands.progress import progress_bars
from almanac.csv_input.rejects import rejects_path
from almanac.csv_input.source import input_file
from almanac.errors import InputError
from almanac.intake.target_submission import put_targets
from almanac.organizations.agency_database import FileDatabase, StoreDatabase
from almanac.runs.file_change import ApplyOptions, change_instance, change_type, replanner

app = new_app(
    name="campaign",
    help="Show campaigns, change them, and import their targets: in a file, or in a store.",
    epilog="The first argument is DATABASE, the agency's SQLite file, unless --org names an "
    "organization of a store: that of --store, else of the variable ALMANAC_STORE. "
    "Start with: almanac campaign list agency.sqlite3.",
    no_args_is_help=True,
)


Direct = Annotated[
    bool,
    typer.Option(
        "--direct",
        help="In a store: publish a version with the change, instead of requesting it.",
    ),
]


@app.command(
    "list",
    short_help="List types and instances.",
    epilog="Example: almanac campaign list agency.sqlite3",
)
def list_(
    words: Annotated[list[str] | None, words_argument("[DATABASE]")] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Do not count targets and messages.")
    ] = False,
    as_of: AsOf = None,
    org: MaybeOrg = None,
    store: Store = None,
    as_json: AsJson = False,
) -> int:
    """List campaign types and instances: dates, state, targets, messages planned and skipped."""
    agency, more = CampaignArguments(words or [], org, store).agency()
    check_no_more(more)
    with progress_bars() as progress:
        found = list_campaigns(agency, day_of(agency, as_of), not quick, progress)
    print_result(found, as_json, text.print_list)
    return OK


@app.command(
    short_help="Show an instance in full.",
    epilog="Example: almanac campaign show agency.sqlite3 2",
)
def show(
    words: InstanceWords,
    as_of: AsOf = None,
    org: MaybeOrg = None,
    store: Store = None,
    as_json: AsJson = False,
) -> int:
    """Show an instance, by id or name: its fields, its reach, what is planned and skipped.

    The reach is counted over all contacts by the rules of planning.
    """
    agency, (which, *more) = CampaignArguments(words, org, store).agency("INSTANCE")
    check_no_more(more)
    with progress_bars() as progress:
        found = show_campaign(agency, which, day_of(agency, as_of), progress)
    print_result(found, as_json, text.print_campaign)
    return OK


@app.command(
    short_help="Add an instance of a type.",
    epilog="Example: almanac campaign add agency.sqlite3 newsletter spring_news "
    "active_start_date=2027-03-01 target_states=TX,FL email_template=spring_mail",
)
def add(
    words: Annotated[list[str], words_argument("[DATABASE] TYPE NAME [FIELD=VALUE]...")],
    dry_run: DryRun = False,
    replan: Replan = False,
    changed_by: ChangedBy = None,
    as_of: AsOf = None,
    org: MaybeOrg = None,
    store: Store = None,
    as_json: AsJson = False,
) -> int:
    """Add an instance of a campaign type.

    Fields: active_start_date, active_end_date, spread_start_date, spread_end_date (YYYY-MM-DD),
    target_states, target_carriers (lists with commas), email_template, sms_template, and metadata
    (a JSON object). A field that is not given is empty: no bound, all contacts.
    """
    arguments = CampaignArguments(words, org, store)
    agency, (type_name, name, *fields) = arguments.agency("TYPE", "NAME")
    changes, request = read_assignments(fields), new_request(day_of(agency, as_of), changed_by)
    with progress_bars() as progress:
        plan = replanner(agency, request, ApplyOptions(dry_run, replan), progress)
        result = edit.add_instance(agency, type_name, name, changes, request, dry_run, progress)
        if result.instance_id is not None:
            result = result.model_copy(update=plan([request.replan(result.instance_id)]))
    return _print(result, as_json, arguments)


@app.command(
    "add-type",
    short_help="Add a campaign type.",
    epilog="Example: almanac campaign add-type agency.sqlite3 webinar priority=5 "
    "days_before_event=14",
)
def add_type(
    words: Annotated[list[str], words_argument("[DATABASE] NAME [FIELD=VALUE]...")],
    dry_run: DryRun = False,
    org: MaybeOrg = None,
    store: Store = None,
    as_json: AsJson = False,
) -> int:
    """Add a campaign type.

    Fields, with their defaults: priority (10), days_before_event (0), respect_exclusion_windows
    (true), enable_followups (true), target_all_contacts (false), active (true), spread_evenly
    (false), skip_failed_underwriting (false).
    """
    arguments = CampaignArguments(words, org, store)
    agency, (name, *fields) = arguments.agency("NAME")
    changes, request = read_assignments(fields), new_request(day_of(agency, None))
    with progress_bars() as progress:
        result = edit.add_type(agency, name, changes, request, dry_run, progress)
    return _print(result, as_json, arguments)


@app.command(
    "set",
    short_help="Change an instance.",
    epilog="Example: almanac campaign set agency.sqlite3 2 active_end_date=2027-06-30 --replan",
)
def set_(
    words: Annotated[list[str], words_argument("[DATABASE] INSTANCE [FIELD=VALUE]...")],
    dry_run: DryRun = False,
    replan: Replan = False,
    direct: Direct = False,
    changed_by: ChangedBy = None,
    event_id: EventId = None,
    as_of: AsOf = None,
    org: MaybeOrg = None,
    store: Store = None,
    as_json: AsJson = False,
) -> int:
    """Change an instance, by id or name, log the change, and show which contacts it affects.

    The fields are those of add; nothing behind the sign clears one. Without any, --replan replans
    the contacts that the instance affects. In a store the change is requested from the functions,
    which make it and replan in one step.
    """
    arguments = CampaignArguments(words, org, store)
    agency, (which, *fields) = arguments.agency("INSTANCE")
    if direct and isinstance(agency, FileDatabase):
        raise InputError("--direct: is for an organization of a store; a file is always changed so")
    if not fields and not replan:
        raise InputError(
            "FIELD=VALUE: is missing; expected such as active_end_date=2026-12-31, or --replan to "
            "replan without a change"
        )
    changes, request = (
        read_assignments(fields),
        new_request(day_of(agency, as_of), changed_by, event_id),
    )
    options = ApplyOptions(dry_run, replan, direct)
    with progress_bars() as progress:
        result = change_instance(agency, which, changes, request, options, progress)
    return _print(result, as_json, arguments)


@app.command(
    "set-type",
    short_help="Change a campaign type.",
    epilog="Example: almanac campaign set-type agency.sqlite3 newsletter priority=20 --dry-run",
)
def set_type(
    words: Annotated[list[str], words_argument("[DATABASE] NAME FIELD=VALUE...")],
    dry_run: DryRun = False,
    replan: Replan = False,
    changed_by: ChangedBy = None,
    event_id: EventId = None,
    as_of: AsOf = None,
    org: MaybeOrg = None,
    store: Store = None,
    as_json: AsJson = False,
) -> int:
    """Change a campaign type, and with it all its instances. The fields are those of add-type."""
    arguments = CampaignArguments(words, org, store)
    agency, (name, *fields) = arguments.agency("NAME", "FIELD=VALUE")
    changes, request = (
        read_assignments(fields),
        new_request(day_of(agency, as_of), changed_by, event_id),
    )
    options = ApplyOptions(dry_run, replan)
    with progress_bars() as progress:
        result = change_type(agency, name, changes, request, options, progress)
    return _print(result, as_json, arguments)


@app.command(
    "import",
    short_help="Import targets from CSV.",
    epilog="Example: almanac campaign import agency.sqlite3 2 targets.csv",
)
def import_(
    words: Annotated[list[str], words_argument("[DATABASE] INSTANCE FILE")],
    rejects: Rejects = None,
    map_: Map = None,
    metadata: Metadata = None,
    strict: AllOrNothing = False,
    dry_run: DryRun = False,
    replan: Replan = False,
    changed_by: ChangedBy = None,
    as_of: AsOf = None,
    org: MaybeOrg = None,
    store: Store = None,
    as_json: AsJson = False,
) -> int:
    """Import targets of an instance from a CSV file, or from standard input (-).

    The header names contact_id or email, and optionally trigger_date; other columns are not read,
    except for those of --metadata, such as a new premium, for the templates. Invalid rows go to a
    file with line and reason, the others are imported.
    """
    arguments = CampaignArguments(words, org, store)
    agency, (which, name, *more) = arguments.agency("INSTANCE", "FILE")
    check_no_more(more)
    path, request = Path(name), new_request(day_of(agency, as_of), changed_by)
    with progress_bars() as progress:
        plan = replanner(agency, request, ApplyOptions(dry_run, replan), progress)
        with input_file(path) as file:
            options = ImportOptions(
                rejects_path(path, rejects), strict, dry_run, map_ or [], metadata or []
            )
            if isinstance(agency, StoreDatabase):
                result = put_targets(agency, which, file, options, request)
            else:
                result = import_targets(agency, which, file, options, request, progress)
            if result.outcome in ("written", "waiting"):
                result = result.model_copy(update=plan([request.replan(result.instance_id)]))
    print_result(result, as_json, partial(text.print_import, where=arguments.as_typed))
    rejected = result.rejected_total
    return import_code(path, result.read - rejected, rejected, strict, options.rejects)


campaign_removal.add_to(app)
app.add_typer(campaign_targets.app)


def _print(result: ChangeResult, as_json: bool, arguments: CampaignArguments) -> int:
    print_result(result, as_json, partial(text.print_change, where=arguments.as_typed))
    return OK
