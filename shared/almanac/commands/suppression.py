"""`almanac suppression`."""

from __future__ import annotations

import datetime as dt
import sys
from functools import partial
from pathlib import Path
from typing import Annotated

import apsw
import typer

from almanac.commands.agency_arguments import agency_and_file, agency_of
from almanac.commands.arguments import file_or_stdout, read_date
from almanac.commands.exit_codes import OK
from almanac.commands.groups import new_app
from almanac.commands.imports import Strict, import_code
from almanac.commands.options import (
    AsJson,
    DatabaseAndFile,
    Map,
    MaybeDatabase,
    MaybeOrg,
    Rejects,
    Store,
)
from almanac.commands.output import print_json
from almanac.commands.progress import progress_bars
from almanac.csv_input.rejects import rejects_path
from almanac.csv_input.source import input_file
from almanac.database.opening import map_errors
from almanac.database.suppressions import IN_FORCE, Suppression
from almanac.delivery import suppressions, suppressions_text
from almanac.errors import InputError
from almanac.organizations.agency_database import AgencyDatabase, Edit, T
from almanac.outputs import write_text
from almanac.plurals import plural
from almanac.report.text import console_for, paragraph

app = new_app(
    name="suppression",
    help="Maintain the list of contacts and addresses that get no messages: unsubscribed, bounced, "
    "complained.",
    epilog="The list is the table suppressions of a database: that of a file, or with --org the "
    "current version in a store, where a change publishes the next version. Planning skips what is "
    "suppressed, and almanac due leaves it out at once. Start with: almanac suppression list "
    "agency.sqlite3",
    no_args_is_help=True,
)

Email = Annotated[str | None, typer.Option("--email", metavar="ADDRESS", help="An address.")]
Contact = Annotated[int | None, typer.Option("--contact", metavar="ID", help="A contact's id.")]
On = Annotated[
    str | None, typer.Option("--on", metavar="DATE", help="The day that counts, YYYY-MM-DD; today.")
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
    on: On = None,
    org: MaybeOrg = None,
    store: Store = None,
    as_json: AsJson = False,
) -> int:
    """Count the suppressions by reason, source and state, or show those of one contact or address.

    A contact is suppressed by its id or by its address.
    """
    agency = agency_of(database, org, store)
    day = _day(agency, on)
    if email is not None and contact is not None:
        raise InputError("--email or --contact: expected one of them, found both")
    console = console_for(sys.stdout)
    with agency.open() as source, map_errors(source.path):
        connection = source.connection
        if email is None and contact is None:
            lines = suppressions.counts(connection, day)
            effect = suppressions.effect(connection, day)
            if as_json:
                print_json(day=day, lines=lines, effect=effect)
            else:
                suppressions_text.print_lines(console, lines, effect)
            return OK
        found = suppressions.find(connection, email, contact, day)
    if as_json:
        active = any(row.state == IN_FORCE for row in found)
        print_json(
            day=day, suppressed=active, suppressions=[suppressions.record(row) for row in found]
        )
    else:
        who = f"contact {contact}" if contact is not None else str(email).strip()
        suppressions_text.print_lookup(console, who, day, found)
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
    reason: Annotated[
        str,
        typer.Option(
            metavar="WORD", help="unsubscribe, bounce, complaint, manual, or another word."
        ),
    ] = "manual",
    source: Annotated[
        str, typer.Option(metavar="WORD", help="Where it comes from.")
    ] = "command line",
    since: Annotated[
        str | None, typer.Option(metavar="DATE", help="Its first day, YYYY-MM-DD; today.")
    ] = None,
    until: Annotated[
        str | None, typer.Option(metavar="DATE", help="Its last day, YYYY-MM-DD; none.")
    ] = None,
    on: On = None,
    org: MaybeOrg = None,
    store: Store = None,
    as_json: AsJson = False,
) -> int:
    """Suppress an address, a contact or both, and show which planned messages that stops.

    One that is in force already for the same reason is not added again.
    """
    agency = agency_of(database, org, store)
    day = _day(agency, on)
    _require_one(email, contact, both=True)
    number = "" if contact is None else str(contact)
    words = (email or "", number, reason, source, since or str(day), until or "")
    new = suppressions.from_texts(*(word.strip() for word in words))

    def edit(connection: apsw.Connection) -> tuple[bool, suppressions.Effect]:
        return suppressions.add(connection, new, day), suppressions.effect(connection, day)

    added, effect = _edit(agency, edit)
    if as_json:
        print_json(added=added, suppression=suppressions.record(new), effect=effect)
    else:
        suppressions_text.print_added(console_for(sys.stdout), new, added, effect)
    return OK


@app.command(
    short_help="End a suppression.",
    epilog="Example: almanac suppression end agency.sqlite3 --email ada@example.com",
)
def end(
    database: MaybeDatabase = None,
    email: Email = None,
    contact: Contact = None,
    reason: Annotated[
        str | None, typer.Option(metavar="WORD", help="Only those for this reason.")
    ] = None,
    on: Annotated[
        str | None,
        typer.Option("--on", metavar="DATE", help="The first day without it, YYYY-MM-DD; today."),
    ] = None,
    org: MaybeOrg = None,
    store: Store = None,
    as_json: AsJson = False,
) -> int:
    """End the suppressions of an address, or of a contact's id; no row is deleted.

    For a contact only those with its id end; those in force by its address are shown.
    """
    agency = agency_of(database, org, store)
    day = _day(agency, on)
    _require_one(email, contact)

    def edit(connection: apsw.Connection) -> tuple[list[Suppression], list[Suppression]]:
        ended = suppressions.end(connection, (email or "").strip(), contact or 0, reason, day)
        left = suppressions.find(connection, email, contact, day)
        return ended, [row for row in left if row.state == IN_FORCE]

    ended, active = _edit(agency, edit)
    if as_json:
        before, after = (
            [suppressions.record(row) for row in ended],
            [suppressions.record(row) for row in active],
        )
        print_json(first_day_without=day, ended=before, still_in_force=after)
    else:
        suppressions_text.print_ended(console_for(sys.stdout), day, ended, active)
    return OK


@app.command(
    "import",
    short_help="Add suppressions from CSV.",
    epilog="Example: almanac suppression import agency.sqlite3 unsubscribed.csv",
)
def import_(
    names: DatabaseAndFile,
    rejects: Rejects = None,
    map_: Map = None,
    strict: Strict = False,
    on: On = None,
    org: MaybeOrg = None,
    store: Store = None,
    as_json: AsJson = False,
) -> int:
    """Add the suppressions of a CSV file; importing the same file again changes nothing.

    Its header has email, contact_id or both, and may have reason, source, since and until. An
    existing suppression without an end gets the end in the file; one that has ended stays ended.
    All valid rows are written in one transaction; invalid ones go to another file, by line, with
    the reason.
    """
    agency, file = agency_and_file(names, org, store)
    day = _day(agency, on)
    path = rejects_path(file, rejects)
    with input_file(file) as source:
        parsed = suppressions.read_suppressions(source, map_ or [])
    parsed.rejects.write(path)  # first: if it fails, nothing has changed

    def edit(connection: apsw.Connection) -> tuple[suppressions.Loaded, suppressions.Effect]:
        return suppressions.load(connection, parsed), suppressions.effect(connection, day)

    found, effect = _edit(agency, edit)
    if as_json:
        print_json(
            **found.model_dump(),
            rejected=len(parsed.rejects),
            rejects=str(path) if len(parsed.rejects) else None,
            ignored_columns=parsed.ignored,
            effect=effect,
        )
    else:
        console = console_for(sys.stdout)
        suppressions_text.print_loaded(console, found, parsed.ignored, parsed.rejects, path, effect)
    taken = found.added + found.ended + found.unchanged
    return import_code(file, taken, len(parsed.rejects), strict, path)


@app.command(
    short_help="Write all suppressions as CSV.",
    epilog="Example: almanac suppression export agency.sqlite3 --out suppressions.csv",
)
def export(
    database: MaybeDatabase = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The file to write; standard output.")
    ] = None,
    org: MaybeOrg = None,
    store: Store = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object; only with --out.")
    ] = False,
) -> int:
    """Write all suppressions, also the ended ones, as CSV that import reads."""
    out = file_or_stdout(out)
    if as_json and out is None:
        raise InputError("--json: expected --out FILE with it, since the CSV takes standard output")
    agency = agency_of(database, org, store)
    with agency.open() as source, map_errors(source.path):
        if out is None:
            suppressions.export(source.connection, sys.stdout)
            return OK
        count = write_text(out, "--out", partial(suppressions.export, source.connection))
    if as_json:
        print_json(rows=count, out=str(out))
    else:
        text = f"{plural(count, 'suppression')} of {agency.name}: {out}"
        paragraph(console_for(sys.stdout), text, indent=0)
    return OK


def _edit(agency: AgencyDatabase, edit: Edit[T]) -> T:
    with progress_bars() as progress:
        return agency.edit(edit, "suppression", dt.datetime.now(dt.UTC), progress)


def _day(agency: AgencyDatabase, on: str | None) -> dt.date:
    """Return the given day, else today in the organization's time zone."""
    return read_date(on, "--on") if on else dt.datetime.now(agency.config().zone).date()


def _require_one(email: str | None, contact: int | None, both: bool = False) -> None:
    """Raise InputError unless an address or a contact is given, or `both` where allowed."""
    if email is None and contact is None:
        raise InputError("expected --email ADDRESS or --contact ID")
    if not both and email is not None and contact is not None:
        raise InputError("--email or --contact: expected one of them, found both")
    if email is not None and not email.strip():
        raise InputError("--email: expected an address, found nothing")
