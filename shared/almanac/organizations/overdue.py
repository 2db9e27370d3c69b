"""What is late in an organization, or waits: its last run, messages not sent, events."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from almanac.organizations.organizations import LastRun, census_of, last_whole_run, read_config
from almanac.storage import layout
from almanac.storage.store import ObjectStore
from almanac.storage.versions import Current, current, manifest_of

STALE = dt.timedelta(hours=26)


def staleness(last: LastRun | None, now: dt.datetime) -> str | None:
    """Return in words why the last run over all contacts is too old; None if it is not."""
    if last is None:
        return "no run has planned it in any version that is kept"
    age = now - last.committed_at
    if age <= STALE:
        return None
    hours, limit = (round(each / dt.timedelta(hours=1), 1) for each in (age, STALE))
    return f"the last successful run, {last.run_id}, is {hours} hours old; the limit is {limit:g}"


@dataclass(frozen=True)
class Lateness:
    """What is late: why the last run is too old, None if it is not; messages that are not sent.

    And what waits for the next run: objects of the inbox, each with one event or several.
    """

    run: str | None = None
    messages: int = 0  # that were due before yesterday, of any time zone
    waiting: int = 0


def lateness(store: ObjectStore, org: str, now: dt.datetime) -> Lateness:
    """Return what is late in an organization; nothing if it has no version to plan.

    One that has never been planned is late once its current version is older than STALE.
    """
    there = current(store, org)
    if there is None:
        return Lateness()
    version, _ = there
    last = last_whole_run(store, version.folder)
    young = _is_young(last, version, now)
    manifest = manifest_of(store, version.folder)
    census = census_of(manifest) if manifest else None
    yesterday = (now - dt.timedelta(days=1)).astimezone(dt.UTC).date()
    due = census.due.items() if census else ()
    return Lateness(
        run=None if young else staleness(last, now),
        messages=sum(count for day, count in due if day < yesterday),
        waiting=sum(1 for _ in store.list(layout.inbox(org))),
    )


def planned_by(store: ObjectStore, org: str, deadline: dt.datetime) -> bool | None:
    """Return whether a run over all contacts for the day had been committed by the deadline.

    The day is that of the organization's time zone. None if there is nothing that had to be
    planned: no version, or a young one that has never been planned.
    """
    there = current(store, org)
    if there is None:
        return None
    version, _ = there
    last = last_whole_run(store, version.folder)
    if _is_young(last, version, deadline):
        return None
    day = deadline.astimezone(read_config(store, org).zone).date()
    return last is not None and last.as_of >= day and last.committed_at <= deadline


def _is_young(last: LastRun | None, version: Current, now: dt.datetime) -> bool:
    """Return whether the version is so young that no run can be expected to have planned it."""
    return last is None and now - version.committed_at <= STALE
