"""`almanac generate`."""

from __future__ import annotations

import datetime as dt
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from almanac.commands.dates import read_date
from almanac.commands.exit_codes import OK
from almanac.commands.groups import new_app
from almanac.commands.progress import progress_bars
from almanac.errors import InputError
from almanac.generation import check_new
from almanac.generation import generate as generate_agency
from almanac.outputs import check_out, write_text
from almanac.report.text import console_for, paragraph, table

if TYPE_CHECKING:
    from almanac.generation.shape import Shape

app = new_app()


@app.command(epilog="Example: almanac generate agency.sqlite3 --contacts 1000 --seed 1")
def generate(
    database: Annotated[
        Path, typer.Argument(metavar="DATABASE", help="The new file.", show_default=False)
    ],
    contacts: Annotated[
        int | None,
        typer.Option(metavar="N", help="The number of contacts; with --like, as many as there."),
    ] = None,
    seed: Annotated[
        int, typer.Option(metavar="S", help="A different number gives a different agency.")
    ] = 1,
    as_of: Annotated[
        str | None,
        typer.Option(metavar="DATE", help="The day on which the agency looks like this; today."),
    ] = None,
    like: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="With the shape of the agency in this database, which is only read, or of the "
            ".json file that --shape-out wrote: distributions, and no value of a person.",
        ),
    ] = None,
    shape_out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the shape that --like has found, as JSON."),
    ] = None,
) -> int:
    """Generate a realistic agency to try things on; the same arguments give the same agency."""
    if contacts is None and like is None:
        raise InputError("--contacts: expected the number of contacts, or --like FILE")
    if shape_out is not None:
        if like is None:
            raise InputError("--shape-out: expected with --like FILE, whose shape it writes")
        check_out(shape_out, "--shape-out")
        if shape_out.absolute() == database.absolute():
            raise InputError(f"--shape-out: {shape_out}: is DATABASE; expected another name")
    check_new(database)  # before a large file is read
    today = dt.datetime.now(dt.UTC).date()
    day = read_date(as_of, "--as-of", lambda: today) if as_of else today
    shape = _shape(like, day) if like else None
    if contacts is None:
        contacts = _contacts(shape, like)
    with progress_bars() as progress:
        made = generate_agency(database, contacts, seed, day, progress, shape)
    console = console_for(sys.stdout)
    paragraph(console, f"Made {database}, as it would be on {day}:", indent=0)
    table(console, ("", ">"), [(name, count) for name, count in asdict(made).items()])
    if shape is not None:
        own = sorted(set(type(shape).model_fields) - shape.measured - {"format", "contacts"})
        names = ", ".join(name.replace("_", " ") for name in own)
        paragraph(console, f"Like {like}, but for: {names or 'nothing'}.", indent=0)
    if shape is not None and shape_out is not None:
        from almanac.generation.shape import shape_text

        text = shape_text(shape)
        write_text(shape_out, "--shape-out", lambda file: file.write(text))
    return OK


def _shape(like: Path, day: dt.date) -> Shape:
    """Return the shape in a file: of the agency, or one that was written before."""
    if like.suffix == ".json":
        from almanac.generation.shape import read_shape

        return read_shape(like)
    from almanac.statistics.agency_shape import agency_shape

    return agency_shape(like, day)


def _contacts(shape: Shape | None, like: Path | None) -> int:
    """Return the number of contacts of a shape; raise InputError if it is not known."""
    if shape is None or shape.contacts is None:
        raise InputError(f"--contacts: {like} has too few contacts for a shape; expected a number")
    return shape.contacts
