"""`almanac diff`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from almanac.commands.exit_codes import DIFFERENT, OK
from almanac.commands.groups import new_app
from almanac.commands.options import AsJson, ExitCode
from almanac.commands.output import print_result
from almanac.commands.progress import progress_bars
from almanac.statistics.diff import compare
from almanac.statistics.difference_text import print_difference

app = new_app()


@app.command(epilog="Example: almanac diff yesterday.sqlite3 today.sqlite3")
def diff(
    old: Annotated[Path, typer.Argument(metavar="OLD", help="The earlier database.")],
    new: Annotated[Path, typer.Argument(metavar="NEW", help="The later database.")],
    exit_code: ExitCode = False,
    as_json: AsJson = False,
) -> int:
    """Compare the planned messages of two databases, by type and by day."""
    with progress_bars() as progress:
        found = compare(old, new, progress)
    print_result(found, as_json, print_difference)
    return DIFFERENT if exit_code and any(found.changes.values()) else OK
