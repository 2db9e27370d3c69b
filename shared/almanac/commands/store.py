"""`almanac store`."""

from __future__ import annotations

import datetime as dt
import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer
from pydantic import TypeAdapter

from almanac.commands import store_changes, store_copy, store_pins
from almanac.commands.arguments import read_config
from almanac.commands.exit_codes import FAILURE, OK, warned
from almanac.commands.groups import new_app
from almanac.commands.options import AsJson, Org, Store
from almanac.commands.output import print_json, print_result
from almanac.commands.progress import progress_bars
from almanac.errors import AlmanacError, RequestError
from almanac.names import check_org_id
from almanac.organizations import organizations, transfer
from almanac.report.text import console_for, shown, table
from almanac.runs.rollback import VersionRow, go_back
from almanac.runs.rollback import versions as kept_versions
from almanac.settings import load_settings
from almanac.status.installation import store_status
from almanac.status.organization import organization_status
from almanac.status.text import print_organization, print_store
from almanac.storage import layout
from almanac.storage.opening import open_store
from almanac.storage.store import ObjectStore
from almanac.storage.versions import Current, current

app = new_app(
    name="store",
    help="Manage the organizations of a store: their databases, version by version.",
    epilog="The store is that of --store, else of the variable ALMANAC_STORE: gs://bucket[/prefix] "
    "or a folder. Start with: almanac store init 206, then almanac store push 206 agency.sqlite3.",
    no_args_is_help=True,
)

_VERSIONS = TypeAdapter(list[VersionRow])


@app.command(
    short_help="Prepare an organization.",
    epilog="Example: almanac store init 206 --config 206.yaml",
)
def init(
    org: Org,
    config: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Its configuration, in YAML; replaces the one that it has."
        ),
    ] = None,
    store: Store = None,
    as_json: AsJson = False,
) -> int:
    """Prepare an organization: check its id and configuration, and write that to the store.

    Without --config it gets the defaults, unless it has a configuration already.
    """
    check_org_id(org)
    if config is not None:
        read_config(config)
    objects = _open(store)
    has_database = current(objects, org) is not None
    written = organizations.initialize(objects, org, config.read_bytes() if config else None)
    if as_json:
        print_json(org_id=org, config=layout.config(org), written=written)
        return OK
    verb = "is written" if written else "stays as it is"
    _say(f"Organization {org}: {layout.config(org)} {verb}.")
    if not has_database:
        at = f" --store {shlex.quote(store)}" if store else ""
        _say(f"Next, publish its database: almanac store push {org} DATABASE{at}")
    return OK


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
            min=0, metavar="N", help="Only if version N is current; 0: only if there is none."
        ),
    ] = None,
    store: Store = None,
    as_json: AsJson = False,
) -> int:
    """Publish a consistent copy of a database as the organization's next version.

    Other programs may use the file meanwhile. If another version is published first, nothing is
    overwritten and the command fails. A file that is the current version is not published again.
    An organization without a configuration gets the one that the file has recorded.
    """
    now, objects = _now(), _open(store)
    without = objects.stat(layout.config(check_org_id(org))) is None
    with progress_bars() as progress:
        done = transfer.push(objects, org, database, expect=expect, now=now, progress=progress)
    published = done.committed_at == now
    if without and not as_json and _has_config(objects, org):
        _say(f"Organization {org}: its configuration is the one that {database} has recorded.")
    if as_json:
        found = done.model_dump(mode="json", exclude={"left", "highest"})
        latest = done.replaced_by or done
        print_json(**found, published=published, current=latest.version)
    elif not published:
        _say(f"Organization {org}: unchanged: {database} is version {done.version}, the current.")
    else:
        later = _replaced(done.replaced_by)
        _say(f"Organization {org}: {database} is version {done.version}, now current.{later}")
    return OK


@app.command(
    short_help="Fetch the database of a version.",
    epilog="Example: almanac store pull 206 --out agency.sqlite3",
)
def pull(
    org: Org,
    out: Annotated[Path, typer.Option(metavar="FILE", help="The file to write.")],
    version: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Another version than the current one."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file.")] = False,
    store: Store = None,
    as_json: AsJson = False,
) -> int:
    """Fetch the database of the current version, or of another one, into a file.

    The file is written whole and verified, or not at all.
    """
    with progress_bars() as progress:
        found = transfer.pull(
            _open(store), org, out, version=version, force=force, progress=progress
        )
    if as_json:
        print_json(org_id=org, version=found.version, run_id=found.run_id, out=str(out))
    else:
        _say(f"Organization {org}: version {found.version} (run {found.run_id}) is in {out}.")
    return OK


@app.command(
    short_help="List an organization's versions.", epilog="Example: almanac store versions 206"
)
def versions(org: Org, store: Store = None, as_json: AsJson = False) -> int:
    """List the versions that are kept, and why; a star marks the current one."""
    found = kept_versions(_open(store), check_org_id(org), _now())
    if as_json:
        print(f'{{"org_id":"{org}","versions":{_VERSIONS.dump_json(found).decode()}}}')
        return OK
    columns = ("", ">version", "!as of", "!committed (UTC)", ">MB", ">planned", "kept", "run")
    rows = [
        (
            "*" if each.in_force else "",
            each.version,
            each.as_of,
            f"{each.committed_at.astimezone(dt.UTC):%Y-%m-%d %H:%M}",
            f"{each.size / 1e6:,.1f}",
            each.planned,
            each.kept or "no longer",
            each.run_id,
        )
        for each in found
    ]
    table(console_for(sys.stdout), columns, rows, indent=0)
    return OK


@app.command(
    short_help="Make a kept version current again.", epilog="Example: almanac store rollback 206 1"
)
def rollback(
    org: Org,
    version: Annotated[
        int, typer.Argument(min=1, metavar="VERSION", help="Its number.", show_default=False)
    ],
    store: Store = None,
    as_json: AsJson = False,
) -> int:
    """Make a kept version current again; no version is lost. Fails while a run is active."""
    now_current, before = go_back(_open(store), org, version, _now(), warned)
    if as_json:
        latest = now_current.replaced_by or now_current
        print_json(org_id=org, version=now_current.version, before=before, current=latest.version)
    elif before == now_current.version:
        _say(f"Organization {org}: version {version} is current already.")
    else:
        later = _replaced(now_current.replaced_by)
        _say(
            f"Organization {org}: version {version} is current again, in place of {before}.{later}"
        )
    return OK


def _replaced(later: Current | None) -> str:
    """Return the sentence about a version that replaced the command's own at once, if one did."""
    if later is None:
        return ""
    return f" Version {later.version} (run {later.run_id}) has replaced it since and is current."


@app.command(
    short_help="Show the state of the organizations.", epilog="Example: almanac store status 206"
)
def status(
    org: Annotated[
        str | None,
        typer.Argument(metavar="[ORG]", help="Only this organization.", show_default=False),
    ] = None,
    store: Store = None,
    as_json: AsJson = False,
) -> int:
    """Show the state of all organizations, or of one: version, runs, backlog, errors, data.

    Exits with 1 if one has a problem, such as no successful run within 26 hours.
    """
    objects, now = _open(store), _now()
    if org is None:
        found = store_status(objects, now)
        print_result(found, as_json, print_store)
        return OK if found.ok else FAILURE
    if not organizations.is_there(objects, org):
        there = ", ".join(organizations.organizations(objects)) or "no organization"
        raise RequestError(f"organization {org}: is not in this store, which has {there}")
    one = organization_status(objects, org, now)
    print_result(one, as_json, print_organization)
    return OK if one.ok else FAILURE


store_changes.add_to(app)
store_pins.add_to(app)
store_copy.add_to(app)


def _has_config(store: ObjectStore, org: str) -> bool:
    """Return whether the organization has a configuration; no answer changes no result."""
    try:
        return store.stat(layout.config(org)) is not None
    except AlmanacError:
        return False


def _open(url: str | None) -> ObjectStore:
    return open_store(url or load_settings().required_store())


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def _say(text: str) -> None:
    """Print one line, however long: a path must stay in one piece."""
    print(shown(text))
