"""The command line of `almanac suppression`. Like all commands, these import late."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from almanac.commands.options import AsJson, MaybeDatabase, MaybeOrg, Store

app = typer.Typer(
    name="suppression",
    short_help="Keep the list of those who get nothing.",
    help="Keep the list of those who get no messages: unsubscribed, bounced, complained.",
    epilog="The list is the table suppressions of a database: that of a file, or with --org the "
    "one in force in a store, of which a change publishes the next version. Planning skips what is "
    "suppressed, and almanac due leaves it out at once. Start with: almanac suppression list "
    "agency.sqlite3",
    rich_markup_mode=None,
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

    A contact's are those with its id and those with its address.
    """
    from almanac.commands import suppression as command

    where = command.Where(database, org, store)
    return command.list_(where, email, contact, on, as_json)


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
    """Suppress an address, a contact or both, and tell which planned messages that stops.

    One that is in force already for the same reason is not added again.
    """
    from almanac.commands import suppression as command

    where = command.Where(database, org, store)
    return command.add(where, email, contact, reason, source, since, until, on, as_json)


@app.command(
    short_help="Let a suppression end.",
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
    """Let the suppressions of an address, or of a contact's id, end: nothing is deleted.

    Of a contact only those with its id end; what still holds by its address is told.
    """
    from almanac.commands import suppression as command

    where = command.Where(database, org, store)
    return command.end(where, email, contact, reason, on, as_json)


@app.command(
    "import",
    short_help="Add suppressions from CSV.",
    epilog="Example: almanac suppression import agency.sqlite3 unsubscribed.csv",
)
def import_(
    names: Annotated[
        list[Path],
        typer.Argument(
            metavar="[DATABASE] FILE",
            help="The database, unless --org is given, and the CSV file; - is standard input.",
            show_default=False,
        ),
    ],
    rejects: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Where unusable rows go; FILE.rejects.csv beside the file."
        ),
    ] = None,
    on: On = None,
    org: MaybeOrg = None,
    store: Store = None,
    as_json: AsJson = False,
) -> int:
    """Add the suppressions of a CSV file; the same file again changes nothing.

    Its header has email, contact_id or both, and may have reason, source, since and until. A row
    that is there without an end gets the file's; one that has ended is not begun again. All rows
    are taken in one step; those that cannot be used go to another file, by line, with why.
    """
    from almanac.commands import suppression as command

    return command.import_(names, org, store, rejects, on, as_json)


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
    """Write all suppressions, those that have ended too, as CSV that import takes back."""
    from almanac.commands import suppression as command

    return command.export(command.Where(database, org, store), out, as_json)
