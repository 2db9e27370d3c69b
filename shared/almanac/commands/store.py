"""`almanac store`."""

from __future__ import annotations

import datetime as dt
import shlex
import sys
from pathlib import Path

from pydantic import TypeAdapter

from almanac.commands.arguments import read_config
from almanac.commands.endings import FAILURE, OK
from almanac.commands.progress import progress_bars
from almanac.errors import RequestError
from almanac.names import check_org_id
from almanac.organizations import organizations as orgs
from almanac.organizations import transfer as exchange
from almanac.report.text import console_for, shown, table
from almanac.runs import rollback as kept
from almanac.settings import load_settings
from almanac.status.endpoint import store_status
from almanac.status.organization import organization_status
from almanac.status.text import print_organization, print_store
from almanac.storage import layout
from almanac.storage.opening import open_store
from almanac.storage.store import ObjectStore
from almanac.storage.versions import current

_ROWS = TypeAdapter(list[kept.VersionRow])


def init(url: str | None, org: str, config: Path | None, as_json: bool) -> int:
    """Puts an organization's configuration into the store."""
    check_org_id(org)
    read_config(config)
    store = _open(url)
    written = orgs.initialize(store, org, config.read_bytes() if config else None)
    has_database = current(store, org) is not None
    if as_json:
        _print_json(org_id=org, config=layout.config(org), written=written)
        return OK
    verb = "is written" if written else "stays as it is"
    _say(f"Organization {org}: {layout.config(org)} {verb}.")
    if not has_database:
        at = f" --store {shlex.quote(url)}" if url else ""
        _say(f"Next, give it its database: almanac store push {org} DATABASE{at}")
    return OK


def push(url: str | None, org: str, database: Path, expect: int | None, as_json: bool) -> int:
    """Publishes a file as the next version."""
    with progress_bars() as progress:
        done = exchange.push(
            _open(url), org, database, expect=expect, now=_now(), progress=progress
        )
    if as_json:
        print(done.model_dump_json())
    else:
        _say(f"Organization {org}: {database} is version {done.version}, now in force.")
    return OK


def pull(
    url: str | None, org: str, out: Path, version: int | None, force: bool, as_json: bool
) -> int:
    """Fetches a version into a file."""
    with progress_bars() as progress:
        found = exchange.pull(_open(url), org, out, version=version, force=force, progress=progress)
    if as_json:
        _print_json(org_id=org, version=found.version, run_id=found.run_id, out=str(out))
    else:
        _say(f"Organization {org}: version {found.version} (run {found.run_id}) is in {out}.")
    return OK


def versions(url: str | None, org: str, as_json: bool) -> int:
    """Lists the versions that are kept."""
    found = kept.versions(_open(url), check_org_id(org), _now())
    if as_json:
        print(f'{{"org_id":"{org}","versions":{_ROWS.dump_json(found).decode()}}}')
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


def rollback(url: str | None, org: str, version: int, as_json: bool) -> int:
    """Puts a kept version in force again."""
    now_in_force, before = kept.go_back(_open(url), org, version, _now())
    if as_json:
        _print_json(org_id=org, version=now_in_force.version, before=before)
    elif before == now_in_force.version:
        _say(f"Organization {org}: version {version} is in force already.")
    else:
        _say(f"Organization {org}: version {version} is in force again, in place of {before}.")
    return OK


def status(url: str | None, org: str | None, as_json: bool) -> int:
    """Tells how organizations are doing; FAILURE if one has a problem."""
    store, now = _open(url), _now()
    console = console_for(sys.stdout)
    if org is not None:
        if not orgs.is_there(store, org):
            there = ", ".join(orgs.organizations(store)) or "no organization"
            raise RequestError(f"organization {org}: is not in this store, which has {there}")
        one = organization_status(store, org, now)
        if as_json:
            print(one.model_dump_json())
        else:
            print_organization(console, one)
        return OK if one.ok else FAILURE
    found = store_status(store, now)
    if as_json:
        print(found.model_dump_json())
    else:
        print_store(console, found)
    return OK if found.ok else FAILURE


def _open(url: str | None) -> ObjectStore:
    return open_store(url or load_settings().required_store())


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def _say(text: str) -> None:
    """One line, however long it is: a path must stay in one piece."""
    print(shown(text))


def _print_json(**values: object) -> None:
    print(TypeAdapter(dict[str, object]).dump_json(values).decode())
