"""The command line of `almanac due` and `almanac mark`; they import late what they need."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from almanac.commands.options import AsJson, MaybeDatabase, MaybeOrg, Store, Wait

app = typer.Typer(rich_markup_mode=None)


@app.command(
    short_help="Hand out the messages of a day.",
    epilog="Example: almanac due agency.sqlite3 --on 2026-11-23 --columns first_name "
    "--out due.jsonl",
)
def due(
    database: MaybeDatabase = None,
    on: Annotated[
        str | None, typer.Option("--on", metavar="DATE", help="The day, YYYY-MM-DD; today.")
    ] = None,
    format_: Annotated[
        str, typer.Option("--format", metavar="jsonl|csv", help="JSON lines or CSV.")
    ] = "jsonl",
    columns: Annotated[
        str,
        typer.Option(
            metavar="NAMES", help="Columns of contacts to hand out too: first_name,last_name."
        ),
    ] = "",
    claimed: Annotated[
        bool,
        typer.Option(
            "--claimed",
            help="Those of the day and before it that were claimed, and not marked since, instead.",
        ),
    ] = False,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The file to write; standard output.")
    ] = None,
    wait: Wait = 120,
    org: MaybeOrg = None,
    store: Store = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the counts as one JSON object.")
    ] = False,
) -> int:
    """Hand out what a sender sends on a day, one message a line, in the order of sending.

    Messages planned for exactly this day, but for contacts who are suppressed, gone or no longer
    active: these are counted on standard error. Nothing is changed: see almanac mark.
    """
    from almanac.commands import sending as command

    return command.due(database, org, store, on, format_, columns, claimed, out, wait, as_json)


@app.command(
    short_help="Take back what became of messages.",
    epilog="Example: almanac mark agency.sqlite3 sent.jsonl",
)
def mark(
    names: Annotated[
        list[Path],
        typer.Argument(
            metavar="[DATABASE] FILE",
            help="The database, unless --org is given, and CSV or JSON lines; - is standard input.",
            show_default=False,
        ),
    ],
    no_suppress: Annotated[
        bool, typer.Option("--no-suppress", help="Suppress nobody for bounces and complaints.")
    ] = False,
    rejects: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Where refused lines go; FILE.rejects.csv beside the file."
        ),
    ] = None,
    wait: Wait = 120,
    org: MaybeOrg = None,
    store: Store = None,
    as_json: AsJson = False,
) -> int:
    """Take back what became of messages: claimed (processing), sent, delivered, failed, bounced.

    A line has the row's id and its status, and may have at, message_id, detail, and contact_id and
    scheduled_send_date to be compared with the row. What cannot be true is refused, by line, with
    why; all else is written in one step. The same again changes nothing. Who bounced or complained
    is suppressed.
    """
    from almanac.commands import sending as command

    return command.mark(names, org, store, no_suppress, rejects, wait, as_json)
