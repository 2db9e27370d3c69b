"""`almanac history`."""

from __future__ import annotations

from typing import Annotated

import typer

from almanac.commands.agency_arguments import agency_of
from almanac.commands.exit_codes import OK
from almanac.commands.groups import new_app
from almanac.commands.options import AsJson, MaybeDatabase, MaybeOrg, Store
from almanac.commands.output import print_result
from almanac.commands.progress import progress_bars
from almanac.errors import InputError
from almanac.history.in_file import history_in_file
from almanac.history.in_store import history_in_store
from almanac.history.text import print_history
from almanac.organizations.agency_database import FileDatabase, StoreDatabase

app = new_app()


@app.command(epilog="Example: almanac history --org 206 --contact 42")
def history(
    contact: Annotated[
        int, typer.Option(metavar="ID", help="The contact's id.", show_default=False)
    ],
    database: MaybeDatabase = None,
    from_: Annotated[
        int | None,
        typer.Option(
            "--from", min=1, metavar="N", help="With --org: since version N; all that are kept."
        ),
    ] = None,
    org: MaybeOrg = None,
    store: Store = None,
    as_json: AsJson = False,
) -> int:
    """Show what became of a contact's messages: added, moved, sent or removed, when, by which run.

    In a store from the change sets of the kept versions; no database is fetched. A file knows what
    the last Almanac commands did to it, as far as undo goes back.
    """
    agency = agency_of(database, org, store)
    with progress_bars() as progress:
        if isinstance(agency, StoreDatabase):
            found = history_in_store(agency.store, agency.org, contact, from_, progress)
        else:
            assert isinstance(agency, FileDatabase)
            if from_ is not None:
                raise InputError("--from: a version of a store; it goes with --org")
            found = history_in_file(agency.path, contact)
    print_result(found, as_json, print_history)
    return OK
