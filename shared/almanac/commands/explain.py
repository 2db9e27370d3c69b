"""`almanac explain`."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import typer

from almanac.commands.agency_arguments import agency_of, today_of
from almanac.commands.arguments import read_datetime
from almanac.commands.config_arguments import given_config
from almanac.commands.dates import read_date, today_in
from almanac.commands.exit_codes import OK
from almanac.commands.groups import new_app
from almanac.commands.options import (
    AsJson,
    AsOf,
    ConfigFile,
    Defaults,
    MaybeDatabase,
    MaybeOrg,
    Now,
    Store,
)
from almanac.commands.output import print_result
from almanac.commands.progress import progress_bars
from almanac.errors import InputError
from almanac.explain.explain import explain_contact
from almanac.explain.lookup import Meant, Question
from almanac.explain.text import print_explanation

app = new_app()


@app.command(
    epilog="Example: almanac explain agency.sqlite3 --contact 42 --on 2027-05-10",
)
def explain(
    database: MaybeDatabase = None,
    contact: Annotated[
        str | None,
        typer.Option(
            metavar="WHO", help="Its id, or else a name, a phone number or a part of an address."
        ),
    ] = None,
    email: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Instead, the contact's address.")
    ] = None,
    on: Annotated[
        str | None,
        typer.Option(
            "--on",
            metavar="DATE",
            help="Explain why each message is not sent on this day; of a past day, what is known.",
        ),
    ] = None,
    email_type: Annotated[
        str | None,
        typer.Option("--type", metavar="TYPE", help="With --on: only messages of this type."),
    ] = None,
    org: MaybeOrg = None,
    store: Store = None,
    as_of: AsOf = None,
    now: Now = None,
    config: ConfigFile = None,
    defaults: Defaults = False,
    as_json: AsJson = False,
) -> int:
    """Explain what one contact gets, and why: the year, every message, and the deciding steps.

    The default day is that of the last run; the default configuration is that of the organization,
    or that of the last run. From a database in a store only a few pages are fetched.
    """
    if (contact is None) == (email is None):
        found = "none" if contact is None else "both"
        raise InputError(f"--contact WHO or --email ADDRESS: expected one of them, found {found}")
    if email_type is not None and on is None:
        raise InputError("--type goes with --on DATE: it selects the messages that --on explains")
    agency, given = agency_of(database, org, store), given_config(config, defaults)
    today = today_of(agency) if given is None else partial(today_in, given.config.zone)
    question = Question(
        config=given,
        as_of=read_date(as_of, "--as-of", today) if as_of else None,
        now=read_datetime(now) if now else None,
        on=read_date(on, "--on", today) if on else None,
        email_type=email_type,
    )
    with progress_bars() as progress:
        progress("explain", 0, 1)
        explained = explain_contact(agency, Meant(contact) if contact else str(email), question)
    print_result(explained, as_json, print_explanation)
    return OK
