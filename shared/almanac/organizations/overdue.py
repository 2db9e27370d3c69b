"""What is late in an organization: its last run over all contacts, messages that are not sent."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from almanac.organizations.organizations import LastRun, census_of, last_whole_run
from almanac.storage.store import ObjectStore
from almanac.storage.versions import current, manifest_of

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
    """What is late: why the last run is too old, None if it is not; messages that are not sent."""

    run: str | None = None
    messages: int = 0  # that were due before yesterday, of any time zone


def lateness(store: ObjectStore, org: str, now: dt.datetime) -> Lateness:
    """Return what is late in an organization; nothing if it has no version to plan.

    One that has never been planned is late once its current version is older than STALE.
    """
    there = current(store, org)
    if there is None:
        return Lateness()
    version, _ = there
    last = last_whole_run(store, version.folder)
    young = last is None and now - version.committed_at <= STALE
    manifest = manifest_of(store, version.folder)
    census = census_of(manifest) if manifest else None
    yesterday = (now - dt.timedelta(days=1)).astimezone(dt.UTC).date()
    due = census.due.items() if census else ()
    return Lateness(
        run=None if young else staleness(last, now),
        messages=sum(count for day, count in due if day < yesterday),
    )
