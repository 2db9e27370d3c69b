"""The command line of `almanac campaign`. Like all commands, these import late what they need."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from almanac.commands.groups import new_app
from almanac.commands.options import AsJson, MaybeOrg, Store

app = new_app(
    name="campaign",
    help="Look at campaigns, change them, and say whom they are for: in a file, or in a store.",
    epilog="The first argument is DATABASE, the agency's SQLite file, unless --org names an "
    "organization of a store: that of --store, else of the variable ALMANAC_STORE. "
    "Start with: almanac campaign list agency.sqlite3.",
    no_args_is_help=True,
)


def _words(metavar: str) -> typer.models.ArgumentInfo:
    what = "The agency's SQLite database, or else --org."
    if metavar != "[DATABASE]":
        what = "In this order; DATABASE, the agency's SQLite file, unless --org is given."
    return typer.Argument(  # type: ignore[no-any-return]
        metavar=metavar, help=what, show_default=False
    )


AsOf = Annotated[
    str | None,
    typer.Option("--as-of", metavar="DATE", help="The day to look or plan on; today."),
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Only look: say what would be done, and do nothing.")
]
Replan = Annotated[
    bool,
    typer.Option(
        "--replan", help="Plan at once the contacts that it concerns; in a store, ask for it."
    ),
]
ChangedBy = Annotated[
    str | None,
    typer.Option("--changed-by", metavar="WHO", help="For the log of changes; your user name."),
]
EventId = Annotated[
    str | None,
    typer.Option(
        "--event-id", metavar="ID", help="A change of the same id is done once; a new one."
    ),
]
Direct = Annotated[
    bool,
    typer.Option(
        "--direct",
        help="In a store: publish a version with the change, instead of asking the functions.",
    ),
]


@app.command(
    "list",
    short_help="List types and instances.",
    epilog="Example: almanac campaign list agency.sqlite3",
)
def list_(
    words: Annotated[list[str] | None, _words("[DATABASE]")] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Do not count targets and messages.")
    ] = False,
    as_of: AsOf = None,
    org: MaybeOrg = None,
    store: Store = None,
    as_json: AsJson = False,
) -> int:
    """List campaign types and instances: dates, state, targets, messages planned and skipped."""
    from almanac.commands import campaign as command

    return command.list_all(command.Where(words or [], org, store), as_of, quick, as_json)


@app.command(
    short_help="Show an instance in full.",
    epilog="Example: almanac campaign show agency.sqlite3 2",
)
def show(
    words: Annotated[list[str], _words("[DATABASE] INSTANCE")],
    as_of: AsOf = None,
    org: MaybeOrg = None,
    store: Store = None,
    as_json: AsJson = False,
) -> int:
    """Show an instance, by id or name: its fields, whom it reaches, what is planned and skipped.

    The reach is counted by the planner's own rules over all contacts.
    """
    from almanac.commands import campaign as command

    return command.show(command.Where(words, org, store), as_of, as_json)


@app.command(
    short_help="Add an instance of a type.",
    epilog="Example: almanac campaign add agency.sqlite3 newsletter spring_news "
    "active_start_date=2027-03-01 target_states=TX,FL email_template=spring_mail",
)
def add(
    words: Annotated[list[str], _words("[DATABASE] TYPE NAME [FIELD=VALUE]...")],
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
    (a JSON object). What is not given is empty: no bound, everybody.
    """
    from almanac.commands import campaign as command

    how = command.How(dry_run, replan, changed_by, None, as_of, as_json)
    return command.add(command.Where(words, org, store), how)


@app.command(
    "add-type",
    short_help="Add a campaign type.",
    epilog="Example: almanac campaign add-type agency.sqlite3 webinar priority=5 "
    "days_before_event=14",
)
def add_type(
    words: Annotated[list[str], _words("[DATABASE] NAME [FIELD=VALUE]...")],
    dry_run: DryRun = False,
    org: MaybeOrg = None,
    store: Store = None,
    as_json: AsJson = False,
) -> int:
    """Add a campaign type.

    Fields, with what they are if not given: priority (10), days_before_event (0),
    respect_exclusion_windows (true), enable_followups (true), target_all_contacts (false), active
    (true), spread_evenly (false), skip_failed_underwriting (false).
    """
    from almanac.commands import campaign as command

    how = command.How(dry_run, False, None, None, None, as_json)
    return command.add_type(command.Where(words, org, store), how)


@app.command(
    "set",
    short_help="Change an instance.",
    epilog="Example: almanac campaign set agency.sqlite3 2 active_end_date=2027-06-30 --replan",
)
def set_(
    words: Annotated[list[str], _words("[DATABASE] INSTANCE [FIELD=VALUE]...")],
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
    """Change an instance, by id or name, log it, and say whom the change concerns.

    The fields are those of add; nothing behind the sign clears one. Without any, --replan plans
    anew whom the instance concerns. In a store the functions are asked to do both, in one step.
    """
    from almanac.commands import campaign as command

    how = command.How(dry_run, replan, changed_by, event_id, as_of, as_json, direct)
    return command.set_instance(command.Where(words, org, store), how)


@app.command(
    "set-type",
    short_help="Change a campaign type.",
    epilog="Example: almanac campaign set-type agency.sqlite3 newsletter priority=20 --dry-run",
)
def set_type(
    words: Annotated[list[str], _words("[DATABASE] NAME FIELD=VALUE...")],
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
    from almanac.commands import campaign as command

    how = command.How(dry_run, replan, changed_by, event_id, as_of, as_json)
    return command.set_type(command.Where(words, org, store), how)


@app.command(
    "import",
    short_help="Import targets from CSV.",
    epilog="Example: almanac campaign import agency.sqlite3 2 targets.csv",
)
def import_(
    words: Annotated[list[str], _words("[DATABASE] INSTANCE FILE")],
    rejects: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Where bad rows go; FILE.rejects.csv beside it."),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Import nothing if there is one bad row.")
    ] = False,
    dry_run: DryRun = False,
    replan: Replan = False,
    changed_by: ChangedBy = None,
    as_of: AsOf = None,
    org: MaybeOrg = None,
    store: Store = None,
    as_json: AsJson = False,
) -> int:
    """Import targets of an instance from a CSV file, or from standard input (-).

    The header names contact_id or email, and trigger_date if there is one; UTF-8, with commas,
    semicolons or tabs. Bad rows go to a file with their line and why, the good ones are imported.
    """
    from almanac.commands import campaign as command

    how = command.How(dry_run, replan, changed_by, None, as_of, as_json)
    return command.import_targets(command.Where(words, org, store), how, rejects, strict)
