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
from almanac.report.page import check_target, tables_folder, write_page
from almanac.report.text import console_for, paragraph
from almanac.statistics.file_report import overview

app = new_app()


@app.command(epilog="Example: almanac report agency.sqlite3 --out report.html")
def report(
    database: Database,
    out: Annotated[Path, typer.Option(metavar="FILE", help="The HTML file to write.")],
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

    It shows the rows dated on the day of the last run or later. What that run changed is on its
    own page (almanac run --report); --since OLD compares any two files.
    """
    check_target(out)
    given = given_config(config, defaults)
    with progress_bars() as progress:
        page = overview(database, given.config if given else None, since, progress)
    write_page(out, page)
    console = console_for(sys.stdout)
    paragraph(console, f"The report page: {out.absolute()}", indent=0)
    paragraph(console, f"Its tables as CSV files: {tables_folder(out).absolute()}", indent=0)
    return OK
