"""`almanac store changes`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from almanac.commands.change_documents import (
    FORMATS,
    check_change_output,
    counts_json,
    print_counts,
    write_changes,
)
from almanac.commands.exit_codes import OK
from almanac.commands.options import AsJson, ChangesFormat, Org, Store
from almanac.commands.output import print_json
from almanac.commands.progress import progress_bars
from almanac.database.change_sets.rows import row_counts, tally
from almanac.names import check_org_id
from almanac.organizations.version_changes import combined_changes, steps_between, tables_of
from almanac.report.text import console_for, paragraph
from almanac.settings import load_settings
from almanac.storage.opening import open_store


def add_to(app: typer.Typer) -> None:
    """Add the command to `almanac store`."""
    app.command(
        short_help="Write what changed from one version to another.",
        epilog="Example: almanac store changes 206 --from 1 --compare --out 206.changeset",
    )(changes)


def changes(
    org: Org,
    from_: Annotated[
        int,
        typer.Option("--from", min=1, metavar="N", help="The version that the other copy has."),
    ],
    to: Annotated[
        int | None, typer.Option(min=1, metavar="M", help="A later version; the current one.")
    ] = None,
    format_: ChangesFormat = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The file to write; needed for changeset.")
    ] = None,
    compare: Annotated[
        bool,
        typer.Option(
            "--compare", help="Where a version has no change set, fetch both databases and compare."
        ),
    ] = False,
    store: Store = None,
    as_json: AsJson = False,
) -> int:
    """Write what changed from version N to M, as one change set, and count its rows by table.

    almanac apply applies it to a copy of version N elsewhere, which then has the rows of version M.
    No database is fetched. A version that added tables or columns, or is a pushed file, has no
    change set, and the command says so. Without --format and --out it only counts.
    """
    check_org_id(org)
    chosen = check_change_output(format_, out, as_json)
    objects = open_store(store or load_settings().required_store())
    steps = steps_between(objects, org, from_, to)
    with progress_bars() as progress:
        data = combined_changes(objects, org, steps, compare=compare, progress=progress)
        last = steps[-1].version
        tables = tables_of(objects, org, last) if chosen in FORMATS[1:] else {}
    head = {"org_id": org, "from": from_, "to": last.version}
    if chosen:
        write_changes(out, chosen, data, tables, head)
        if out is None:
            return OK
    counts = row_counts(tally(data))
    if as_json:
        print_json(**head, out=str(out) if out else None, tables=counts_json(counts))
        return OK
    console, where = console_for(sys.stdout), f": {out}" if out else ""
    paragraph(
        console, f"Organization {org}: from version {from_} to {last.version}{where}", indent=0
    )
    print_counts(console, counts)
    return OK
