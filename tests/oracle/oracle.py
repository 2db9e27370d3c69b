"""A whole plan: which rows there should be, and which should go (semantics: Writing)."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from .campaigns import Campaigns, read_campaigns
from .candidates import (
    UNSET,
    Candidate,
    Identity,
    Run,
    aep_candidates,
    anniversary_candidates,
    campaign_candidates,
    post_window_candidates,
)
from .contacts import FIVE_ZIPS, Contact, ZipStates, read_contact, renamed
from .database import Database, Record, whole
from .followups import followup_candidates
from .placing import Limits, limits, place, set_target, smooth
from .schedules import Scheduled, campaign_instance, read_scheduled
from .settings import Config, merged
from .sifting import live, sift


@dataclass(frozen=True)
class Row:
    """A planned row as it should be; below the line, what property checks want to know."""

    contact_id: int
    email_type: str
    campaign_instance_id: int | None
    event_date: date
    ideal_send_date: date
    scheduled_send_date: date
    scheduled_send_time: str
    status: str
    skip_reason: str | None
    priority: int
    email_template: str | None
    sms_template: str | None
    metadata: dict[str, Any] | None

    deadline: date = field(compare=False)
    respects_windows: bool = field(compare=False)
    kept: bool = field(compare=False)  # it found its own day in the last plan
    lo: date | None = field(compare=False)
    hi: date | None = field(compare=False)
    target: date | None = field(compare=False)
    row_id: int | None = field(compare=False)  # the planned row that it updates, if any


@dataclass(frozen=True)
class Plan:
    """What a run should leave behind."""

    rows: list[Row]
    removed: set[int]  # ids of planned rows that must go, migrated ones included
    history: set[int]  # ids of planned rows that become skipped as not sent in time
    issues: set[tuple[int, str]]
    errors: list[tuple[int, str]]  # instances left out, and why
    unknown_targets: set[tuple[int, int | None]]  # (instance, contact id) of contacts not there
    migrated: set[int]  # ids of old rate increases that became targets
    scope: set[int]  # contact ids
    as_of: date
    t0: date
    total: int
    C: int
    X: int
    is_closed: Callable[[date], bool]
    effective_date_limit: int


def _grouped(records: Iterable[Any], key: Callable[[Any], Any]) -> dict[Any, list[Any]]:
    groups: dict[Any, list[Any]] = defaultdict(list)
    for record in records:
        groups[key(record)].append(record)
    return groups


@dataclass(frozen=True)
class Snapshot:
    """An agency's database, read."""

    contacts: list[Record]
    suppressions: list[Record]
    scheduled: list[Scheduled]
    clicks: dict[int, list[Record]]
    events: dict[int, list[Record]]
    campaigns: Campaigns


def read(path: str | Path) -> Snapshot:
    """Read everything the rules look at; the database is opened read-only."""
    with Database(path) as database:
        scheduled = [read_scheduled(row) for row in database.records("email_schedules")]
        return Snapshot(
            contacts=database.records("contacts"),
            suppressions=database.records("suppressions"),
            scheduled=scheduled,
            clicks=_grouped(
                database.records("tracking_clicks"), lambda row: whole(row["contact_id"])
            ),
            events=_grouped(
                database.records("contact_events"), lambda row: whole(row["contact_id"])
            ),
            campaigns=read_campaigns(database, scheduled),
        )


def _candidates(
    contact: Contact, run: Run, rows: list[Scheduled], snapshot: Snapshot
) -> list[Candidate]:
    """All candidates of a contact, suppression said (semantics: Contacts, Candidates)."""
    if not contact.eligible:
        return []

    def instance_of(row: Scheduled) -> int | None:
        return campaign_instance(row, run.campaigns.types_by_instance)

    campaigns = campaign_candidates(contact, run, rows, instance_of)
    clicks, events = snapshot.clicks.get(contact.id, []), snapshot.events.get(contact.id, [])
    found = [
        *anniversary_candidates(contact, run, rows),
        *aep_candidates(contact, run, rows),
        *post_window_candidates(contact, run, rows, campaigns),
        *campaigns,
        *followup_candidates(contact, run, rows, clicks, events, instance_of),
    ]
    for one in found:
        if one.respects_windows and contact.date_unknown:
            one.reason = contact.date_unknown
        one.reason = contact.suppressed(one.email_type) or one.reason
    return found


def _reached(day: date) -> date | None:
    return None if day == UNSET else day


def _row(one: Candidate, send_time: str, row_id: int | None) -> Row:
    return Row(
        contact_id=one.contact.id,
        email_type=one.email_type,
        campaign_instance_id=one.instance,
        event_date=one.event,
        ideal_send_date=one.ideal,
        scheduled_send_date=one.ideal if one.day is None else one.day,
        scheduled_send_time=f"{send_time}:00",
        status="skipped" if one.day is None else "pre-scheduled",
        skip_reason=one.reason,
        priority=one.priority,
        email_template=one.email_template,
        sms_template=(one.sms_template if one.contact.may_be_texted(one.email_type) else None),
        metadata=one.metadata,
        deadline=one.deadline,
        respects_windows=one.respects_windows,
        kept=one.kept,
        lo=_reached(one.lo),
        hi=_reached(one.hi),
        target=_reached(one.target),
        row_id=row_id,
    )


def _identified(planned: list[Scheduled]) -> dict[Identity, Scheduled]:
    """Planned rows by identity, of several the oldest; an older scheduler's are nobody's
    (semantics: Input database, Writing)."""
    return {
        (row.contact_id, row.stored_type, row.instance or 0, row.event): row
        for row in sorted(planned, key=lambda row: row.id, reverse=True)
        if row.has_ideal and row.event is not None and row.contact_id is not None
    }


def _place_all(
    candidates: list[Candidate],
    standing: list[Scheduled],
    own_rows: dict[Identity, Scheduled],
    limit: Limits,
    run: Run,
) -> None:
    """Steps 7 to 9 for the candidates of all contacts in scope."""
    waiting = live(candidates)
    before = {key: row for key, row in own_rows.items() if row.status == "pre-scheduled"}
    for one in waiting:
        set_target(one, before, run.t0, run.config)
    smooth(waiting, standing, limit.effective_dates, run.t0, run.config)
    place(waiting, standing, limit, run.t0)


def _contacts_by_id(snapshot: Snapshot, config: Config) -> dict[int, Record]:
    """The contacts under the names of the program; of several with one id the first."""
    found: dict[int, Record] = {}
    for record in snapshot.contacts:
        record = renamed(record, config)
        number = whole(record["id"])
        if number is not None:
            found.setdefault(number, record)
    return found


def _sifted(
    records: Iterable[Record],
    run: Run,
    snapshot: Snapshot,
    committed: dict[Any, list[Scheduled]],
    zip_states: ZipStates,
) -> tuple[list[Candidate], set[tuple[int, str]]]:
    """Steps 1 to 6 for these contacts: their candidates, and their issues."""
    candidates: list[Candidate] = []
    issues: set[tuple[int, str]] = set()
    for record in records:
        contact, wrong = read_contact(
            record, run.config, run.as_of, snapshot.suppressions, zip_states
        )
        issues |= {(contact.id, issue) for issue in wrong}
        rows = committed.get(contact.id, [])
        own = _candidates(contact, run, rows, snapshot)
        sift(own, rows, run.t0, run.config)
        candidates += own
    return candidates, issues


def plan(
    path: str | Path,
    as_of: date,
    t0: date,
    config: Config | None = None,
    contacts: set[int] | None = None,
    *,
    zip_states: ZipStates = FIVE_ZIPS,
) -> Plan:
    """The plan that a run over the contacts (None: all) should leave in the database."""
    snapshot = read(path)
    run = Run(as_of, t0, merged(config), snapshot.campaigns)
    contacts_by_id = _contacts_by_id(snapshot, run.config)
    everyone = set(contacts_by_id)
    scope = everyone if contacts is None else everyone & contacts
    kept_rows = [row for row in snapshot.scheduled if row.id not in run.campaigns.migrated]
    committed = _grouped((row for row in kept_rows if not row.planned), lambda row: row.contact_id)
    in_scope = [record for number, record in contacts_by_id.items() if number in scope]
    candidates, issues = _sifted(in_scope, run, snapshot, committed, zip_states)

    planned = [row for row in kept_rows if row.planned and row.contact_id in scope]
    standing = [
        row
        for row in kept_rows
        if not row.planned or (row.status == "pre-scheduled" and row.contact_id not in scope)
    ]
    own_rows = _identified(planned)
    limit = limits(len(snapshot.contacts), run.config)
    _place_all(candidates, standing, own_rows, limit, run)

    by_identity = {one.identity: own_rows.get(one.identity) for one in candidates}
    updated = {row.id for row in by_identity.values() if row is not None}
    gone = [row for row in planned if row.id not in updated]
    old = [row for row in gone if row.send_date is None or row.send_date < as_of]
    send_time = run.config["send_time"]
    row_ids = {key: row.id for key, row in by_identity.items() if row is not None}
    return Plan(
        rows=[
            _row(one, send_time, row_ids.get(one.identity))
            for one in sorted(candidates, key=lambda c: c.identity)
        ],
        removed={row.id for row in gone} - {row.id for row in old} | run.campaigns.migrated,
        history={row.id for row in old if row.status == "pre-scheduled"},
        issues=issues,
        errors=run.campaigns.errors,
        unknown_targets={
            (target.instance, target.contact_id)
            for target in run.campaigns.targets
            if target.contact_id not in everyone
        },
        migrated=run.campaigns.migrated,
        scope=scope,
        as_of=as_of,
        t0=t0,
        total=len(snapshot.contacts),
        C=limit.c,
        X=limit.x,
        is_closed=limit.closed,
        effective_date_limit=limit.effective_dates,
    )
