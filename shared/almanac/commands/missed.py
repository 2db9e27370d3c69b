"""`almanac missed`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from almanac.commands.agency_arguments import agency_of, today_of
from almanac.commands.arguments import read_assignments, read_config, read_datetime
from almanac.commands.dates import read_date
from almanac.commands.exit_codes import OK
from almanac.commands.groups import new_app
from almanac.commands.options import (
    AsCsv,
    AsJson,
    AsOf,
    MaybeDatabase,
    MaybeOrg,
    Now,
    RowsOut,
    Store,
)
from almanac.commands.output import print_rows
from almanac.commands.progress import progress_bars
from almanac.config import Config
from almanac.errors import InputError
from almanac.explain.lookup import Question
from almanac.missed.asked import AskedFor
from almanac.missed.missed import MissedMessage, missed_of
from almanac.missed.text import print_missed, print_missed_what_if
from almanac.missed.what_if import ChangedMessage, missed_what_if
from almanac.organizations.agency_database import AgencyDatabase
from almanac.organizations.config_changes import config_place
from almanac.report.row_file import Output, output_of
from almanac.report.text import console_for

app = new_app()


@app.command(
    epilog="Example: almanac missed agency.sqlite3 --type birthday --out missed.csv",
)
def missed(
    database: MaybeDatabase = None,
    campaign: Annotated[
        str | None, typer.Option(metavar="INSTANCE", help="A campaign, by id or name.")
    ] = None,
    email_type: Annotated[
        str | None,
        typer.Option("--type", metavar="TYPE", help="Instead, a type: birthday, campaign_promo."),
    ] = None,
    other: Annotated[
        list[str] | None,
        typer.Option(
            "--if",
            metavar="KEY=VALUE",
            help="What another setting would change, as almanac config set takes it; repeatable.",
        ),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            "--config", metavar="FILE", help="What this configuration, in YAML, would change."
        ),
    ] = None,
    as_of: AsOf = None,
    now: Now = None,
    as_csv: AsCsv = False,
    as_json: AsJson = False,
    out: RowsOut = None,
    org: MaybeOrg = None,
    store: Store = None,
) -> int:
    """Show who gets no message of a campaign or a type, by reason; with --if, what would help.

    With --csv, --json or --out, a row for each missed message, with the sentence of almanac
    explain. With --if or --config both configurations are planned, on a copy, and the rows are the
    messages that differ. The database is only read. The default day is that of the last run.
    """
    if (campaign is None) == (email_type is None):
        found = "none" if campaign is None else "both"
        raise InputError(f"--campaign INSTANCE or --type TYPE: expected one of them, found {found}")
    if other and config is not None:
        raise InputError("--if or --config: expected one of them, found both")
    output = output_of(out, as_csv, as_json)
    agency, asked = agency_of(database, org, store), AskedFor(campaign, email_type)
    question = Question(
        as_of=read_date(as_of, "--as-of", today_of(agency)) if as_of else None,
        now=read_datetime(now) if now else None,
    )
    if other or config is not None:
        new = read_config(config) if config is not None else _with(agency, other or [])
        _compare(agency, new, asked, question, output)
    else:
        _show(agency, asked, question, output)
    return OK


def _show(agency: AgencyDatabase, asked: AskedFor, question: Question, output: Output) -> None:
    """Print the missed messages, or their counts."""
    with progress_bars() as progress, missed_of(agency, asked, question) as found:
        if output.format_ is None:
            found.count(progress)
        else:
            head = {"database": agency.name, "asked": found.asked.words, "as_of": found.as_of}
            rows = found.rows(progress)
            print_rows(output, output.format_, MissedMessage._fields, rows, head)
    if output.format_ is None or output.file is not None:
        print_missed(console_for(sys.stdout), found)


def _compare(
    agency: AgencyDatabase, new: Config, asked: AskedFor, question: Question, output: Output
) -> None:
    """Print what the other configuration would change; as JSON without a file, the numbers too."""
    with (
        progress_bars() as progress,
        missed_what_if(agency, new, asked, question, progress) as found,
    ):
        if output.format_ is None:
            found.count(progress)
        else:
            head = {"database": agency.name, "asked": found.found.asked}
            rows = found.rows(progress)
            print_rows(output, output.format_, ChangedMessage._fields, rows, head)
    if output.format_ is None or output.file is not None:
        print_missed_what_if(console_for(sys.stdout), found.found)


def _with(agency: AgencyDatabase, words: list[str]) -> Config:
    """Return the configuration of the database with other values."""
    place = config_place(agency)
    return place.parsed(place.with_values(place.text(), read_assignments(words, "--if")))
