"""The status of one organization, read from a few small objects.

It opens no database and lists only the names of runs. It contains no personal data: only counts,
ids of runs and campaigns, and reasons without addresses.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import assert_never

from almanac.database.census import Census
from almanac.logs import clean
from almanac.names import date_of_run
from almanac.organizations.organizations import LastRun
from almanac.organizations.overdue import STALE, staleness
from almanac.plurals import plural
from almanac.report.events import unreadable_in_words
from almanac.runs.organization_summary import VersionFacts, newest_runs
from almanac.runs.results import RunResult
from almanac.status.documents import Documents
from almanac.status.model import (
    Backlog,
    CurrentVersion,
    Kind,
    LastSuccess,
    OrganizationStatus,
    Outcomes,
    RunStatus,
    WaitingEvents,
)
from almanac.storage import layout
from almanac.storage.lease import LeaseDocument
from almanac.storage.store import ObjectInfo, ObjectStore

Found = list[tuple[Kind, str]]

# statuses that a sender may write, compared without case and blanks
NOT_TRIED = frozenset({"", "scheduled", "processing", "queued", "pending", "cancelled", "canceled"})
WITH_SENDER = frozenset({"scheduled", "processing", "queued", "pending"})
FAILED = frozenset({"failed", "bounced", "error", "rejected", "dropped", "undelivered"})


def organization_status(store: ObjectStore, org: str, now: dt.datetime) -> OrganizationStatus:
    """Return the status of one organization, also if documents of it are missing or invalid.

    Raises RequestError for an invalid organization id.
    """
    return _status(Documents(store, org), now)


def listed_status(store: ObjectStore, org: str, now: dt.datetime) -> OrganizationStatus:
    """Return the same as `organization_status`, of fewer reads where summary.json is up to date.

    What was written once and copied there is not read again, so that damage to it does not show.
    """
    return _status(Documents.with_summary(store, org), now)


def _status(documents: Documents, now: dt.datetime) -> OrganizationStatus:
    facts, zone = documents.facts(), documents.zone()
    last, census = (facts.last, facts.census) if facts else (None, None)
    runs = _runs(documents, now)
    inbox = documents.inbox()
    waiting = _waiting(inbox, now) if inbox is not None else None
    due = _backlog(census, now.astimezone(zone).date())
    committed = next((each for each in runs if each.state == "committed"), None)
    problems: Found = [("unreadable", text) for text in documents.problems]
    problems += [("unreadable", text) for text in _unreadable(committed, inbox or [])]
    if facts and (last or not documents.problems) and (late := staleness(last, now)):
        problems.append(("late", late))
    warnings = [*_warnings(runs, due), *_refused(committed), *_late(waiting, now)]
    status = OrganizationStatus(
        org_id=documents.org,
        ok=not problems,
        problems=[text for _, text in problems],
        warnings=[text for _, text in warnings],
        kinds=[kind for kind, _ in [*problems, *warnings]],
        version=_current_version(facts, now) if facts else None,
        last_success=_success(last, now) if last else None,
        last_run=runs[0] if runs else None,
        last_failure=next((r for r in runs if r.state in ("failed", "rejected")), None),
        waiting=waiting,
        due=due,
        outcomes=_outcomes(census.outcomes) if census else None,
        data=facts.data if facts else None,
    )
    return OrganizationStatus.model_validate(clean(status.model_dump(mode="json")))


def _runs(documents: Documents, now: dt.datetime) -> list[RunStatus]:
    """Return the newest runs, the last one first: by as_of, then by the time of their end."""
    names, lease = documents.runs(), documents.lease()
    newest = newest_runs(names)
    if lease and lease.run_id in names and lease.run_id not in newest:
        newest.append(lease.run_id)
    found = []
    for run_id in newest:
        result, is_read = documents.result(run_id)
        if is_read:
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


def _warnings(runs: list[RunStatus], due: Backlog | None) -> Found:
    warnings: Found = []
    if runs and _came_to_nothing(runs[0]):
        reason = f": {runs[0].reason}" if runs[0].reason else ""
        text = f"the last run, {runs[0].run_id}, is {runs[0].state}{reason}"
        warnings.append(("dead" if runs[0].state == "dead" else "failed", text))
    if due and due.overdue:
        text = f"{due.overdue:,} messages were due before today and are not sent"
        warnings.append(("overdue", text))
    return warnings


def _refused(run: RunStatus | None) -> Found:
    if run is None or not run.refused:
        return []
    entries = plural(run.refused, "entry", "entries")
    table = "its report has examples, the table intake_log all"
    return [("refused", f"the last run, {run.run_id}, refused {entries} of events: {table}")]


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


def _late(waiting: WaitingEvents | None, now: dt.datetime) -> Found:
    if waiting is None or waiting.since is None or now - waiting.since <= STALE:
        return []
    limit = int(STALE.total_seconds() // 3600)
    text = f"events wait for {waiting.hours} hours; the limit is {limit}, the next run applies them"
    return [("waiting", text)]


def _came_to_nothing(run: RunStatus) -> bool:
    match run.state:
        case "failed" | "rejected" | "dead":
            return True
        case "committed" | "superseded" | "running":
            return False
        case _:
            assert_never(run.state)


def _current_version(facts: VersionFacts, now: dt.datetime) -> CurrentVersion:
    version = facts.version
    return CurrentVersion(
        version=version.version,
        run_id=version.run_id,
        as_of=version.as_of,
        committed_at=facts.created_at,
        hours=_hours(facts.created_at, now),
        in_force_since=version.committed_at,
        size=version.size,
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
