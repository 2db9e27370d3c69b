"""`almanac results`."""

from __future__ import annotations

import datetime as dt
import sys
from typing import Annotated

import typer

from almanac.commands.agency_arguments import agency_of
from almanac.commands.dates import read_date, today_in
from almanac.commands.exit_codes import OK
from almanac.commands.groups import new_app
from almanac.commands.options import AsJson, MaybeDatabase, MaybeOrg, Store
from almanac.commands.output import print_rows
from almanac.commands.progress import progress_bars
from almanac.errors import InputError
from almanac.report.results_tables import BY, whole_columns, whole_rows
from almanac.report.row_file import Output
from almanac.report.text import console_for
from almanac.results.results import DAYS, LONGEST, WITHIN, ResultsRequest, results_of
from almanac.results.text import print_results

app = new_app()

FORMATS = ("text", "csv", "json")


@app.command(epilog="Example: almanac results agency.sqlite3 --by instance")
def results(
    database: MaybeDatabase = None,
    by: Annotated[
        str | None, typer.Option(metavar="|".join(BY), help="One table only, of this.")
    ] = None,
    from_: Annotated[
        str | None,
        typer.Option(
            "--from", metavar="DATE", help=f"The first day of sending; {DAYS} days up to --to."
        ),
    ] = None,
    to: Annotated[
        str | None, typer.Option(metavar="DATE", help="The last day of sending; today.")
    ] = None,
    within: Annotated[
        int,
        typer.Option(
            min=0,
            max=LONGEST,
            metavar="DAYS",
            help="How long after a message a click, an answer or an unsubscription counts for it.",
        ),
    ] = WITHIN,
    format_: Annotated[
        str, typer.Option("--format", metavar="|".join(FORMATS), help="Text, CSV or JSON.")
    ] = "text",
    as_json: AsJson = False,
    org: MaybeOrg = None,
    store: Store = None,
) -> int:
    """Show what came of messages: sent, bounced, clicked, answered, unsubscribed.

    By email type, campaign, template, state, follow-up, day, and by the arms of split groups, with
    rates and their intervals of 95%. The database is only read.
    """
    if by is not None and by not in BY:
        raise InputError(f"--by: expected one of {', '.join(BY)}, found {by!r}")
    if format_ not in FORMATS:
        raise InputError(f"--format: expected one of {', '.join(FORMATS)}, found {format_!r}")
    if as_json and format_ == "csv":
        raise InputError("--json or --format csv: expected one of them, found both")
    agency = agency_of(database, org, store)
    config = agency.config()
    request = _request(from_, to, within, today_in(config.zone))
    with progress_bars() as progress:
        found = results_of(agency, config, request, progress)
    if format_ == "csv":
        chosen = by or BY[0]
        print_rows(Output("csv", None), "csv", whole_columns(chosen), whole_rows(found, chosen), {})
    elif format_ == "json" or as_json:
        print(found.model_dump_json())
    else:
        print_results(console_for(sys.stdout), found, by)
    return OK


def _request(from_: str | None, to: str | None, within: int, today: dt.date) -> ResultsRequest:
    last = read_date(to, "--to", lambda: today) if to else today
    first = read_date(from_, "--from", lambda: today) if from_ else last - dt.timedelta(DAYS - 1)
    return ResultsRequest(first, last, within)
