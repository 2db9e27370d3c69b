"""How one organization is doing, from a few small objects.

No database is opened and nothing is listed but the names of runs. There is no personal data in
it: counts, ids of runs and campaigns, and reasons without addresses.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import TypeVar

from pydantic import ValidationError

from almanac.config import Config
from almanac.database.census import Census
from almanac.errors import AlmanacError, NotFound
from almanac.logs import clean
from almanac.names import date_of_run
from almanac.organizations.organizations import LastRun, census_of, last_whole_run, read_config
from almanac.report.summary import RunSummary
from almanac.runs.results import RunResult, result_of
from almanac.status.model import (
    DataQuality,
    Due,
    LastSuccess,
    OrganizationStatus,
    Outcomes,
    RunStatus,
    VersionInForce,
)
from almanac.storage import layout
from almanac.storage.documents import read_document
from almanac.storage.lease import LeaseDocument
from almanac.storage.store import ObjectStore, read_or_none
from almanac.storage.versions import Current, Manifest, current, manifest_of

STALE = dt.timedelta(hours=26)
LOOK = 10  # runs of an organization whose results are read, the newest as_of first
# what a sender may write; in any case, with blanks around
NOT_TRIED = frozenset({"", "scheduled", "processing", "queued", "pending", "cancelled", "canceled"})
WITH_SENDER = frozenset({"scheduled", "processing", "queued", "pending"})
FAILED = frozenset({"failed", "bounced", "error", "rejected", "dropped", "undelivered"})

T = TypeVar("T")


def organization_status(store: ObjectStore, org: str, now: dt.datetime) -> OrganizationStatus:
    """One organization's status, whatever of its documents is missing or broken.

    RequestError for what is no organization's id.
    """
    look = _Look(store, org)
    there = look.at(lambda: current(store, org), None)
    found = there[0] if there else None
    config = look.at(lambda: read_config(store, org), Config())
    manifest = look.at(lambda: _manifest(store, found), None)
    last = look.at(lambda: last_whole_run(store, manifest.folder) if manifest else None, None)
    census = look.at(lambda: census_of(manifest) if manifest else None, None)
    data = look.at(lambda: _data(store, last), None)
    runs = _runs(look, now)
    today = now.astimezone(config.zone).date()
    due = _due(census, today)
    problems = [*look.problems]
    if found and (last or not look.problems):
        problems += _staleness(last, now)
    status = OrganizationStatus(
        org_id=org,
        ok=not problems,
        problems=problems,
        warnings=_warnings(runs, due),
        version=_in_force(found, manifest, now) if found else None,
        last_success=_success(last, now) if last else None,
        last_run=runs[0] if runs else None,
        last_failure=next((r for r in runs if r.state in ("failed", "rejected")), None),
        due=due,
        outcomes=_outcomes(census.outcomes) if census else None,
        data=data,
    )
    return OrganizationStatus.model_validate(clean(status.model_dump(mode="json")))


class _Look:
    """Reads of one organization's documents; those that fail become problems."""

    def __init__(self, store: ObjectStore, org: str) -> None:
        self.store = store
        self.org = org
        self.problems: list[str] = []
        layout.organization(org)

    def at(self, read: Callable[[], T], otherwise: T) -> T:
        try:
            return read()
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(map(str, first["loc"]))
            self.problems.append(f"{error.title} cannot be read: {where}: {first['msg']}")
        except AlmanacError as error:
            self.problems.append(" ".join(str(error).split()))
        return otherwise


def _manifest(store: ObjectStore, found: Current | None) -> Manifest | None:
    if found is None:
        return None
    manifest = manifest_of(store, found.folder)
    if manifest is None:
        raise NotFound(f"{found.folder}/{layout.MANIFEST}: no such object")
    return manifest


def _data(store: ObjectStore, last: LastRun | None) -> DataQuality | None:
    report = read_or_none(store, f"{last.folder}/{layout.REPORT_JSON}") if last else None
    if report is None:
        return None
    summary = RunSummary.model_validate_json(report.data)
    return DataQuality(
        contacts=summary.contacts_total,
        eligible=summary.contacts_eligible,
        issues=summary.issues,
        left_out=summary.left_out,
    )


def _runs(look: _Look, now: dt.datetime) -> list[RunStatus]:
    """The newest runs, the last one first: the newest as_of, and of that what ended last."""
    store, org = look.store, look.org
    names: list[str] = look.at(lambda: store.subfolders(layout.runs(org)), [])
    held = look.at(lambda: read_document(store, layout.lease(org), LeaseDocument), None)
    lease = held[0] if held else None
    newest = sorted((name for name in names if date_of_run(name)), reverse=True)[:LOOK]
    if lease and lease.run_id in names and lease.run_id not in newest:
        newest.append(lease.run_id)
    found = []
    for run_id in newest:
        broken = len(look.problems)
        result = look.at(lambda name=run_id: result_of(store, org, name), None)  # type: ignore[misc]
        if len(look.problems) == broken:
            found.append(_run(run_id, result, lease, now))
    latest = dt.datetime.max.replace(tzinfo=dt.UTC)
    return sorted(
        found, key=lambda run: (run.as_of or dt.date.min, run.finished_at or latest), reverse=True
    )


def _run(
    run_id: str, result: RunResult | None, lease: LeaseDocument | None, now: dt.datetime
) -> RunStatus:
    as_of = date_of_run(run_id)
    if result is not None:
        return RunStatus(
            run_id=run_id,
            as_of=as_of,
            state=result.state,
            reason=result.reason,
            finished_at=result.finished_at,
        )
    until = lease.expires_at if lease and lease.run_id == run_id else None
    if until and until > now:
        return RunStatus(run_id=run_id, as_of=as_of, state="running", lease_until=until)
    reason = "it ended without a word: its lease ran out" if until else "it ended without a word"
    return RunStatus(run_id=run_id, as_of=as_of, state="dead", reason=reason, lease_until=until)


def _staleness(last: LastRun | None, now: dt.datetime) -> list[str]:
    limit = int(STALE.total_seconds() // 3600)
    if last is None:
        return ["no run has planned it, as far back as its versions are kept"]
    if now - last.committed_at <= STALE:
        return []
    hours = _hours(last.committed_at, now)
    return [
        f"the last successful run, {last.run_id}, is {hours} hours old; at most {limit} is well"
    ]


def _warnings(runs: list[RunStatus], due: Due | None) -> list[str]:
    warnings = []
    if runs and runs[0].state in ("failed", "rejected", "dead"):
        reason = f": {runs[0].reason}" if runs[0].reason else ""
        warnings.append(f"the last run, {runs[0].run_id}, is {runs[0].state}{reason}")
    if due and due.overdue:
        warnings.append(f"{due.overdue:,} messages were due before today and are not sent")
    return warnings


def _in_force(found: Current, manifest: Manifest | None, now: dt.datetime) -> VersionInForce:
    committed_at = manifest.created_at if manifest else found.committed_at
    return VersionInForce(
        version=found.version,
        run_id=found.run_id,
        as_of=found.as_of,
        committed_at=committed_at,
        hours=_hours(committed_at, now),
        in_force_since=found.committed_at,
        size=found.size,
    )


def _success(last: LastRun, now: dt.datetime) -> LastSuccess:
    return LastSuccess(
        run_id=last.run_id,
        version=last.version,
        committed_at=last.committed_at,
        hours=_hours(last.committed_at, now),
    )


def _due(census: Census | None, today: dt.date) -> Due | None:
    if census is None:
        return None
    return Due(
        overdue=sum(count for day, count in census.due.items() if day < today),
        today=census.due.get(today, 0),
        with_sender=_sum(census.outcomes, WITH_SENDER),
    )


def _outcomes(outcomes: Mapping[str, int]) -> Outcomes:
    tried = sum(outcomes.values()) - _sum(outcomes, NOT_TRIED)
    failed = _sum(outcomes, FAILED)
    return Outcomes(
        tried=tried, failed=failed, error_rate=round(failed / tried, 4) if tried else None
    )


def _sum(outcomes: Mapping[str, int], statuses: frozenset[str]) -> int:
    return sum(count for status, count in outcomes.items() if status.strip().lower() in statuses)


def _hours(since: dt.datetime, now: dt.datetime) -> float:
    return round((now - since) / dt.timedelta(hours=1), 1)
