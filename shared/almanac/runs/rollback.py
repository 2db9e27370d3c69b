"""The kept versions of an organization, and rolling back to one of them."""

from __future__ import annotations

import datetime as dt
import json
from collections import Counter
from collections.abc import Callable
from contextlib import suppress

from pydantic import BaseModel

from almanac.errors import AlmanacError, RequestError, Superseded
from almanac.names import check_org_id
from almanac.organizations.organizations import census_of, own_id
from almanac.report.events import RunEvents
from almanac.runs.finish import dead_runs
from almanac.runs.results import result_of
from almanac.schedule_status import Status
from almanac.storage import layout
from almanac.storage.collection import KEEP_DAYS, why_kept
from almanac.storage.history import list_versions
from almanac.storage.lease import Lease, acquire, close_dead_runs, release
from almanac.storage.pins import pinned
from almanac.storage.publish import rollback
from almanac.storage.store import ObjectStore
from almanac.storage.versions import (
    Current,
    Manifest,
    manifest_of,
    require_current,
)

ROLLBACK_SECONDS = 600
SHOWN_VERSIONS = 20


class EarlierVersion(BaseModel):
    """A version among those that `almanac undo` goes back through."""

    version: int
    run_id: str
    committed_at: dt.datetime
    planned: int | None  # PRE_SCHEDULED rows
    in_force: bool


class EarlierVersions(BaseModel):
    """The current version and those before it, each the parent of the one above."""

    org_id: str
    versions: list[EarlierVersion]


class WentBack(BaseModel):
    """The version that is current again, and the one that it replaces."""

    org_id: str
    version: int
    run_id: str
    before: int
    undone: str  # its run
    waiting: int  # campaign changes that are of no version yet
    replaced_by: int | None = None  # the version that another writer published upon it at once


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
    reasons |= {folder: f"pinned: {note}" for folder, note in pinned(store, org).items()}
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


def earlier_versions(store: ObjectStore, org: str) -> EarlierVersions:
    """Return the current version and those that undo goes back to; RequestError without one."""
    return EarlierVersions(
        org_id=org,
        versions=[
            EarlierVersion(
                version=each.version,
                run_id=each.run_id,
                committed_at=each.created_at,
                planned=_planned(each),
                in_force=number == 0,
            )
            for number, each in enumerate(_line(store, org, SHOWN_VERSIONS))
        ],
    )


def _line(store: ObjectStore, org: str, most: int) -> list[Manifest]:
    """Return the manifests of the current version, its parent and so on, while they are kept."""
    folder: str | None = require_current(store, org)[0].folder
    found: list[Manifest] = []
    while folder and len(found) < most and (manifest := manifest_of(store, folder)) is not None:
        found.append(manifest)
        folder = manifest.parent_path.rpartition("/")[0] if manifest.parent_path else None
    return found


def go_back_one(
    store: ObjectStore, org: str, now: dt.datetime, warn: Callable[[str], None]
) -> WentBack:
    """Make the version before the current one current. Raises as `go_back`."""
    waiting = sum(1 for _ in store.list(layout.changes(org)))
    line = _line(store, org, 2)
    if len(line) < 2:
        raise RequestError(f"organization {org}: no version before the current one is kept")
    there, parent = line
    done, before = go_back(
        store, org, parent.version, now, warn, run_id=parent.run_id, instead_of=there.path
    )
    return WentBack(
        org_id=org,
        version=done.version,
        run_id=done.run_id,
        before=before,
        undone=there.run_id,
        waiting=waiting,
        replaced_by=done.replaced_by.version if done.replaced_by else None,
    )


def go_back(
    store: ObjectStore,
    org: str,
    version: int,
    now: dt.datetime,
    warn: Callable[[str], None],
    *,
    run_id: str | None = None,
    instead_of: str | None = None,
) -> tuple[Current, int]:
    """Make a kept version current; return it, and the number of the version it replaces.

    run_id: of the version, where several have the number. instead_of: the path of the one that it
    may replace, by default any. warn is called with what does not change the result. Raises
    LeaseTaken (a run is in flight), RequestError, NotFound, Corrupt, Superseded.
    """
    check_org_id(org)
    own = own_id("rollback", now)
    lease = acquire(
        store,
        org,
        own,
        "almanac store rollback",
        now,
        ROLLBACK_SECONDS,
        lambda run: result_of(store, org, run) is not None,
    )
    try:
        before = require_current(store, org)
        if instead_of not in (None, before[0].path):
            raise Superseded(f"organization {org}: version {before[0].version} is current by now")
        for _ in dead_runs(store, lease, now):
            pass  # what follows their ends is for the deliveries of their messages
        if lease.dead_runs:
            close_dead_runs(store, lease)
        done = rollback(store, org, version, now=now, run_id=run_id, there=before)
        _warn_of_events(store, org, before[0], done, warn)
        return done, before[0].version
    finally:
        _give_back(store, lease, warn)


def _warn_of_events(
    store: ObjectStore, org: str, gone: Current, to: Current, warn: Callable[[str], None]
) -> None:
    """Say what runs between two versions applied from the inbox: the earlier one is without it."""
    entries: Counter[str] = Counter()
    folder: str | None = gone.folder
    with suppress(AlmanacError, OSError, ValueError):  # a version that is gone back from may be bad
        while folder and folder != to.folder:
            manifest = manifest_of(store, folder)
            if manifest is not None and layout.REPORT_JSON in manifest.attachments:
                report = json.loads(store.read(f"{folder}/{layout.REPORT_JSON}").data)
                entries.update(RunEvents.model_validate(report.get("events") or {}).entries)
            path = manifest.parent_path if manifest else None
            folder = path.rpartition("/")[0] if path else None
    if entries and folder == to.folder:
        found = ", ".join(f"{kind} {count:,}" for kind, count in sorted(entries.items()))
        warn(
            f"organization {org}: version {to.version} is without what later runs applied from the "
            f"inbox ({found}), and it does not come back: bring it in again before messages are "
            "sent"
        )


def _give_back(store: ObjectStore, lease: Lease, warn: Callable[[str], None]) -> None:
    """Release the lease; an error is a warning, since it does not change what was done."""
    try:
        release(store, lease.org, lease.run_id)
    except (AlmanacError, OSError) as error:
        until = lease.expires_at.astimezone(dt.UTC)
        warn(
            f"organization {lease.org}: the lease was not released ({error}); it ends by itself at "
            f"{until:%H:%M:%S} UTC, and no run starts before"
        )
