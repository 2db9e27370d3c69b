"""The command line: `almanac`.

Commands import what they need when they are called, so that `almanac --help` is there at once.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from almanac import __version__
from almanac.commands import request_app, store_app
from almanac.commands.endings import FAILURE, INTERRUPTED, OK, USAGE, failed, guarded, interrupted

app = typer.Typer(
    name="almanac",
    help="Plans which message each contact of an insurance agency gets on which day, and explains "
    "every one that it does not send.",
    epilog="Start with: almanac check agency.sqlite3, then almanac run agency.sqlite3 --dry-run. "
    "Exit codes: 0 success, 1 failure, 2 a mistake in what was given, 130 interrupted.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
)

Database = Annotated[
    Path,
    typer.Argument(metavar="DATABASE", help="The agency's SQLite database.", show_default=False),
]
AsOf = Annotated[
    str | None,
    typer.Option("--as-of", metavar="DATE", help="The day to plan on, YYYY-MM-DD."),
]
Now = Annotated[
    str | None,
    typer.Option(
        "--now",
        metavar="DATETIME",
        help="The time of the run, such as 2026-11-21T14:00, in the organization's zone unless it "
        "has an offset; after the send time, sending starts the day after.",
    ),
]
ConfigFile = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help="The organization's configuration, in YAML."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]


@app.command(
    short_help="Plan a database in place.",
    epilog="Example: almanac run agency.sqlite3 --as-of 2026-11-21 --report report.html",
)
def run(
    database: Database,
    as_of: AsOf = None,
    now: Now = None,
    config: ConfigFile = None,
    shards: Annotated[
        int | None, typer.Option(min=1, help="Ranges to cut the contacts into.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes to plan in; one for each core.")
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
    report: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the report page to this file.")
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Plan a database in place: every message of the next year, or why it is skipped.

    The day is today in the organization's time zone unless --as-of names another. Other programs
    may use the file meanwhile. It is changed in one transaction; on any error it is as it was.
    """
    from almanac.commands import run as command

    arguments = command.RunArguments(
        database, as_of, now, config, shards, workers, contacts, dry_run, report, as_json
    )
    return command.run(arguments)


@app.command(
    short_help="Tell why a contact gets what it gets.",
    epilog="Example: almanac explain agency.sqlite3 --contact 42",
)
def explain(
    database: Database,
    contact: Annotated[int, typer.Option(metavar="ID", help="The contact's id.")],
    as_of: AsOf = None,
    now: Now = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> int:
    """Tell what one contact gets, and why: windows, every message, and the step that decided.

    Without --as-of it is the day of the file's last run, without --config its configuration.
    """
    from almanac.commands import look

    return look.explain(database, contact, as_of, now, config, as_json)


@app.command(
    short_help="Write the report page of a database.",
    epilog="Example: almanac report agency.sqlite3 --out report.html",
)
def report(
    database: Database,
    out: Annotated[Path, typer.Option(metavar="FILE", help="The HTML file to write.")],
    config: ConfigFile = None,
) -> int:
    """Write the report page of the plan in the file: one HTML file that needs nothing else."""
    from almanac.commands import look

    return look.report(database, out, config)


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


app.add_typer(store_app.app)
app.add_typer(request_app.app)


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
