"""`almanac report`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from almanac.commands.config_arguments import given_config
from almanac.commands.exit_codes import OK
from almanac.commands.groups import new_app
from almanac.commands.options import ConfigFile, Database, Defaults
from almanac.commands.progress import progress_bars
from almanac.errors import InputError
from almanac.report.page import check_target, tables_folder, write_page
from almanac.report.table_files import check_files, write_files
from almanac.report.text import console_for, paragraph
from almanac.results.page import with_results
from almanac.statistics.file_report import overview

app = new_app()


@app.command(epilog="Example: almanac report agency.sqlite3 --out report.html")
def report(
    database: Database,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The HTML file to write.")
    ] = None,
    xlsx: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A workbook (.xlsx) of the page's tables to write."),
    ] = None,
    ics: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="A calendar (.ics) to write: days of campaigns, full days, closed days.",
        ),
    ] = None,
    config: ConfigFile = None,
    defaults: Defaults = False,
    since: Annotated[
        Path | None,
        typer.Option(
            metavar="OLD", help="An earlier copy of the database: the page shows what changed."
        ),
    ] = None,
) -> int:
    """Write the report page of the plan in the file: one self-contained HTML file.

    Or its tables as a workbook, or its days as a calendar; at least one of the three.

    It shows the rows dated on the day of the last run or later. What that run changed is on its
    own page (almanac run --report); --since OLD compares any two files.
    """
    if out is None and xlsx is None and ics is None:
        raise InputError("expected --out FILE, --xlsx FILE or --ics FILE")
    if out is not None:
        check_target(out)
    check_files(xlsx, ics)
    given = given_config(config, defaults)
    with progress_bars() as progress:
        page = overview(
            database,
            given.config if given else None,
            since,
            progress,
            campaign_days=ics is not None,
        )
        page = with_results(page, database, given.config if given else None, progress)
    console = console_for(sys.stdout)
    if out is not None:
        write_page(out, page)
        paragraph(console, f"The report page: {out.absolute()}", indent=0)
        paragraph(console, f"Its tables as CSV files: {tables_folder(out).absolute()}", indent=0)
    write_files(page, xlsx, ics)
    if xlsx is not None:
        paragraph(console, f"The tables as a workbook: {xlsx.absolute()}", indent=0)
    if ics is not None:
        paragraph(console, f"The calendar: {ics.absolute()}", indent=0)
    return OK
