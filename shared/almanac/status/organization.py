"""The status of one organization, read from a few small objects.

It opens no database and lists only the names of runs. It contains no personal data: only counts,
ids of runs and campaigns, and reasons without addresses.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TypeVar, assert_never

from pydantic import ValidationError

from almanac.config import Config
from almanac.database.census import Census
from almanac.errors import AlmanacError, NotFound
from almanac.logs import clean
from almanac.names import date_of_run
from almanac.organizations.organizations import LastRun, census_of, last_whole_run, read_config
from almanac.organizations.overdue import STALE, staleness
from almanac.plurals import plural
from almanac.report.events import unreadable_in_words
from almanac.report.left_out import left_out_rows
from almanac.report.summary import RunSummary, Unreadable
from almanac.runs.results import RunResult, result_of
from almanac.status.model import (
    Backlog,
    CurrentVersion,
    DataQuality,
    LastSuccess,
    OrganizationStatus,
    Outcomes,
    RunStatus,
    WaitingEvents,
)
from almanac.storage import layout
from almanac.storage.documents import read_document
from almanac.storage.lease import LeaseDocument
from almanac.storage.store import ObjectInfo, ObjectStore, read_or_none
from almanac.storage.versions import Current, Manifest, current, manifest_of
from almanac.validation_text import first_problem_text

RUNS_READ = 10  # of an organization, the newest as_of first
# statuses that a sender may write, compared without case and blanks
NOT_TRIED = frozenset({"", "scheduled", "processing", "queued", "pending", "cancelled", "canceled"})
WITH_SENDER = frozenset({"scheduled", "processing", "queued", "pending"})
FAILED = frozenset({"failed", "bounced", "error", "rejected", "dropped", "undelivered"})

T = TypeVar("T")


def organization_status(store: ObjectStore, org: str, now: dt.datetime) -> OrganizationStatus:
    """Return the status of one organization, also if documents of it are missing or invalid.

    Raises RequestError for an invalid organization id.
    """
    documents = _Documents(store, org)
    read = documents.read
    found = read(lambda: current(store, org), None)
    version = found[0] if found else None
    config = read(lambda: read_config(store, org), Config())
    manifest = read(lambda: _manifest(store, version), None)
    last = read(lambda: last_whole_run(store, manifest.folder) if manifest else None, None)
    census = read(lambda: census_of(manifest) if manifest else None, None)
    data = read(lambda: _data(store, last), None)
    runs = _runs(documents, now)
    inbox = read(lambda: list(store.list(layout.inbox(org))), None)
    waiting = _waiting(inbox, now) if inbox is not None else None
    due = _backlog(census, now.astimezone(config.zone).date())
    committed = next((each for each in runs if each.state == "committed"), None)
    problems = [*documents.problems, *_unreadable(committed, inbox or [])]
    if version and (last or not documents.problems):
        problems += filter(None, [staleness(last, now)])
    status = OrganizationStatus(
        org_id=org,
        ok=not problems,
        problems=problems,
        warnings=[*_warnings(runs, due), *_refused(committed), *_late(waiting, now)],
        version=_current_version(version, manifest, now) if version else None,
        last_success=_success(last, now) if last else None,
        last_run=runs[0] if runs else None,
        last_failure=next((r for r in runs if r.state in ("failed", "rejected")), None),
        waiting=waiting,
        due=due,
        outcomes=_outcomes(census.outcomes) if census else None,
        data=data,
    )
    return OrganizationStatus.model_validate(clean(status.model_dump(mode="json")))


class _Documents:
    """Reads the documents of one organization; a failed read becomes a problem."""

    def __init__(self, store: ObjectStore, org: str) -> None:
        self.store = store
        self.org = org
        self.problems: list[str] = []
        layout.organization(org)

    def read(self, read: Callable[[], T], default: T) -> T:
        """Return what `read` returns, or the default if it fails."""
        try:
            return read()
        except ValidationError as error:
            self.problems.append(f"{error.title} cannot be read: {first_problem_text(error)}")
        except AlmanacError as error:
            self.problems.append(" ".join(str(error).split()))
        return default


def _manifest(store: ObjectStore, version: Current | None) -> Manifest | None:
    if version is None:
        return None
    manifest = manifest_of(store, version.folder)
    if manifest is None:
        raise NotFound(f"{version.folder}/{layout.MANIFEST}: no such object")
    return manifest


def _data(store: ObjectStore, last: LastRun | None) -> DataQuality | None:
    report = read_or_none(store, f"{last.folder}/{layout.REPORT_JSON}") if last else None
    if report is None:
        return None
    summary = RunSummary.model_validate_json(report.data)
    return DataQuality(
        contacts=summary.contacts_total,
        eligible=summary.contacts_eligible,
        contacts_left_out=_contacts_left_out(summary),
        issues=summary.issues,
        left_out=summary.left_out,
        split_overlaps=summary.split_overlaps,
        unknown_flags=summary.unknown_flags,
        alerts=summary.alerts,
        likely_columns=summary.likely_columns,
    )


def _contacts_left_out(summary: RunSummary) -> dict[str, int]:
    """Return the counts by why, without examples of ids."""
    invalid = Unreadable(count=summary.invalid_ids.count)
    return dict(left_out_rows(summary.contacts_left_out, invalid, 0))


def _runs(documents: _Documents, now: dt.datetime) -> list[RunStatus]:
    """Return the newest runs, the last one first: by as_of, then by the time of their end."""
    store, org = documents.store, documents.org
    names: list[str] = documents.read(lambda: store.subfolders(layout.runs(org)), [])
    held = documents.read(lambda: read_document(store, layout.lease(org), LeaseDocument), None)
    lease = held[0] if held else None
    newest = sorted((name for name in names if date_of_run(name)), reverse=True)[:RUNS_READ]
    if lease and lease.run_id in names and lease.run_id not in newest:
        newest.append(lease.run_id)
    found = []
    for run_id in newest:
        problems = len(documents.problems)
        result = documents.read(partial(result_of, store, org, run_id), None)
        if len(documents.problems) == problems:
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
            refused=result.refused,
            unreadable=result.unreadable,
        )
    until = lease.expires_at if lease and lease.run_id == run_id else None
    if until and until > now:
        return RunStatus(run_id=run_id, as_of=as_of, state="running", lease_until=until)
    reason = (
        "it ended without a result: its lease expired" if until else "it ended without a result"
    )
    return RunStatus(run_id=run_id, as_of=as_of, state="dead", reason=reason, lease_until=until)


def _warnings(runs: list[RunStatus], due: Backlog | None) -> list[str]:
    warnings = []
    if runs and _came_to_nothing(runs[0]):
        reason = f": {runs[0].reason}" if runs[0].reason else ""
        warnings.append(f"the last run, {runs[0].run_id}, is {runs[0].state}{reason}")
    if due and due.overdue:
        warnings.append(f"{due.overdue:,} messages were due before today and are not sent")
    return warnings


def _refused(run: RunStatus | None) -> list[str]:
    if run is None or not run.refused:
        return []
    entries = plural(run.refused, "entry", "entries")
    table = "its report has examples, the table intake_log all"
    return [f"the last run, {run.run_id}, refused {entries} of events: {table}"]


def _unreadable(run: RunStatus | None, inbox: Sequence[ObjectInfo]) -> list[str]:
    """Return what the last run could not read, as far as it is still there."""
    there = {each.name for each in inbox}
    found = run.unreadable.items() if run else ()
    return [unreadable_in_words(name, why) for name, why in found if name in there]


def _waiting(objects: Sequence[ObjectInfo], now: dt.datetime) -> WaitingEvents:
    times = [time for each in objects if (time := layout.time_of_inbox_object(each.name))]
    since = min(times, default=None)
    return WaitingEvents(
        batches=len(objects),
        bytes=sum(each.size for each in objects),
        since=since,
        hours=_hours(since, now) if since else None,
    )


def _late(waiting: WaitingEvents | None, now: dt.datetime) -> list[str]:
    if waiting is None or waiting.since is None or now - waiting.since <= STALE:
        return []
    limit = int(STALE.total_seconds() // 3600)
    return [
        f"events wait for {waiting.hours} hours; the limit is {limit}, the next run applies them"
    ]


def _came_to_nothing(run: RunStatus) -> bool:
    match run.state:
        case "failed" | "rejected" | "dead":
            return True
        case "committed" | "superseded" | "running":
            return False
        case _:
            assert_never(run.state)


def _current_version(found: Current, manifest: Manifest | None, now: dt.datetime) -> CurrentVersion:
    committed_at = manifest.created_at if manifest else found.committed_at
    return CurrentVersion(
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


def _backlog(census: Census | None, today: dt.date) -> Backlog | None:
    if census is None:
        return None
    return Backlog(
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
