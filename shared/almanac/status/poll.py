"""The regular look at all organizations: a line in the log for each problem and each warning."""

from __future__ import annotations

import datetime as dt
import time

from pydantic import BaseModel

from almanac.logs import get_log
from almanac.status.installation import store_findings
from almanac.storage.store import ObjectStore

# The lines that the alerts read (infra/status_poll.tf).
PROBLEM, WARNING = "organization problem", "organization warning"
POLLED = "organizations polled"


class Polled(BaseModel):
    """What a look at all organizations came to; next: the last one, if time did not do for all."""

    organizations: int
    problems: int
    warnings: int
    next: str | None = None


def poll(store: ObjectStore, now: dt.datetime, seconds: float | None) -> Polled:
    """Log what is wrong in each organization, and at the end that all were looked at.

    After so many seconds it gives up; the line of the end is missing then, and an alert is on that.
    """
    log, begun = get_log(), time.monotonic()
    found = store_findings(store, now, seconds=seconds)
    for each in found.findings:
        if each.severity == "problem":
            log.error(PROBLEM, org_id=each.org_id, kind=each.kind, reason=each.what)
        else:
            log.warning(WARNING, org_id=each.org_id, kind=each.kind, reason=each.what)
    problems = sum(each.severity == "problem" for each in found.findings)
    polled = Polled(
        organizations=found.organizations,
        problems=problems,
        warnings=len(found.findings) - problems,
        next=found.next,
    )
    counts = polled.model_dump(exclude_none=True) | {"seconds": round(time.monotonic() - begun, 3)}
    if found.next is None:
        log.info(POLLED, **counts)
    else:
        log.error("organizations not polled in time", **counts)
    return polled
