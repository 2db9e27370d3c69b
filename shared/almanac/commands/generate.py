"""`almanac generate`."""

from __future__ import annotations

import datetime as dt
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from almanac.commands.dates import read_date
from almanac.commands.exit_codes import OK
from almanac.commands.groups import new_app
from almanac.commands.progress import progress_bars
from almanac.generation import generate as generate_agency
from almanac.report.text import console_for, paragraph, table

app = new_app()


@app.command(epilog="Example: almanac generate agency.sqlite3 --contacts 1000 --seed 1")
def generate(
    database: Annotated[
        Path, typer.Argument(metavar="DATABASE", help="The new file.", show_default=False)
    ],
    contacts: Annotated[int, typer.Option(metavar="N", help="The number of contacts.")],
    seed: Annotated[
        int, typer.Option(metavar="S", help="A different number gives a different agency.")
    ] = 1,
    as_of: Annotated[
        str | None,
        typer.Option(metavar="DATE", help="The day on which the agency looks like this; today."),
    ] = None,
) -> int:
    """Generate a realistic agency to try things on; the same arguments give the same agency."""
    today = dt.datetime.now(dt.UTC).date()
    day = read_date(as_of, "--as-of", lambda: today) if as_of else today
    with progress_bars() as progress:
        made = generate_agency(database, contacts, seed, day, progress)
    console = console_for(sys.stdout)
    paragraph(console, f"Made {database}, as it would be on {day}:", indent=0)
    table(console, ("", ">"), [(name, count) for name, count in asdict(made).items()])
    return OK
