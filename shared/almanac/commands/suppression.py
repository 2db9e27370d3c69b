"""`almanac suppression`."""

from __future__ import annotations

import datetime as dt
import sys
from typing import Annotated

import apsw
import typer

from almanac.commands.agency_arguments import agency_of, today_of
from almanac.commands.dates import read_date
from almanac.commands.exit_codes import OK
from almanac.commands.groups import new_app
from almanac.commands.options import AsJson, MaybeDatabase, MaybeOrg, Store
from almanac.commands.output import print_json
from almanac.commands.suppression_files import (
    On,
    day_and_columns,
    edit_suppressions,
    export,
    import_,
)
from almanac.commands.waiting import add_in_store, end_in_store, warn_of_waiting
from almanac.config_contacts import ContactColumns
from almanac.database.opening import map_errors
from almanac.database.suppression_lookups import known_types
from almanac.database.suppressions import IN_FORCE, Suppression
from almanac.database.undo.entries import WritingCommand
from almanac.delivery import suppressions, suppressions_text
from almanac.delivery.added_suppression import AddedSuppression
from almanac.delivery.added_suppression import add as add_suppression
from almanac.delivery.suppression_file import from_texts
from almanac.errors import InputError
from almanac.organizations.agency_database import AgencyDatabase, StoreDatabase
from almanac.report.text import console_for

app = new_app(
    name="suppression",
    help="Maintain the list of contacts and addresses that get no messages: unsubscribed, bounced, "
    "complained.",
    epilog="The list is the table suppressions of a database: that of a file, or with --org the "
    "current version in a store, where a change waits for the next run. Planning skips what is "
    "suppressed, and almanac due leaves it out at once. Start with: almanac suppression list "
    "agency.sqlite3",
    no_args_is_help=True,
)

_EXPECTED = {"--email": "an address", "--contact": "an id", "--phone": "a number"}

Email = Annotated[str | None, typer.Option("--email", metavar="ADDRESS", help="An address.")]
Contact = Annotated[int | None, typer.Option("--contact", metavar="ID", help="A contact's id.")]
Phone = Annotated[
    str | None,
    typer.Option("--phone", metavar="NUMBER", help="A phone number, about text messages to it."),
]
Channel = Annotated[
    str, typer.Option(metavar="sms", help="Text messages only; else e-mail and text messages.")
]
Types = Annotated[
    str,
    typer.Option(
        "--types", metavar="TYPES", help="Only messages of these types: birthday,campaign_*."
    ),
]


@app.command(
    "list",
    short_help="Count the suppressions, or look one up.",
    epilog="Example: almanac suppression list agency.sqlite3 --contact 42",
)
def list_(
    database: MaybeDatabase = None,
    email: Email = None,
    contact: Contact = None,
    phone: Phone = None,
    on: On = None,
    org: MaybeOrg = None,
    store: Store = None,
    as_json: AsJson = False,
) -> int:
    """Count the suppressions by reason, source and state, or show those of one contact or address.

    A contact is suppressed by its id or by its address, its text messages also by its number.
    """
    agency = agency_of(database, org, store)
    day, settings = day_and_columns(agency, on)
    who = _named(email, contact, phone)
    console = console_for(sys.stdout)
    warn_of_waiting(agency)
    with agency.open() as source, map_errors(source.path):
        connection = source.connection
        if who is None:
            lines = suppressions.counts(connection, day)
            effect = suppressions.effect(connection, day, settings)
            if as_json:
                print_json(day=day, lines=lines, effect=effect)
            else:
                suppressions_text.print_lines(console, lines, effect)
            return OK
        found = suppressions.find(connection, who, day, settings)
        active = [row for row in found if row.state == IN_FORCE]
        others = suppressions.same_address(connection, active, day, settings)
    if as_json:
        print_json(
            day=day,
            suppressed=any(row.of_all_messages for row in active),
            suppressions=[suppressions.record(row) for row in found],
            same_address=others,
        )
    else:
        suppressions_text.print_lookup(console, str(who), day, found)
        suppressions_text.print_same_address(console, others)
    return OK


@app.command(
    short_help="Suppress an address or a contact.",
    epilog="Example: almanac suppression add agency.sqlite3 --email ada@example.com "
    "--reason unsubscribe",
)
def add(
    database: MaybeDatabase = None,
    email: Email = None,
    contact: Contact = None,
    phone: Phone = None,
    channel: Channel = "",
    types: Types = "",
    reason: Annotated[
        str,
        typer.Option(
            metavar="WORD", help="unsubscribe, bounce, complaint, manual, or another word."
        ),
    ] = "manual",
    source: Annotated[
        str, typer.Option(metavar="WORD", help="Where it comes from.")
    ] = "command line",
    since: Annotated[str | None, typer.Option(metavar="DATE", help="Its first day; today.")] = None,
    until: Annotated[str | None, typer.Option(metavar="DATE", help="Its last day; none.")] = None,
    on: On = None,
    org: MaybeOrg = None,
    store: Store = None,
    as_json: AsJson = False,
) -> int:
    """Suppress an address, a contact, both, or a phone number, and show what that stops.

    One that is in force already for the same reason is not added again.
    """
    agency = agency_of(database, org, store)
    day, settings = day_and_columns(agency, on)
    if phone is not None and (email is not None or contact is not None):
        raise InputError("--phone: stops text messages to a number; expected no contact with it")
    if email is None or contact is None:
        _named(email, contact, phone)
    with agency.open() as opened, map_errors(opened.path):
        known = known_types(opened.connection)
    texts = {
        "email": email or "",
        "contact_id": "" if contact is None else str(contact),
        "reason": reason,
        "source": source,
        "since": _date(since, "--since", agency) or str(day),
        "until": _date(until, "--until", agency),
        "channel": channel,
        "email_types": types,
        "phone": phone or "",
    }
    new = from_texts({name: text.strip() for name, text in texts.items()}, known)
    if isinstance(agency, StoreDatabase):
        return add_in_store(agency, new, settings, as_json)
    return _add(agency, new, day, settings, as_json)


@app.command(
    short_help="End a suppression.",
    epilog="Example: almanac suppression end agency.sqlite3 --email ada@example.com",
)
def end(
    database: MaybeDatabase = None,
    email: Email = None,
    contact: Contact = None,
    phone: Phone = None,
    reason: Annotated[
        str | None, typer.Option(metavar="WORD", help="Only those for this reason.")
    ] = None,
    on: Annotated[
        str | None,
        typer.Option("--on", metavar="DATE", help="The first day without it; today."),
    ] = None,
    org: MaybeOrg = None,
    store: Store = None,
    as_json: AsJson = False,
) -> int:
    """End the suppressions of an address, a contact's id or a number; no row is deleted.

    For a contact only those with its id end; those in force by its address are shown.
    """
    agency = agency_of(database, org, store)
    day, settings = day_and_columns(agency, on)
    who = _named(email, contact, phone)
    if who is None:
        raise InputError("expected --email ADDRESS, --contact ID or --phone NUMBER")
    if isinstance(agency, StoreDatabase):
        return end_in_store(agency, who, reason, day, as_json)

    def edit(connection: apsw.Connection) -> tuple[list[Suppression], list[Suppression]]:
        ended = suppressions.end(connection, who, reason, day)
        left = suppressions.find(connection, who, day, settings)
        return ended, [row for row in left if row.state == IN_FORCE]

    ended, active = edit_suppressions(agency, edit, WritingCommand.SUPPRESSION_END)
    if as_json:
        before, after = (
            [suppressions.record(row) for row in ended],
            [suppressions.record(row) for row in active],
        )
        print_json(first_day_without=day, ended=before, still_in_force=after)
    else:
        suppressions_text.print_ended(console_for(sys.stdout), day, ended, active)
    return OK


app.command(
    "import",
    short_help="Add suppressions from CSV.",
    epilog="Example: almanac suppression import agency.sqlite3 unsubscribed.csv",
)(import_)
app.command(
    short_help="Write all suppressions as CSV.",
    epilog="Example: almanac suppression export agency.sqlite3 --out suppressions.csv",
)(export)


def _date(text: str | None, option: str, agency: AgencyDatabase) -> str:
    return str(read_date(text, option, today_of(agency))) if text and text.strip() else ""


def _named(email: str | None, contact: int | None, phone: str | None) -> suppressions.Named | None:
    """Return whom the options name, None if none is given. Raise InputError for several."""
    given = {"--email": email, "--contact": contact, "--phone": phone}
    names = [name for name, value in given.items() if value is not None]
    if len(names) > 1:
        found = "both" if len(names) == 2 else "all"
        raise InputError(f"{' or '.join(names)}: expected one of them, found {found}")
    for name in names:
        if not str(given[name]).strip():
            raise InputError(f"{name}: expected {_EXPECTED[name]}, found nothing")
    if not names:
        return None
    return suppressions.Named((email or "").strip(), contact or 0, (phone or "").strip())


def _add(
    agency: AgencyDatabase,
    new: Suppression,
    day: dt.date,
    settings: ContactColumns,
    as_json: bool,
) -> int:
    def edit(connection: apsw.Connection) -> AddedSuppression:
        return add_suppression(connection, new, day, settings)

    done = edit_suppressions(agency, edit, WritingCommand.SUPPRESSION_ADD)
    if as_json:
        print_json(suppression=suppressions.record(new), **done.model_dump(mode="json"))
    else:
        console = console_for(sys.stdout)
        suppressions_text.print_added(console, new, done)
        suppressions_text.print_same_address(console, done.same_address)
    return OK
