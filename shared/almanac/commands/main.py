"""The command line `almanac`: its commands, and how it ends."""

from __future__ import annotations

import atexit
import gc
import sys
from typing import Annotated, Any

import typer

from almanac import __version__
from almanac.commands.exit_codes import (
    FAILURE,
    INTERRUPTED,
    OK,
    USAGE,
    failed,
    guarded,
    interrupted,
    validation_problem,
)
from almanac.commands.groups import CommandEntry, LazyGroup
from almanac.commands.streams import open_streams

# In the order in which an operator needs them; help lists them so.
COMMANDS = {
    "check": CommandEntry("check", "Check a database; change nothing."),
    "run": CommandEntry("run", "Plan a database in place."),
    "day": CommandEntry("day", "Show who gets what on a day."),
    "week": CommandEntry("day", "Show who gets what in a week."),
    "contacts": CommandEntry("contacts", "Find contacts, list and import them."),
    "explain": CommandEntry("explain", "Explain what a contact gets, and why."),
    "history": CommandEntry("history", "Show what became of a contact's messages."),
    "missed": CommandEntry("missed", "Show who gets no message of a campaign, and why."),
    "report": CommandEntry("report", "Write the report page of a database."),
    "results": CommandEntry("results", "Show what came of messages."),
    "evidence": CommandEntry("evidence", "Write an archive of what was sent or withheld."),
    "serve": CommandEntry("serve", "Show the plan in the browser, read only."),
    "diff": CommandEntry("diff", "Compare the plans of two databases."),
    "campaign": CommandEntry("campaign", "Show campaigns, and change them."),
    "suppression": CommandEntry("suppression", "Maintain the list of suppressed contacts."),
    "rules": CommandEntry("rules", "Show the state rules, and check them."),
    "due": CommandEntry("sending", "Write the messages of a day for a sender."),
    "mark": CommandEntry("sending", "Record what became of messages."),
    "intake": CommandEntry("intake", "Take in events: marks, contacts, targets and more."),
    "undo": CommandEntry("undo", "Put back what the last command changed."),
    "apply": CommandEntry("apply", "Apply a change set to a database."),
    "config": CommandEntry("config", "Show the configuration, and change it."),
    "store": CommandEntry("store", "Manage the databases of a store."),
    "request": CommandEntry("request", "Request a run, or a change of a campaign."),
    "generate": CommandEntry("generate", "Generate a realistic agency."),
    "emulate": CommandEntry("emulate", "Run the whole cloud on this machine."),
    "completion": CommandEntry("completion", "Print the completion script of a shell."),
    "help": CommandEntry("help", "Show the help of a command."),
    "version": CommandEntry("version", "Print the version."),
}


def _print_version(context: typer.Context, asked: bool) -> None:
    if asked and not context.resilient_parsing:
        print(f"almanac {__version__}")
        raise typer.Exit


def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version, and exit."
        ),
    ] = False,
) -> None:
    """Declare the options of `almanac` itself."""


app = LazyGroup(
    COMMANDS,
    _options,
    name="almanac",
    help="Plans which message each contact of an insurance agency gets on which day, and explains "
    "every one that it does not send.",
    epilog="Start with: almanac check agency.sqlite3, then almanac run agency.sqlite3 --dry-run. "
    "To try it: almanac generate agency.sqlite3 --contacts 1000.\n\n"
    "Exit codes: 0 success, 1 failure, 2 invalid input, 3 differences (with --exit-code), "
    "130 interrupted.",
    no_args_is_help=True,
)


def main(arguments: list[str] | None = None) -> None:
    """Run the script `almanac`, and end the process with its exit code."""
    # else Python looks three times at all that was imported, which takes 0.15 s of some commands
    atexit.register(gc.freeze)
    open_streams()
    sys.exit(guarded(lambda: _run(arguments)))


def _run(arguments: list[str] | None) -> int:
    try:
        result: Any = app(arguments, prog_name="almanac", standalone_mode=False)
    except typer.Abort:
        return failed("stopped; nothing was changed", FAILURE)
    except typer.TyperException as error:
        return _usage(error)
    # typer returns the number of Ctrl-C
    return interrupted() if result == INTERRUPTED else int(result or OK)


def _usage(error: typer.TyperException) -> int:
    """Print what is wrong with the command line and where the help is; return the exit code."""
    context = getattr(error, "ctx", None)
    if type(error).__name__ == "NoArgsIsHelpError":
        print(error.format_message())
        return OK
    command = context.command_path if context else "almanac"
    error.message = validation_problem(error.__cause__) or error.message
    message = " ".join(error.format_message().split()).rstrip(".")
    end = "" if message.endswith("?") else "."
    return failed(f"{message}{end} See: {command} --help", USAGE)
