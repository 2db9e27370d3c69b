"""The kept versions of an organization, and rolling back to one of them."""

from __future__ import annotations

import datetime as dt

from pydantic import BaseModel

from almanac.names import check_org_id
from almanac.organizations.organizations import census_of, own_id
from almanac.runs.finish import dead_runs
from almanac.schedule_status import Status
from almanac.storage.collection import KEEP_DAYS, why_kept
from almanac.storage.lease import acquire, close_dead_runs, release
from almanac.storage.publish import rollback
from almanac.storage.store import ObjectStore
from almanac.storage.versions import (
    Current,
    Manifest,
    current,
    list_versions,
    require_current,
)

ROLLBACK_SECONDS = 600


class VersionRow(BaseModel):
    """A kept version, and why it is kept."""

    version: int
    run_id: str
    as_of: dt.date
    committed_at: dt.datetime
    size: int  # bytes
    planned: int | None  # PRE_SCHEDULED rows
    in_force: bool
    kept: str | None  # None: the next collection deletes it


def versions(store: ObjectStore, org: str, now: dt.datetime) -> list[VersionRow]:
    """Return the kept versions, oldest first; RequestError if there is none."""
    there = require_current(store, org)
    kept = list_versions(store, org)
    in_force = [each for each in kept if each.folder == there[0].folder]
    reasons = why_kept(in_force[0] if in_force else None, now) | {there[0].folder: "current"}
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
    return census.statuses.get(Status.PRE_SCHEDULED, 0) if census else None


def go_back(store: ObjectStore, org: str, version: int, now: dt.datetime) -> tuple[Current, int]:
    """Make a kept version current; return it, and the number of the version it replaces.

    Raises LeaseTaken (a run is in flight), RequestError, NotFound, Corrupt, Superseded.
    """
    check_org_id(org)
    before = current(store, org)
    run_id = own_id("rollback", now)
    lease = acquire(store, org, run_id, "almanac store rollback", now, ROLLBACK_SECONDS)
    try:
        for _ in dead_runs(store, lease, now):
            pass  # what follows their ends is for the deliveries of their messages
        close_dead_runs(store, lease)
        return rollback(store, org, version, now=now), before[0].version if before else 0
    finally:
        release(store, org, run_id)
