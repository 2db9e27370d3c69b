"""The command line: `almanac`.

Commands import what they need when they are called, so that `almanac --help` is there at once.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from almanac import __version__
from almanac.commands import campaign_app, request_app, sending_app, store_app, suppression_app
from almanac.commands.endings import FAILURE, INTERRUPTED, OK, USAGE, failed, guarded, interrupted
from almanac.commands.options import (
    AsJson,
    AsOf,
    ConfigFile,
    Database,
    MaybeDatabase,
    MaybeOrg,
    Now,
    Store,
)

# As an operator comes to need them.
ORDER = (
    *("check", "run", "explain", "report", "diff", "campaign", "suppression", "due", "mark"),
    *("store", "request", "generate", "emulate", "version"),
)


class InOrder(TyperGroup):
    """Lists the commands in ORDER."""

    def list_commands(self, ctx: Any) -> list[str]:
        return sorted(super().list_commands(ctx), key=ORDER.index)


app = typer.Typer(
    name="almanac",
    cls=InOrder,
    help="Plans which message each contact of an insurance agency gets on which day, and explains "
    "every one that it does not send.",
    epilog="Start with: almanac check agency.sqlite3, then almanac run agency.sqlite3 --dry-run. "
    "To try it: almanac generate agency.sqlite3 --contacts 1000.\n\n"
    "Exit codes: 0 success, 1 failure, 2 a mistake in what was given, 130 interrupted.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
)


@app.command(
    short_help="Plan a database in place.",
    epilog="Example: almanac run agency.sqlite3 --as-of 2026-11-21 --report report.html\n\n"
    "Example: almanac run agency.sqlite3 --dry-run --config other.yaml",
)
def run(
    database: Database,
    as_of: AsOf = None,
    now: Now = None,
    config: ConfigFile = None,
    shards: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Ranges to cut the contacts into.")
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Processes to plan in; one for each core."),
    ] = None,
    contacts: Annotated[
        str | None,
        typer.Option(
            metavar="IDS", help="Plan these contacts only: 5,7,100-200, or @FILE with ids in it."
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would change, and write nothing.")
    ] = False,
    against: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="With --dry-run: the configuration to compare with, instead of that of the "
            "file's last run.",
        ),
    ] = None,
    report: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the report page to this file.")
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Plan a database in place: every message of the next year, or why it is skipped.

    The day is today in the organization's time zone unless --as-of names another; without --config
    the defaults hold. Other programs may use the file meanwhile. It is changed in one transaction;
    on any error it is as it was.

    A --dry-run with another configuration than that of the file's last run shows how the two
    plans differ, by day and by type.
    """
    from almanac.commands import run as command

    arguments = command.RunArguments(
        database, as_of, now, config, shards, workers, contacts, dry_run, against, report, as_json
    )
    return command.run(arguments)


@app.command(
    short_help="Tell why a contact gets what it gets.",
    epilog="Example: almanac explain agency.sqlite3 --contact 42 --on 2027-05-10",
)
def explain(
    database: MaybeDatabase = None,
    contact: Annotated[int | None, typer.Option(metavar="ID", help="The contact's id.")] = None,
    email: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="The contact's address, instead.")
    ] = None,
    on: Annotated[
        str | None,
        typer.Option("--on", metavar="DATE", help="Tell why each message is not sent on this day."),
    ] = None,
    email_type: Annotated[
        str | None,
        typer.Option("--type", metavar="TYPE", help="With --on: of messages of this type only."),
    ] = None,
    org: MaybeOrg = None,
    store: Store = None,
    as_of: AsOf = None,
    now: Now = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> int:
    """Tell what one contact gets, and why: the year, every message, and the steps that decided.

    Without --as-of it is the day of the last run, without --config the organization's
    configuration, or that of the last run. Of a database in a store a few pages are fetched.
    """
    from almanac.commands import explain as command

    arguments = command.ExplainArguments(
        database, org, store, contact, email, on, email_type, as_of, now, config, as_json
    )
    return command.explain(arguments)


@app.command(
    short_help="Write the report page of a database.",
    epilog="Example: almanac report agency.sqlite3 --out report.html",
)
def report(
    database: Database,
    out: Annotated[Path, typer.Option(metavar="FILE", help="The HTML file to write.")],
    config: ConfigFile = None,
    since: Annotated[
        Path | None,
        typer.Option(
            metavar="OLD", help="An earlier copy of the database: the page says what has changed."
        ),
    ] = None,
) -> int:
    """Write the report page of the plan in the file: one HTML file that needs nothing else.

    It shows the rows dated on the day of the last run or later. What that run has changed is on
    the page of the run itself (almanac run --report); --since OLD tells it of any two files.
    """
    from almanac.commands import look

    return look.report(database, out, config, since)


@app.command(
    short_help="Compare the plans of two databases.",
    epilog="Example: almanac diff yesterday.sqlite3 today.sqlite3",
)
def diff(
    old: Annotated[Path, typer.Argument(metavar="OLD", help="The earlier database.")],
    new: Annotated[Path, typer.Argument(metavar="NEW", help="The later database.")],
    as_json: AsJson = False,
) -> int:
    """Compare the planned messages of two databases, by type and by day."""
    from almanac.commands import look

    return look.diff(old, new, as_json)


@app.command(
    short_help="Look a database over, changing nothing.",
    epilog="Example: almanac check agency.sqlite3",
)
def check(database: Database, config: ConfigFile = None, as_json: AsJson = False) -> int:
    """Look for damage, missing columns, issues of contacts and of campaigns; change nothing.

    Exits with 2 if the file cannot be planned as it is; all else is only worth a look.
    """
    from almanac.commands import look

    return look.check(database, config, as_json)


@app.command(
    short_help="Make a realistic agency.",
    epilog="Example: almanac generate agency.sqlite3 --contacts 1000 --seed 1",
)
def generate(
    database: Annotated[
        Path, typer.Argument(metavar="DATABASE", help="The new file.", show_default=False)
    ],
    contacts: Annotated[int, typer.Option(metavar="N", help="How many contacts.")],
    seed: Annotated[int, typer.Option(metavar="S", help="Another number, another agency.")] = 1,
    as_of: Annotated[
        str | None,
        typer.Option(metavar="DATE", help="The day on which the agency looks like this; today."),
    ] = None,
) -> int:
    """Make a realistic agency to try things on: the same for the same numbers and day."""
    from almanac.commands import look

    return look.generate(database, contacts, seed, as_of)


@app.command(
    short_help="Run the whole cloud on this machine.",
    epilog="Example: almanac emulate --contacts 25000",
)
def emulate(
    contacts: Annotated[
        int, typer.Option(metavar="N", min=0, help="How many contacts the agency has.")
    ] = 5000,
    functions: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="The folder of the functions; that of the repository.",
            show_default=False,
        ),
    ] = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave everything running until Ctrl-C.")
    ] = False,
) -> int:
    """Run every function in a process of its own, with emulators of Pub/Sub and Cloud Storage.

    A generated agency is pushed as organization demo, and one daily run is asked for. Nothing
    leaves this machine. It needs Java, Google's Pub/Sub emulator and almanac's extra cloud, and
    says how to install what is missing.
    """
    from almanac.commands import emulate as command

    return command.emulate(contacts, functions, keep)


app.add_typer(campaign_app.app)
app.add_typer(store_app.app)
app.add_typer(request_app.app)
app.add_typer(suppression_app.app)
app.add_typer(sending_app.app)  # without a name: its commands are commands of this one


@app.command(epilog="Example: almanac version")
def version() -> int:
    """Print the version."""
    print(f"almanac {__version__}")
    return OK


def main(arguments: list[str] | None = None) -> None:
    """The script `almanac`; ends the process."""
    for stream in (sys.stdout, sys.stderr):
        # a name that the terminal cannot show must not end a command
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    sys.exit(guarded(lambda: _run(arguments)))


def _run(arguments: list[str] | None) -> int:
    try:
        result: Any = app(arguments, prog_name="almanac", standalone_mode=False)
    except typer.Abort:
        return FAILURE
    except typer.TyperException as error:
        return _usage(error)
    # typer makes a number of Ctrl-C
    return interrupted() if result == INTERRUPTED else int(result or OK)


def _usage(error: typer.TyperException) -> int:
    """A mistake on the command line itself: what is wrong, and where help is."""
    context = getattr(error, "ctx", None)
    if type(error).__name__ == "NoArgsIsHelpError":
        print(error.format_message())
        return OK
    command = context.command_path if context else "almanac"
    message = " ".join(error.format_message().split()).rstrip(".")
    return failed(f"{message}. See: {command} --help", USAGE)
