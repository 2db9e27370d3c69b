"""`almanac campaign remove` and `remove-targets`."""

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
    MaybeOrg,
    Replan,
    Store,
)
from almanac.commands.output import print_result
from almanac.commands.progress import progress_bars
from almanac.runs.file_change import ApplyOptions
from almanac.runs.file_removal import remove_instance, remove_targets

Words = Annotated[
    list[str],
    typer.Argument(
        metavar="[DATABASE] INSTANCE",
        help="In this order; DATABASE, the agency's SQLite file, unless --org is given.",
        show_default=False,
    ),
]
Contacts = Annotated[
    str,
    typer.Option(
        "--contacts",
        metavar="IDS",
        help="Of these contacts: ids and ranges such as 5,7,100-200, or @FILE with such lines.",
    ),
]


def add_to(app: typer.Typer) -> None:
    """Add the commands to the group."""
    app.command(
        short_help="Remove an instance and its targets.",
        epilog="Example: almanac campaign remove agency.sqlite3 11 --dry-run",
    )(remove)
    app.command(
        "remove-targets",
        short_help="Take targets out of an instance.",
        epilog="Example: almanac campaign remove-targets agency.sqlite3 1 --contacts 76,80-99",
    )(targets)


def remove(
    words: Words,
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
    return _remove(
        words, None, changed_by, event_id, as_of, ApplyOptions(dry_run, replan), org, store, as_json
    )


def targets(
    words: Words,
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
    with --replan; in a store that is requested.
    """
    return _remove(
        words, contacts, changed_by, None, as_of, ApplyOptions(dry_run, replan), org, store, as_json
    )


def _remove(
    words: list[str],
    contacts: str | None,
    changed_by: str | None,
    event_id: str | None,
    as_of: str | None,
    options: ApplyOptions,
    org: str | None,
    store: str | None,
    as_json: bool,
) -> int:
    arguments = CampaignArguments(words, org, store)
    agency, (which, *more) = arguments.agency("INSTANCE")
    check_no_more(more)
    ranges = None if contacts is None else read_ids(contacts)
    request = new_request(day_of(agency, as_of), changed_by, event_id)
    with progress_bars() as progress:
        if ranges is None:
            found = remove_instance(agency, which, request, options, progress)
        else:
            found = remove_targets(agency, which, ranges, request, options, progress)
    print_result(found, as_json, partial(print_removed, where=arguments.as_typed))
    return OK
