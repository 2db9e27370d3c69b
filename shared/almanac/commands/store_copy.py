"""`almanac store copy`."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

import typer

from almanac.commands.exit_codes import FAILURE, OK, failed
from almanac.commands.options import AsJson, Store
from almanac.commands.output import print_json
from almanac.errors import AlmanacError
from almanac.names import check_org_id
from almanac.organizations.organizations import organizations
from almanac.organizations.replica import copy_each
from almanac.report.text import shown
from almanac.settings import load_settings
from almanac.storage.opening import open_store


def add_to(app: typer.Typer) -> None:
    """Add the command to the group `store`."""
    app.command(
        "copy",
        short_help="Copy organizations into another store.",
        epilog="Example: almanac store copy gs://agency-copy-almanac-data",
    )(_copy)


def _copy(
    to: Annotated[str, typer.Argument(metavar="STORE", show_default=False, help="Where to.")],
    org: Annotated[str | None, typer.Option(metavar="ORG", help="Only this organization.")] = None,
    replace: Annotated[
        bool,
        typer.Option(
            "--replace", help="Also organizations that have been worked in since, there; undoes it."
        ),
    ] = False,
    store: Store = None,
    as_json: AsJson = False,
) -> int:
    """Copy what organizations have into another store: what is new, and then the current version.

    What the first store has deleted is deleted there as well, but for organizations that have no
    current version in it. From bucket to bucket Cloud Storage does the copying.
    """
    source, target = open_store(store or load_settings().required_store()), open_store(to)
    everyone = [check_org_id(org)] if org else organizations(source)
    code = OK
    for each, done in copy_each(source, target, everyone, _now, replace=replace):
        if isinstance(done, AlmanacError):
            code = failed(str(done), FAILURE)
        elif as_json:
            print_json(**done.model_dump())
        else:
            state = f"version {done.version}" if done.version else "no version, left alone"
            print(
                shown(
                    f"Organization {each}: {state}; {done.copied} copied, {done.deleted} deleted."
                )
            )
    return code


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
