"""The group `almanac contacts`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from almanac.commands.exit_codes import FAILURE, OK
from almanac.commands.groups import new_app
from almanac.commands.imports import Strict
from almanac.commands.options import (
    AsCsv,
    AsJson,
    DatabaseAndFile,
    DryRun,
    Map,
    MaybeDatabase,
    MaybeOrg,
    Rejects,
    RowsOut,
    Shown,
    Store,
)
from almanac.commands.output import print_rows
from almanac.commands.reading import reading
from almanac.contacts.find import LIMIT, FoundContact, find
from almanac.contacts.text import print_found
from almanac.errors import InputError
from almanac.report.row_file import output_of
from almanac.report.text import console_for

if TYPE_CHECKING:
    from almanac.commands.contact_lists import ListKind

app = new_app(
    name="contacts",
    help="Find contacts by name, address, phone number or id, list them, and import them.",
    epilog="Start with: almanac contacts find agency.sqlite3 donna",
    no_args_is_help=True,
)


@app.command(
    "find",
    short_help="Find contacts by name, address, phone or id.",
    epilog="Example: almanac contacts find agency.sqlite3 donna",
)
def find_(
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="[DATABASE] TEXT...",
            help="The agency's SQLite database, unless --org is given, and what to look for.",
            show_default=False,
        ),
    ],
    limit: Annotated[
        int, typer.Option(min=1, metavar="N", help="At most so many contacts.")
    ] = LIMIT,
    as_csv: AsCsv = False,
    as_json: AsJson = False,
    out: RowsOut = None,
    org: MaybeOrg = None,
    store: Store = None,
) -> int:
    """Find the contacts that a text means: an id, words of the name, an address, a phone number.

    Words are found in any order, also as parts of the name or the address; a phone number is
    compared by its digits, at least four. Exits with 1 if there is none.
    """
    output = output_of(out, as_csv, as_json)
    database = None if org is not None else Path(words[0])
    text = " ".join(words if org is not None else words[1:])
    with reading(database, org, store, whole=False) as opened:
        found = find(opened.connection, text, opened.config.contacts, limit)
    if output.format_ is None:
        print_found(console_for(sys.stdout), found)
    else:
        head = {"text": found.text, "by": found.by, "complete": found.complete}
        print_rows(output, output.format_, FoundContact._fields, found.contacts, head)
    return OK if found.contacts else FAILURE


@app.command(
    "list",
    short_help="List contacts by issue, state, skip reason or campaign.",
    epilog="Example: almanac contacts list agency.sqlite3 --issue invalid_email --out bad.csv",
)
def list_(
    database: MaybeDatabase = None,
    issue: Annotated[
        str | None,
        typer.Option(metavar="ISSUE", help="Those with this issue, as almanac check names it."),
    ] = None,
    skip_reason: Annotated[
        str | None,
        typer.Option(
            metavar="REASON", help="Messages that the plan skips for this reason, or its beginning."
        ),
    ] = None,
    state: Annotated[
        str | None,
        typer.Option(metavar="STATE", help="Those of a state: CA, California, or unknown."),
    ] = None,
    campaign: Annotated[
        str | None,
        typer.Option(metavar="INSTANCE", help="Messages and targets of a campaign, by id or name."),
    ] = None,
    limit: Shown = 25,
    as_csv: AsCsv = False,
    as_json: AsJson = False,
    out: RowsOut = None,
    org: MaybeOrg = None,
    store: Store = None,
) -> int:
    """List all contacts with an issue, of a state, with skipped messages, or of a campaign.

    An issue is found as by almanac check, a state as by the rules: by the column, else by the ZIP
    code. Reads the whole table, of contacts or of messages.
    """
    output = output_of(out, as_csv, as_json)
    options: dict[ListKind, str | None] = {
        "issue": issue,
        "skip_reason": skip_reason,
        "state": state,
        "campaign": campaign,
    }
    given = [(kind, value) for kind, value in options.items() if value is not None]
    if len(given) != 1:
        names = ", ".join(f"--{kind.replace('_', '-')}" for kind in options)
        found = "several" if given else "none"
        raise InputError(f"{names}: expected one of them, found {found}")
    # these read columns, which find does without
    from almanac.commands.agency_arguments import agency_of
    from almanac.commands.contact_lists import list_contacts

    list_contacts(agency_of(database, org, store), *given[0], limit, output)
    return OK


@app.command(
    "import",
    short_help="Insert and update contacts from CSV.",
    epilog="Example: almanac contacts import agency.sqlite3 crm.csv "
    '--map "Date of Birth=birth_date" --dry-run',
)
def import_(
    names: DatabaseAndFile,
    map_: Map = None,
    rejects: Rejects = None,
    strict: Strict = False,
    dry_run: DryRun = False,
    org: MaybeOrg = None,
    store: Store = None,
    as_json: AsJson = False,
) -> int:
    """Insert and update contacts from a CSV file, or from standard input (-).

    The header names id or email, by which a contact is found, and columns of the table contacts,
    or those that planning reads. An empty cell leaves the value as it is; no contact is deleted.
    Rows with a value that planning could not read go to another file, by line, with the reason.
    """
    from almanac.commands.contact_import import run_import
    from almanac.intake.contact_import import ContactImport

    options = ContactImport(map_ or [], dry_run)
    return run_import(names, options, rejects, strict, org, store, as_json)
