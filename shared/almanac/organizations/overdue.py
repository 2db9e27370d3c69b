"""Whether the last run over all contacts of an organization is too old."""

from __future__ import annotations

import datetime as dt

from almanac.organizations.organizations import LastRun, last_whole_run
from almanac.storage.store import ObjectStore
from almanac.storage.versions import current

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


def overdue(store: ObjectStore, org: str, now: dt.datetime) -> str | None:
    """Return why the organization is overdue; None if it is not, or has no version to plan.

    One that has never been planned is overdue once its current version is older than STALE.
    """
    there = current(store, org)
    if there is None:
        return None
    version, _ = there
    last = last_whole_run(store, version.folder)
    if last is None and now - version.committed_at <= STALE:
        return None
    return staleness(last, now)
