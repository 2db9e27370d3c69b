"""Options of imports, and how each ends: with an error if rows were refused and none taken."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from almanac.commands.exit_codes import FAILURE, OK, failed
from almanac.csv_input.source import STDIN
from almanac.plurals import plural

Strict = Annotated[
    bool,
    typer.Option("--strict", help="Exit with 1 if any row is refused, and not only if all are."),
]
AllOrNothing = Annotated[
    bool,
    typer.Option("--strict", help="Import nothing, and exit with 1, if any row is refused."),
]
Metadata = Annotated[
    list[str] | None,
    typer.Option(metavar="COLUMN", help="A further column, which the targets carry; repeatable."),
]


def import_code(file: Path, taken: int, refused: int, strict: bool, report: Path) -> int:
    """Return the exit code of an import; print why if it is a failure.

    taken: rows that hold now, whether or not they did before. report: where the refused rows are.
    """
    if not refused or (taken and not strict):
        return OK
    name = "standard input" if file == STDIN else file
    if taken:
        what = f"{refused:,} of {plural(taken + refused, 'row')} refused (--strict)"
    else:
        what = "its only row is refused" if refused == 1 else f"all {refused:,} rows are refused"
    return failed(f"{name}: {what}; see {report}", FAILURE)
