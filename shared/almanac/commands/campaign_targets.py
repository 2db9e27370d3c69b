"""`almanac campaign targets`: list, add and remove."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from itertools import islice
from typing import Annotated, Any

import typer
from rich.console import Console

from almanac.campaigns.change_request import new_request
from almanac.campaigns.repository import Campaigns
from almanac.campaigns.text import print_plan
from almanac.commands.agency_arguments import CampaignArguments, check_no_more, day_of
from almanac.commands.arguments import read_ids
from almanac.commands.campaign_removal import Contacts, remove_some
from almanac.commands.dates import read_date
from almanac.commands.exit_codes import FAILURE, OK, failed
from almanac.commands.groups import new_app
from almanac.commands.options import (
    AsCsv,
    AsJson,
    AsOf,
    ChangedBy,
    DryRun,
    InstanceWords,
    MaybeOrg,
    Replan,
    RowsOut,
    Shown,
    Store,
)
from almanac.commands.output import print_result, print_rows
from almanac.commands.progress import progress_bars
from almanac.database.campaign_rows import TargetRow, target_page
from almanac.database.opening import map_errors
from almanac.errors import InputError
from almanac.intake.target_change import TargetChange, TargetsChanged, change_targets
from almanac.organizations.agency_database import AgencyDatabase, StoreDatabase
from almanac.plurals import plural
from almanac.report.row_file import output_of
from almanac.report.text import console_for, paragraph, table
from almanac.runs.file_change import ApplyOptions, replanner

app = new_app(
    name="targets",
    help="Show, add and remove the contacts that a campaign is to reach.",
    epilog="A campaign whose type targets all contacts has none. "
    "Start with: almanac campaign targets list agency.sqlite3 1",
    no_args_is_help=True,
)

MOST = 100_000  # contacts of one call
REFUSED_SHOWN = 5
_COLUMNS = ("contact_id", "trigger_date", "status", "metadata")
_PAGE = 10_000

MaybeContacts = Annotated[
    str,
    typer.Option(
        "--contacts", metavar="IDS", help="Ids and ranges such as 5,7,100-200, or @FILE of such."
    ),
]
Emails = Annotated[
    list[str] | None,
    typer.Option("--email", metavar="ADDRESS", help="The address of one contact; repeatable."),
]
TriggerDate = Annotated[
    str | None,
    typer.Option("--trigger-date", metavar="DATE", help="The day that the campaign is about."),
]


@app.command(
    "list",
    short_help="List the targets of an instance.",
    epilog="Example: almanac campaign targets list agency.sqlite3 1 --status pending",
)
def list_(
    words: InstanceWords,
    status: Annotated[
        str | None, typer.Option(metavar="STATUS", help="pending, scheduled, skipped or sent.")
    ] = None,
    limit: Shown = 25,
    as_csv: AsCsv = False,
    as_json: AsJson = False,
    out: RowsOut = None,
    org: MaybeOrg = None,
    store: Store = None,
) -> int:
    """List the targets of an instance, by id or name: contact, trigger date, status, metadata."""
    output = output_of(out, as_csv, as_json)
    agency, (which, *more) = CampaignArguments(words, org, store).agency("INSTANCE")
    check_no_more(more)
    with agency.open(whole=True, steady=False) as source, map_errors(source.path):
        row = Campaigns.read(source.connection).instance(which)
        found = _targets(source.connection, int(row["id"]), status)
        if output.format_ is not None:
            head = {"instance_id": int(row["id"]), "name": row.get("instance_name")}
            rows = ((r.contact_id, r.trigger_date, r.status, r.metadata) for r in found)
            print_rows(output, output.format_, _COLUMNS, rows, head)
            return OK
        first = list(islice(found, limit))
        others = sum(1 for _ in found)
    console = console_for(sys.stdout)
    columns = (">contact", "trigger date", "status", "metadata")
    table(console, columns, [(str(r.contact_id), *_texts(r)) for r in first], indent=0)
    paragraph(console, f"{plural(len(first) + others, 'target')} in all", indent=0)
    return OK


@app.command(
    short_help="Add targets to an instance.",
    epilog="Example: almanac campaign targets add agency.sqlite3 1 --contacts 5,7 "
    "--trigger-date 2027-01-15",
)
def add(
    words: InstanceWords,
    contacts: MaybeContacts = "",
    email: Emails = None,
    trigger_date: TriggerDate = None,
    metadata: Annotated[
        str | None,
        typer.Option(metavar="JSON", help="An object that the messages carry, for templates."),
    ] = None,
    dry_run: DryRun = False,
    replan: Replan = False,
    changed_by: ChangedBy = None,
    as_of: AsOf = None,
    org: MaybeOrg = None,
    store: Store = None,
    as_json: AsJson = False,
) -> int:
    """Add contacts, by id or address, to the targets of an instance; import takes a file.

    A target that exists stays, and gets the metadata beside its own. In a store the targets wait in
    the inbox for the next run, which refuses those of contacts that do not exist.
    """
    arguments = CampaignArguments(words, org, store)
    agency, (which, *more) = arguments.agency("INSTANCE")
    check_no_more(more, "; contacts are given by --contacts or --email")
    day = day_of(agency, as_of)
    fields: dict[str, Any] = {} if metadata is None else {"metadata": _object(metadata)}
    if trigger_date is not None:
        fields["trigger_date"] = str(read_date(trigger_date, "--trigger-date", lambda: day))
    change = TargetChange("add", [*_ids(contacts), *(email or [])], fields)
    if not change.contacts:
        raise InputError("--contacts or --email: is missing; expected the contacts to add")
    return _change(agency, which, change, as_of, changed_by, ApplyOptions(dry_run, replan), as_json)


@app.command(
    short_help="Take targets out of an instance.",
    epilog="Example: almanac campaign targets remove agency.sqlite3 1 --contacts 76,80-99",
)
def remove(
    words: InstanceWords,
    contacts: Contacts,
    dry_run: DryRun = False,
    replan: Replan = False,
    changed_by: ChangedBy = None,
    as_of: AsOf = None,
    org: MaybeOrg = None,
    store: Store = None,
    as_json: AsJson = False,
) -> int:
    """Take the targets of some contacts out of an instance, whatever their trigger dates.

    A target whose message was sent stays. The planned messages go with the next run, or at once
    with --replan; in a store that is requested, and the removal waits in the inbox until then.
    """
    arguments, options = CampaignArguments(words, org, store), ApplyOptions(dry_run, replan)
    agency, (which, *more) = arguments.agency("INSTANCE")
    if isinstance(agency, StoreDatabase) and not dry_run:
        check_no_more(more)
        change = TargetChange("remove", _ids(contacts), {})
        return _change(agency, which, change, as_of, changed_by, options, as_json)
    return remove_some(arguments, contacts, changed_by, as_of, options, as_json)


def _change(
    agency: AgencyDatabase,
    which: str,
    change: TargetChange,
    as_of: str | None,
    changed_by: str | None,
    options: ApplyOptions,
    as_json: bool,
) -> int:
    request = new_request(day_of(agency, as_of), changed_by)
    with progress_bars() as progress:
        plan = replanner(agency, request, options, progress)
        done = change_targets(agency, which, change, request, options.dry_run, progress)
        if done.taken:
            done = done.model_copy(update=plan([request.replan(done.instance_id)]))
    print_result(done, as_json, _print_changed)
    if done.refused and not done.taken:
        return failed(f"{change.action}: {done.refused[0].why}", FAILURE)
    return OK


def _targets(connection: Any, instance: int, status: str | None) -> Iterator[TargetRow]:
    """Yield the targets of an instance, in the order of the table."""
    after: int | None = 0
    while after is not None:
        page = target_page(connection, instance, after, _PAGE, float("inf"))
        for row in page.rows:
            if status is None or row.status.strip().lower() == status.strip().lower():
                yield row
        after = page.after


def _texts(row: TargetRow) -> tuple[str, str, str]:
    return row.trigger_date, row.status, row.metadata


def _ids(text: str) -> list[int]:
    """Return the ids of --contacts. Raise InputError for more than MOST."""
    ranges = read_ids(text) if text else []
    count = sum(each.last - each.first + 1 for each in ranges)
    if count > MOST:
        raise InputError(
            f"--contacts: {count:,} ids; expected at most {MOST:,}; campaign import takes a file"
        )
    ids = (number for each in ranges for number in range(each.first, each.last + 1))
    return list(dict.fromkeys(ids))


def _object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise InputError(f"--metadata: {text!r} is not a JSON object")
    return found


def _print_changed(console: Console, done: TargetsChanged) -> None:
    name = f"Campaign {done.instance_id} {done.name}, of type {done.campaign_type}"
    verb = {"add": "added or changed", "remove": "removed"}[done.action]
    waiting = plural(done.taken, "target")
    what = {
        "written": f"{plural(done.changed, 'target')} {verb}",
        "dry run": f"{plural(done.changed, 'target')} would be {verb} (--dry-run)",
        "waiting": f"{waiting} in the inbox, for the next run to {done.action}",
    }
    paragraph(console, f"{name}: {what[done.outcome]}.", indent=0, style="bold")
    for each in done.refused[:REFUSED_SHOWN]:
        paragraph(console, f"{each.contact}: {each.why}")
    if len(done.refused) > REFUSED_SHOWN:
        paragraph(console, f"and {len(done.refused) - REFUSED_SHOWN:,} others refused")
    print_plan(console, done.replanned, done.run_ids)
