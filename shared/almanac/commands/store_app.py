"""The command line of `almanac store`. Like all commands, these import late what they need."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from almanac.commands.options import AsJson, Store

app = typer.Typer(
    name="store",
    short_help="Look after the databases of a store.",
    help="Look after the organizations of a store: their databases, version by version.",
    epilog="The store is that of --store, else of the variable ALMANAC_STORE: gs://bucket[/prefix] "
    "or a folder. Start with: almanac store init 206, then almanac store push 206 agency.sqlite3.",
    rich_markup_mode=None,
    no_args_is_help=True,
)

Org = Annotated[
    str, typer.Argument(metavar="ORG", help="The organization's id.", show_default=False)
]


@app.command(
    short_help="Prepare an organization.",
    epilog="Example: almanac store init 206 --config 206.yaml",
)
def init(
    org: Org,
    config: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Its configuration, in YAML, in place of what it has."),
    ] = None,
    store: Store = None,
    as_json: AsJson = False,
) -> int:
    """Prepare an organization: check its id and configuration, and put that into the store.

    Without --config it gets the defaults, unless it has a configuration already.
    """
    from almanac.commands import store as command

    return command.init(store, org, config, as_json)


@app.command(
    short_help="Publish a database as the next version.",
    epilog="Example: almanac store push 206 agency.sqlite3 --expect 2",
)
def push(
    org: Org,
    database: Annotated[
        Path, typer.Argument(metavar="DATABASE", help="The SQLite file.", show_default=False)
    ],
    expect: Annotated[
        int | None,
        typer.Option(
            min=0, metavar="N", help="Only if version N is in force; 0: only if there is none."
        ),
    ] = None,
    store: Store = None,
    as_json: AsJson = False,
) -> int:
    """Publish a consistent copy of a database as the organization's next version.

    Other programs may use the file meanwhile. If another version gets in force before the copy is
    there, nothing is overwritten and the command fails.
    """
    from almanac.commands import store as command

    return command.push(store, org, database, expect, as_json)


@app.command(
    short_help="Fetch the database of a version.",
    epilog="Example: almanac store pull 206 --out agency.sqlite3",
)
def pull(
    org: Org,
    out: Annotated[Path, typer.Option(metavar="FILE", help="The file to write.")],
    version: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Another version than that in force.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file.")] = False,
    store: Store = None,
    as_json: AsJson = False,
) -> int:
    """Fetch the database of the version in force, or of another one, into a file.

    The file appears whole and verified, or not at all.
    """
    from almanac.commands import store as command

    return command.pull(store, org, out, version, force, as_json)


@app.command(
    short_help="List an organization's versions.", epilog="Example: almanac store versions 206"
)
def versions(org: Org, store: Store = None, as_json: AsJson = False) -> int:
    """List the versions that are kept, and why; a star marks the one in force."""
    from almanac.commands import store as command

    return command.versions(store, org, as_json)


@app.command(
    short_help="Put a kept version in force again.", epilog="Example: almanac store rollback 206 1"
)
def rollback(
    org: Org,
    version: Annotated[
        int, typer.Argument(min=1, metavar="VERSION", help="Its number.", show_default=False)
    ],
    store: Store = None,
    as_json: AsJson = False,
) -> int:
    """Put a kept version in force again; no version is lost. Fails while a run is in flight."""
    from almanac.commands import store as command

    return command.rollback(store, org, version, as_json)


@app.command(
    short_help="Tell how the organizations are doing.", epilog="Example: almanac store status 206"
)
def status(
    org: Annotated[
        str | None,
        typer.Argument(metavar="[ORG]", help="Only this organization.", show_default=False),
    ] = None,
    store: Store = None,
    as_json: AsJson = False,
) -> int:
    """Tell how all organizations are doing, or one: version, runs, backlog, errors, data.

    Exits with 1 if one has a problem, such as no successful run within 26 hours.
    """
    from almanac.commands import store as command

    return command.status(store, org, as_json)
