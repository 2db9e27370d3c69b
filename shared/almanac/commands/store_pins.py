"""`almanac store pin` and `unpin`."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

import typer

from almanac.commands.exit_codes import OK
from almanac.commands.options import AsJson, Org, Store
from almanac.commands.output import print_json
from almanac.errors import RequestError
from almanac.names import check_org_id
from almanac.report.text import shown
from almanac.settings import load_settings
from almanac.storage import pins
from almanac.storage.history import list_versions
from almanac.storage.opening import open_store
from almanac.storage.store import ObjectStore

Version = Annotated[
    int, typer.Argument(min=1, metavar="VERSION", help="Its number.", show_default=False)
]


def add_to(app: typer.Typer) -> None:
    """Add the commands to the group `store`."""
    app.command(
        "pin",
        short_help="Keep a version at any age.",
        epilog='Example: almanac store pin 206 1 --note "before the new caps"',
    )(_pin)
    app.command(
        "unpin",
        short_help="Keep a version no longer than others.",
        epilog="Example: almanac store unpin 206 1",
    )(_unpin)


def _pin(
    org: Org,
    version: Version,
    note: Annotated[str, typer.Option(metavar="TEXT", help="Why it is kept.")] = "by hand",
    store: Store = None,
    as_json: AsJson = False,
) -> int:
    """Keep a version at any age, until it is unpinned; `store versions` shows the note."""
    objects = open_store(store or load_settings().required_store())
    pins.pin(objects, _folder(objects, org, version), note, dt.datetime.now(dt.UTC))
    if as_json:
        print_json(org_id=org, version=version, pinned=True, note=note)
    else:
        print(shown(f"Organization {org}: version {version} is pinned: {note}."))
    return OK


def _unpin(org: Org, version: Version, store: Store = None, as_json: AsJson = False) -> int:
    """Keep a version no longer than others: a run deletes it once it is too old."""
    objects = open_store(store or load_settings().required_store())
    pins.unpin(objects, _folder(objects, org, version))
    if as_json:
        print_json(org_id=org, version=version, pinned=False)
    else:
        print(shown(f"Organization {org}: version {version} is not pinned."))
    return OK


def _folder(store: ObjectStore, org: str, number: int) -> str:
    """Return the folder of a kept version; RequestError if there is none of that number."""
    check_org_id(org)
    kept = {each.version: each.folder for each in list_versions(store, org)}
    if number not in kept:
        there = ", ".join(map(str, sorted(kept))) or "none"
        raise RequestError(f"organization {org}: has no version {number}; it has {there}")
    return kept[number]
