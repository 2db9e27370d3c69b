"""The copy of a store as a job, which a schedule starts.

    python -m almanac.organizations.copy_job STORE HOURS

STORE is where the organizations of ALMANAC_STORE are copied to. An organization whose copy is more
than HOURS behind is named in the log. Of several tasks each has its own organizations. What a task
that dies leaves undone the next one does: those that were copied the longest ago come first.
"""

from __future__ import annotations

import datetime as dt
import sys
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from zlib import crc32

from almanac.errors import AlmanacError
from almanac.logs import configure, get_log
from almanac.organizations.organizations import organizations
from almanac.organizations.replica import AT_ONCE, CopiedOrganization, as_of_copy, copy_each
from almanac.settings import load_settings, task_of_job
from almanac.storage.opening import open_store
from almanac.storage.store import ObjectStore

# The lines that the alerts on the copy read (infra/copy.tf).
COPIED, OVERDUE = "organizations copied", "copy overdue"
_NEVER = dt.datetime.min.replace(tzinfo=dt.UTC)


def copy_store(
    source: ObjectStore, target: ObjectStore, hours: float, task: tuple[int, int] = (0, 1)
) -> int:
    """Copy the task's organizations, log what comes of it, and return how many failed."""
    began, (index, count) = time.perf_counter(), task
    everyone = [org for org in organizations(source) if crc32(org.encode()) % count == index]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        as_of = dict(
            zip(everyone, pool.map(lambda org: _as_of(target, org), everyone), strict=True)
        )
    limit = _now() - dt.timedelta(hours=hours)
    for org, at in as_of.items():
        if at and at < limit:
            get_log().error(OVERDUE, org_id=org, as_of=at)
    everyone.sort(key=lambda org: as_of[org] or _NEVER)
    totals: Counter[str] = Counter(failed=0)
    for org, done in copy_each(source, target, everyone, _now):
        totals.update(_logged(org, done, never=as_of[org] is None))
    if gone := sorted(set(organizations(target)) - set(organizations(source))):
        get_log().warning("only in the copy", organizations=gone[:20], count=len(gone))
    seconds = round(time.perf_counter() - began, 3)
    get_log().info(COPIED, organizations=len(everyone), **totals, seconds=seconds)
    return totals["failed"]


def _logged(org: str, done: CopiedOrganization | AlmanacError, never: bool) -> dict[str, int]:
    """Log what came of one organization, and return what it adds to the totals.

    never: whether it has no copy yet, so that a failure leaves it without one.
    """
    if isinstance(done, AlmanacError):
        get_log().warning("copy failed", org_id=org, reason=str(done))
        if never:
            get_log().error(OVERDUE, org_id=org, as_of=None)
        return {"failed": 1}
    if done.version is None:
        get_log().warning("no version to copy", org_id=org)
    elif done.copied or done.deleted:
        get_log().info("organization copied", **done.model_dump())
    return {"objects": done.copied, "deleted": done.deleted, "bytes": done.bytes}


def _as_of(target: ObjectStore, org: str) -> dt.datetime | None:
    try:
        return as_of_copy(target, org)
    except AlmanacError:
        return None  # copying it says why


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def main(arguments: Sequence[str]) -> int:
    """Run the job and return its exit code: 0 if every organization is copied."""
    if len(arguments) != 2:
        print("usage: copy_job STORE HOURS", file=sys.stderr)
        return 2
    configure()
    settings = load_settings()
    configure(settings.log_level)
    source, target = open_store(settings.required_store()), open_store(arguments[0])
    return 1 if copy_store(source, target, float(arguments[1]), task_of_job()) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
