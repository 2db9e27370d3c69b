"""`almanac diff`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from almanac.commands.change_documents import (
    check_change_output,
    counts_json,
    print_counts,
    write_changes,
)
from almanac.commands.exit_codes import DIFFERENT, OK
from almanac.commands.groups import new_app
from almanac.commands.options import AsJson, ChangesFormat, ExitCode
from almanac.commands.output import print_json, print_result
from almanac.commands.progress import progress_bars
from almanac.database.change_sets.compare import change_set_between
from almanac.database.change_sets.rows import row_counts, tally
from almanac.report.text import console_for
from almanac.statistics.diff import compare
from almanac.statistics.difference_text import print_difference

app = new_app()


@app.command(
    epilog="Example: almanac diff yesterday.sqlite3 today.sqlite3\n\n"
    "Example: almanac diff yesterday.sqlite3 today.sqlite3 --format sql --out today.sql"
)
def diff(
    old: Annotated[Path, typer.Argument(metavar="OLD", help="The earlier database.")],
    new: Annotated[Path, typer.Argument(metavar="NEW", help="The later database.")],
    format_: ChangesFormat = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The file for --format; needed for changeset."),
    ] = None,
    exit_code: ExitCode = False,
    as_json: AsJson = False,
) -> int:
    """Compare the planned messages of two databases, by type and by day.

    With --format it writes instead what makes NEW of OLD, row by row in all tables: as a change set
    for almanac apply, as SQL or as JSON. Both need the same tables and columns.
    """
    if chosen := check_change_output(format_, out, as_json):
        return _write(old, new, chosen, out, exit_code, as_json)
    with progress_bars() as progress:
        found = compare(old, new, progress)
    print_result(found, as_json, print_difference)
    return DIFFERENT if exit_code and any(found.changes.values()) else OK


def _write(
    old: Path, new: Path, format_: str, out: Path | None, exit_code: bool, as_json: bool
) -> int:
    changes, tables = change_set_between(old, new)
    write_changes(out, format_, changes, tables, {"old": str(old), "new": str(new)})
    counts = row_counts(tally(changes))
    if out is not None and as_json:
        print_json(old=str(old), new=str(new), out=str(out), tables=counts_json(counts))
    elif out is not None:
        print_counts(console_for(sys.stdout), counts)
    return DIFFERENT if exit_code and counts else OK
