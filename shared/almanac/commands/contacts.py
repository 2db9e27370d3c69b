"""The group `almanac contacts`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from almanac.commands.exit_codes import FAILURE, OK
from almanac.commands.groups import new_app
from almanac.commands.options import AsCsv, AsJson, MaybeOrg, RowsOut, Store
from almanac.commands.reading import reading
from almanac.contacts.find import LIMIT, FoundContact, find
from almanac.contacts.text import print_found
from almanac.report.row_file import row_format, write_rows
from almanac.report.text import console_for

app = new_app(
    name="contacts",
    help="Find contacts by name, address, phone number or id, and list them.",
    epilog="Start with: almanac contacts find agency.sqlite3 'ada lovelace'",
    no_args_is_help=True,
)


@app.callback()
def group() -> None:
    """Find contacts by name, address, phone number or id."""


@app.command(
    "find",
    short_help="Find contacts by name, address, phone or id.",
    epilog="Example: almanac contacts find agency.sqlite3 'ada love'",
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
    format_ = row_format(out, as_csv, as_json)
    database = None if org is not None else Path(words[0])
    text = " ".join(words if org is not None else words[1:])
    with reading(database, org, store, whole=True) as opened:
        found = find(opened.connection, text, opened.config.contacts, limit)
    if format_ is None:
        print_found(console_for(sys.stdout), found)
    else:
        head = {"text": found.text, "by": found.by, "complete": found.complete}
        write_rows(out, format_, FoundContact._fields, found.contacts, head)
    return OK if found.contacts else FAILURE
