"""`almanac explain`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from almanac.commands.agency_arguments import agency_of
from almanac.commands.arguments import read_config, read_date, read_datetime
from almanac.commands.exit_codes import OK
from almanac.commands.groups import new_app
from almanac.commands.options import AsJson, AsOf, ConfigFile, MaybeDatabase, MaybeOrg, Now, Store
from almanac.commands.output import print_result
from almanac.commands.progress import progress_bars
from almanac.errors import InputError
from almanac.explain.explain import explain_contact
from almanac.explain.lookup import Question
from almanac.explain.text import print_explanation

app = new_app()


@dataclass(frozen=True)
class ExplainArguments:
    """What the command line said."""

    database: Path | None
    org: str | None
    store: str | None
    contact: int | None
    email: str | None
    on: str | None
    email_type: str | None
    as_of: str | None
    now: str | None
    config: Path | None
    as_json: bool


@app.command(
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
    return _explain(
        ExplainArguments(
            *(database, org, store, contact, email, on, email_type, as_of, now, config, as_json)
        )
    )


def _explain(arguments: ExplainArguments) -> int:
    """Prints an explanation."""
    who = arguments.contact if arguments.email is None else arguments.email
    if who is None or (arguments.contact is not None and arguments.email is not None):
        found = "none" if who is None else "both"
        raise InputError(f"--contact ID or --email ADDRESS: expected one of them, found {found}")
    if arguments.email_type is not None and arguments.on is None:
        raise InputError("--type goes with --on DATE: it chooses the message that the day is for")
    question = Question(
        config=read_config(arguments.config) if arguments.config else None,
        as_of=read_date(arguments.as_of) if arguments.as_of else None,
        now=read_datetime(arguments.now) if arguments.now else None,
        on=read_date(arguments.on, "--on") if arguments.on else None,
        email_type=arguments.email_type,
    )
    agency = agency_of(arguments.database, arguments.org, arguments.store)
    with progress_bars() as progress:
        progress("look", 0, 1)
        explained = explain_contact(agency, who, question)
    print_result(explained, arguments.as_json, print_explanation)
    return OK
