"""The status of all organizations of a store, or of a page of them."""

from __future__ import annotations

import datetime as dt
import time
from concurrent.futures import ThreadPoolExecutor

from almanac.logs import get_log
from almanac.organizations.organizations import organizations
from almanac.status.model import Finding, InstallationFindings, OrganizationStatus, StoreStatus
from almanac.status.organization import listed_status
from almanac.storage.store import ObjectStore

THREADS = 16  # organizations that are read at the same time
BATCH = 4 * THREADS  # between two looks at the time


def store_status(
    store: ObjectStore,
    now: dt.datetime,
    *,
    after: str = "",
    at_most: int | None = None,
    seconds: float | None = None,
) -> StoreStatus:
    """Return the status of the organizations whose ids come after `after`.

    Of at most so many, and as many as can be read within the seconds. Ids are in the order of their
    characters. An error in one does not affect the others. Raises AlmanacError if the organizations
    cannot be listed.
    """
    found, following = _statuses(store, now, after, at_most, seconds)
    problems = [f"{each.org_id}: {problem}" for each in found for problem in each.problems]
    return StoreStatus(
        ok=not problems,
        checked_at=now,
        problems=problems,
        organizations=found,
        next=following,
    )


def store_findings(
    store: ObjectStore, now: dt.datetime, *, after: str = "", seconds: float | None = None
) -> InstallationFindings:
    """Return what is wrong in the organizations after `after`; see store_status."""
    found, following = _statuses(store, now, after, None, seconds)
    findings = [finding for each in found for finding in _findings(each)]
    return InstallationFindings(
        ok=all(each.severity == "warning" for each in findings),
        checked_at=now,
        organizations=len(found),
        overdue={each.org_id: each.due.overdue for each in found if each.due and each.due.overdue},
        findings=findings,
        next=following,
    )


def _findings(status: OrganizationStatus) -> list[Finding]:
    return [
        Finding(
            org_id=status.org_id,
            severity="problem" if number < len(status.problems) else "warning",
            kind=kind,
            what=what,
        )
        for number, (kind, what) in enumerate(
            zip(status.kinds, [*status.problems, *status.warnings], strict=True)
        )
    ]


def _statuses(
    store: ObjectStore, now: dt.datetime, after: str, at_most: int | None, seconds: float | None
) -> tuple[list[OrganizationStatus], str | None]:
    """Return the status of each, and the last of them if there are more."""
    end = None if seconds is None else time.monotonic() + seconds
    there = [org for org in organizations(store) if org > after]
    page = there[:at_most]
    found: list[OrganizationStatus] = []
    with ThreadPoolExecutor(THREADS) as pool:
        for start in range(0, len(page), BATCH):
            if found and end is not None and time.monotonic() >= end:
                break
            batch = page[start : start + BATCH]
            found += pool.map(lambda org: _guarded(store, org, now), batch)
    return found, found[-1].org_id if len(found) < len(there) else None


def _guarded(store: ObjectStore, org: str, now: dt.datetime) -> OrganizationStatus:
    try:
        return listed_status(store, org, now)
    except Exception as error:  # a bug must not hide the other organizations
        get_log().exception("status failed", org_id=org)
        problem = f"its status cannot be determined ({type(error).__name__})"
        return OrganizationStatus(
            org_id=org, ok=False, problems=[problem], warnings=[], kinds=["unknown"]
        )
