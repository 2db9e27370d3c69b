"""`almanac serve`."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from almanac.commands.agency_arguments import agency_of
from almanac.commands.exit_codes import OK
from almanac.commands.groups import new_app
from almanac.commands.options import MaybeDatabase, MaybeOrg, Store
from almanac.logs import configure
from almanac.serve.guard import guard_of, is_loopback
from almanac.serve.server import serve as answer
from almanac.serve.site import Site

app = new_app()

PORT = 8421


@app.command(epilog="Example: almanac serve agency.sqlite3")
def serve(
    database: MaybeDatabase = None,
    org: MaybeOrg = None,
    store: Store = None,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="The port; 0 is any that is free.")
    ] = PORT,
    host: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Listen on this address instead of 127.0.0.1; then every reader needs the token.",
        ),
    ] = None,
    token: Annotated[
        str | None,
        typer.Option(metavar="TOKEN", help="The token; a random one with --host."),
    ] = None,
) -> int:
    """Show the plan in the browser: report, contacts, days, campaigns and what-if. Read only.

    Only programs on this machine can open the pages, unless --host is given. What a run of another
    process changes is on the next page that is opened. Ctrl-C ends it.
    """
    agency = agency_of(database, org, store)
    guard = guard_of(host, token)
    configure("ERROR")

    def listening(address: str) -> None:
        print(f"{agency.name}: {address}")
        if not is_loopback(guard.host):
            print("Anyone with this address can read every contact, and nothing is encrypted.")
        print("Ctrl-C ends it.")
        sys.stdout.flush()

    site = Site(agency)
    try:
        answer(site, guard, port, listening)
    finally:
        if site.jobs.busy:
            print("Ending what is being computed.", file=sys.stderr)
        site.jobs.stop()
    return OK
