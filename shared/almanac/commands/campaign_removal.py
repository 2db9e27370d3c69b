"""`almanac campaign remove`, and the removal of targets from a file."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import typer

from almanac.campaigns.change_request import new_request
from almanac.campaigns.text import print_removed
from almanac.commands.agency_arguments import CampaignArguments, check_no_more, day_of
from almanac.commands.arguments import read_ids
from almanac.commands.exit_codes import OK
from almanac.commands.options import (
    AsJson,
    AsOf,
    ChangedBy,
    DryRun,
    EventId,
    InstanceWords,
    MaybeOrg,
    Replan,
    Store,
)
from almanac.commands.output import print_result
from almanac.commands.progress import progress_bars
from almanac.runs.file_change import ApplyOptions
from almanac.runs.file_removal import remove_instance, remove_targets

Contacts = Annotated[
    str,
    typer.Option(
        "--contacts",
        metavar="IDS",
        help="Of these contacts: ids and ranges such as 5,7,100-200, or @FILE with such lines.",
    ),
]


def add_to(app: typer.Typer) -> None:
    """Add the command to the group."""
    app.command(
        short_help="Remove an instance and its targets.",
        epilog="Example: almanac campaign remove agency.sqlite3 9 --dry-run",
    )(remove)


def remove(
    words: InstanceWords,
    dry_run: DryRun = False,
    replan: Replan = False,
    changed_by: ChangedBy = None,
    event_id: EventId = None,
    as_of: AsOf = None,
    org: MaybeOrg = None,
    store: Store = None,
    as_json: AsJson = False,
) -> int:
    """Remove an instance, by id or name, with its targets, and log that.

    Its planned messages go with the next run, or at once with --replan. An instance that has
    messages with the sender is not removed, since they refer to it: end it with set.
    """
    arguments = CampaignArguments(words, org, store)
    agency, (which, *more) = arguments.agency("INSTANCE")
    check_no_more(more)
    request = new_request(day_of(agency, as_of), changed_by, event_id)
    with progress_bars() as progress:
        found = remove_instance(agency, which, request, ApplyOptions(dry_run, replan), progress)
    print_result(found, as_json, partial(print_removed, where=arguments.as_typed))
    return OK


def remove_some(
    arguments: CampaignArguments,
    contacts: str,
    changed_by: str | None,
    as_of: str | None,
    options: ApplyOptions,
    as_json: bool,
) -> int:
    """Remove targets of some contacts, print that, and return the exit code."""
    agency, (which, *more) = arguments.agency("INSTANCE")
    check_no_more(more)
    ranges = read_ids(contacts)
    request = new_request(day_of(agency, as_of), changed_by)
    with progress_bars() as progress:
        found = remove_targets(agency, which, ranges, request, options, progress)
    print_result(found, as_json, partial(print_removed, where=arguments.as_typed))
    return OK
