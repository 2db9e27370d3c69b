"""The organizations of a store, the versions that they have, and going back to one."""

from __future__ import annotations

import datetime as dt
import os
import re

from pydantic import BaseModel

from almanac.config import load_config
from almanac.database.census import Census
from almanac.errors import RequestError
from almanac.names import ORG_ID, check_org_id
from almanac.organizations.brief import date_of_run
from almanac.runs.results import RunResult, record_result
from almanac.storage import layout
from almanac.storage.collection import KEEP_DAYS, why_kept
from almanac.storage.lease import acquire, close_dead_runs, release
from almanac.storage.store import ObjectStore, read_or_none
from almanac.storage.versions import (
    Current,
    Manifest,
    committed_by,
    current,
    list_versions,
    manifest_of,
    rollback,
)

ROLLBACK_SECONDS = 600
WALK = 200  # versions, from one to the one before
_WHOLE_RUN = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}-(daily(~[0-9]+)?|manual-.*)")


class VersionRow(BaseModel):
    """A version that is kept, and why."""

    version: int
    run_id: str
    as_of: dt.date
    committed_at: dt.datetime
    size: int  # bytes
    planned: int | None  # pre-scheduled rows
    in_force: bool
    kept: str | None  # None: the next collection takes it


class LastRun(BaseModel):
    """The last run over all contacts that a version builds on."""

    run_id: str
    version: int
    folder: str
    as_of: dt.date
    committed_at: dt.datetime


def organizations(store: ObjectStore) -> list[str]:
    """The ids of the organizations that have anything in the store, sorted."""
    return [name for name in store.subfolders(layout.ORGANIZATIONS) if ORG_ID.fullmatch(name)]


def is_there(store: ObjectStore, org: str) -> bool:
    """Whether the store has anything of the organization; RequestError for what is no id."""
    names = (layout.current(org), layout.config(org))
    return any(store.stat(name) for name in names) or bool(
        store.subfolders(layout.organization(org))
    )


def is_whole_run(run_id: str) -> bool:
    """Whether it is a run of Almanac over all contacts: neither of a campaign change nor a push."""
    return _WHOLE_RUN.fullmatch(run_id) is not None


def last_whole_run(store: ObjectStore, folder: str) -> LastRun | None:
    """The last run over all contacts among a version, given its folder, and those before it.

    None if there is none as far back as versions are kept. The manifest of a version by somebody
    else may name it under `last_run`, which spares the way back.
    """
    for _ in range(WALK):
        manifest = manifest_of(store, folder)
        if manifest is None:
            return None
        if is_whole_run(manifest.run_id):
            return LastRun(
                run_id=manifest.run_id,
                version=manifest.version,
                folder=folder,
                as_of=manifest.as_of,
                committed_at=manifest.created_at,
            )
        if named := (manifest.model_extra or {}).get("last_run"):
            return LastRun.model_validate(named)
        if manifest.parent_path is None:
            return None
        folder = manifest.parent_path.rpartition("/")[0]
    return None


def census_of(manifest: Manifest) -> Census | None:
    """What the version's manifest says of its rows; None in a version that has no census."""
    found = (manifest.model_extra or {}).get("census")
    return Census.model_validate(found) if found else None


def initialize(store: ObjectStore, org: str, config: bytes | None) -> bool:
    """Give an organization its configuration; whether anything was written.

    Without one it gets the defaults, unless it has a configuration already. Raises ConfigError,
    PreconditionFailed (somebody else wrote it meanwhile).
    """
    name = layout.config(org)
    there = read_or_none(store, name)
    if config is None:
        if there is not None:
            load_config(there.data, name)
            return False
        config = (
            f"# Configuration of organization {org}. What is not set has its default.\n".encode()
        )
    load_config(config)
    if there is not None and there.data == config:
        return False
    store.write(name, config, if_generation=there.generation if there else 0)
    return True


def versions(store: ObjectStore, org: str, now: dt.datetime) -> list[VersionRow]:
    """The versions that are kept, oldest first; RequestError if there is none."""
    there = current(store, org)
    if there is None:
        raise RequestError(f"organization {org}: has no version yet")
    kept = list_versions(store, org)
    in_force = [each for each in kept if each.folder == there[0].folder]
    reasons = why_kept(in_force[0] if in_force else None, now) | {there[0].folder: "in force"}
    young = now - dt.timedelta(days=KEEP_DAYS)
    return [
        VersionRow(
            version=each.version,
            run_id=each.run_id,
            as_of=each.as_of,
            committed_at=each.created_at,
            size=each.size,
            planned=_planned(each),
            in_force=each.folder == there[0].folder,
            kept=reasons.get(each.folder)
            or (f"younger than {KEEP_DAYS} days" if each.created_at >= young else None),
        )
        for each in kept
    ]


def _planned(manifest: Manifest) -> int | None:
    census = census_of(manifest)
    return census.statuses.get("pre-scheduled", 0) if census else None


def go_back(store: ObjectStore, org: str, version: int, now: dt.datetime) -> tuple[Current, int]:
    """Put a kept version in force again; that version, and the number of the one before.

    Raises LeaseTaken (a run is in flight), RequestError, NotFound, Corrupt, Superseded.
    """
    check_org_id(org)
    before = current(store, org)
    run_id = own_id("rollback", now)
    lease = acquire(store, org, run_id, "almanac store rollback", now, ROLLBACK_SECONDS)
    try:
        for dead in lease.dead_runs:
            _close(store, org, dead, now)
        close_dead_runs(store, lease)
        return rollback(store, org, version, now=now), before[0].version if before else 0
    finally:
        release(store, org, run_id)


def _close(store: ObjectStore, org: str, run_id: str, now: dt.datetime) -> None:
    """Write down how a run ended that did not live to do so itself."""
    if date_of_run(run_id) is None:
        return  # no run
    version = committed_by(store, org, run_id, 0)
    result = RunResult(
        org_id=org,
        run_id=run_id,
        state="committed" if version else "failed",
        reason=None if version else "its lease ran out before it ended",
        again=version is None,
        as_of=date_of_run(run_id),
        version=version.version if version else None,
        finished_at=now,
    )
    record_result(store, result)


def own_id(word: str, now: dt.datetime) -> str:
    """The run id of something that is no run: unlike those it does not begin with a date."""
    return f"{word}-{now.astimezone(dt.UTC):%Y%m%dT%H%M%SZ}-{os.urandom(3).hex()}"
