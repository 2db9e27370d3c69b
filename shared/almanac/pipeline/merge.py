"""The last step: choose days for all shards' candidates together, and write what changed."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apsw
import numpy as np
import pyarrow as pa

from almanac import civil
from almanac.balancing.load import Limits, Load, padded
from almanac.balancing.place import SkipCodes, place
from almanac.checksums import hexadecimal, row_checksums, table_checksum, text_checksums
from almanac.database.migrations import create_indexes, migrate
from almanac.database.reading import Snapshot
from almanac.database.writing import (
    ScheduleWriter,
    record_config,
    settle_new_targets,
    write_checkpoint,
    write_issues,
    write_target_statuses,
)
from almanac.errors import Corrupt
from almanac.frames import (
    NO_DAY,
    PLACEMENT_STEPS,
    Candidates,
    Codes,
    Contenders,
    Days,
    Mask,
    Placement,
    ScheduledDays,
    ScheduleRows,
    Small,
)
from almanac.pipeline.fragments import Fragment, read_contenders
from almanac.pipeline.run_plan import RunPlan
from almanac.planning.campaigns import TARGET_STATUSES, legacy_triggers
from almanac.planning.kinds import CAMPAIGN_CONFLICT, DAILY_CAP, Vocabulary
from almanac.planning.lookup import positions
from almanac.report.summary import Checksums, DayLoad, LeftOut, RunSummary
from almanac.storage import layout
from almanac.storage.store import ObjectStore

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Balanced:
    """Days for every contender of a run, and what they had to share the days with."""

    plan: RunPlan
    words: Vocabulary
    limits: Limits
    load: Load
    placement: Placement
    names: list[str]  # the fragments, in contact order
    unknown_targets: int


def fragment_names(plan: RunPlan) -> list[str]:
    """The objects that the run's shards write."""
    return [layout.fragment(plan.org_id, plan.run_id, n) for n in range(len(plan.shards))]


def is_complete(store: ObjectStore, plan: RunPlan) -> bool:
    """Whether every shard has written its fragment."""
    there = {info.name for info in store.list(layout.fragments(plan.org_id, plan.run_id))}
    return there.issuperset(fragment_names(plan))


def balance(store: ObjectStore, plan: RunPlan, database: Path, progress: Progress) -> Balanced:
    """Choose a day for each message of the run, whichever shard it comes from."""
    words = Vocabulary(plan.brief)
    names = fragment_names(plan)
    contenders: list[Contenders] = []
    scheduled: list[ScheduledDays] = []
    progress("read fragments", 0, len(names))
    for done, name in enumerate(names):
        data = store.read(name).data
        part, days = read_contenders(data, name)
        _check_contenders(part, name, plan, done, words)
        contenders.append(part)
        scheduled.append(days)
        progress("read fragments", done + 1, len(names))
    progress("balance", 0, 1)
    merged = Contenders.concat(contenders)
    contenders.clear()
    t0 = civil.day_of(plan.t0)
    limits = Limits.of(plan.brief.config, t0, plan.total_contacts, words.kinds)
    with Snapshot(database) as snapshot:
        load = _load(snapshot, ScheduledDays.concat(scheduled), t0)
        unknown_targets = snapshot.foreign_targets()[1]
        if plan.brief.legacy_instance is not None:
            unknown_targets += _converted_without_contact(snapshot)
    skip = SkipCodes(words.reason(DAILY_CAP), words.reason(CAMPAIGN_CONFLICT))
    placement = place(merged, load, limits, skip)
    progress("balance", 1, 1)
    return Balanced(plan, words, limits, load, placement, names, unknown_targets)


def _check_contenders(
    part: Contenders, name: str, plan: RunPlan, shard: int, words: Vocabulary
) -> None:
    """A fragment that speaks of other contacts, kinds or days than its shard's is refused."""
    if len(part) == 0:
        return
    first, last = plan.shards[shard]
    ids = part.contact_id
    horizon = civil.day_of(plan.brief.horizon)
    sound = (
        bool((ids[1:] >= ids[:-1]).all())
        and first <= int(ids[0])
        and int(ids[-1]) <= last
        and int(part.kind.min()) >= 0
        and int(part.kind.max()) < len(words.kinds)
        and civil.day_of(plan.t0) <= int(part.floor.min())
        and bool((part.floor <= part.ceiling).all())
        and bool((part.ceiling <= part.deadline).all())
        and int(part.ideal.max()) <= horizon
    )
    if not sound:
        raise Corrupt(f"{name}: its rows are not those of contacts {first} to {last} of this run")


def _load(snapshot: Snapshot, scheduled: ScheduledDays, t0: int) -> Load:
    """What stands whatever the run decides: all committed and pre-scheduled rows of the
    database, less the pre-scheduled ones of contacts in scope, which the run places anew."""
    text = civil.text_of(t0)
    standing = snapshot.standing(text)
    days = civil.parse_dates(standing["scheduled_send_date"])
    count = standing["count"].to_numpy()
    effective = standing["effective_date"].to_numpy() != 0
    known = days >= t0
    total = _by_day(days[known], count[known], t0)
    effective_total = _by_day(days[known & effective], count[known & effective], t0)
    size = max(len(total), int(scheduled.day.max(initial=t0)) - t0 + 1)
    mine = _by_day(scheduled.day, scheduled.count, t0)
    mine_effective = _by_day(scheduled.day, scheduled.effective_dates, t0)
    campaigns = snapshot.committed_campaigns(text)
    campaign_days = civil.parse_dates(campaigns["scheduled_send_date"])
    readable = campaign_days >= t0
    return Load(
        days=padded(total, size) - padded(mine, size),
        effective_dates=padded(effective_total, size) - padded(mine_effective, size),
        campaign_contacts=campaigns["contact_id"].to_numpy()[readable],
        campaign_days=campaign_days[readable],
    )


def _converted_without_contact(snapshot: Snapshot) -> int:
    """Old rate increases of unknown contacts, which become targets by the migration."""
    legacy = snapshot.legacy_rate_increases(-(1 << 63), (1 << 63) - 1)
    trigger = legacy_triggers(legacy)
    known = positions(snapshot.contact_ids(), legacy["contact_id"].to_numpy()) >= 0
    lost = (trigger != NO_DAY) & ~known
    contacts = legacy["contact_id"].to_numpy()[lost]
    return len(set(zip(contacts.tolist(), trigger[lost].tolist(), strict=True)))


def _by_day(days: Days, counts: np.ndarray, t0: int) -> np.ndarray:
    return np.bincount(days - t0, counts).astype(np.int64)


@dataclass(frozen=True)
class _Outcome:
    """A fragment with the final word on each of its candidates."""

    fragment: Fragment
    day: Days
    reason: Codes
    step: Small
    changed: Mask  # differs from the snapshot, or is not in it


def _outcomes(store: ObjectStore, balanced: Balanced) -> Iterator[_Outcome]:
    offset = 0
    for name in balanced.names:
        fragment = Fragment.from_parquet(store.read(name).data, name)
        candidates = fragment.candidates
        alive = candidates.reason == 0
        size = int(alive.sum())
        part = balanced.placement.take(slice(offset, offset + size))
        offset += size
        day, reason = candidates.ideal.copy(), candidates.reason.copy()
        day[alive], reason[alive] = part.day, part.reason
        step = np.full(len(candidates), PLACEMENT_STEPS.index("skipped"), np.int8)
        step[alive] = part.step
        same = candidates.previous_same & (candidates.previous_day == day)
        same &= candidates.previous_reason == reason
        yield _Outcome(fragment, day, reason, step, ~same)
    if offset != len(balanced.placement):
        raise Corrupt(f"run {balanced.plan.run_id}: its fragments changed while it was merged")


def write_run(
    store: ObjectStore,
    balanced: Balanced,
    connection: apsw.Connection | None,
    progress: Progress,
) -> RunSummary:
    """Write every change of the run inside the caller's transaction, and sum the run up.

    Without a connection nothing is written: the summary says what would be.
    """
    plan, words = balanced.plan, balanced.words
    tally = _Tally(balanced)
    writer = None
    migrations: list[str] = []
    if connection is not None:
        progress("migrate", 0, 1)
        migrations = migrate(connection, plan.brief.legacy_instance, plan.timestamp)
        writer = ScheduleWriter(
            connection,
            words.kinds,
            words.reasons,
            plan.brief.send_time,
            plan.run_id,
            plan.timestamp,
        )
    progress("write", 0, len(balanced.names))
    for done, outcome in enumerate(_outcomes(store, balanced)):
        tally.add(outcome)
        if connection is not None and writer is not None:
            _write(connection, writer, outcome, plan.timestamp)
        progress("write", done + 1, len(balanced.names))
    summary = tally.summary(migrations)
    if connection is not None:
        progress("index", 0, 1)
        summary.migrations += create_indexes(connection)
        if plan.brief.legacy_instance is not None:
            settle_new_targets(connection, plan.brief.legacy_instance, plan.timestamp)
        record_config(connection, plan.config_text, plan.timestamp)
        write_checkpoint(connection, **_checkpoint(plan, summary))
        progress("index", 1, 1)
    return summary


def _write(
    connection: apsw.Connection, writer: ScheduleWriter, outcome: _Outcome, now: str
) -> None:
    fragment, candidates = outcome.fragment, outcome.fragment.candidates
    removals = fragment.removals
    writer.remove(removals.previous_id[~removals.history])
    writer.expire(removals.previous_id[removals.history & removals.scheduled])
    rows = ScheduleRows(
        row_id=candidates.previous_id,
        contact_id=candidates.contact_id,
        kind=candidates.kind,
        event=candidates.event,
        ideal=candidates.ideal,
        day=outcome.day,
        reason=outcome.reason,
        sms=candidates.sms,
        details=candidates.details,
    ).take(outcome.changed)
    writer.write(rows, fragment.metadata)
    gone, written = fragment.issues.gone, fragment.issues.written
    if gone.num_rows or written.num_rows:
        write_issues(connection, _rows(gone), _rows(written), now)
    statuses = fragment.statuses
    if len(statuses):
        word = np.where(
            statuses.candidate < 0,
            TARGET_STATUSES.index("sent"),
            np.where(
                outcome.reason[statuses.candidate] == 0,
                TARGET_STATUSES.index("scheduled"),
                TARGET_STATUSES.index("skipped"),
            )
            if len(outcome.reason)
            else TARGET_STATUSES.index("sent"),
        )
        differs = word != statuses.status
        texts = [TARGET_STATUSES[code] for code in word[differs]]
        write_target_statuses(connection, statuses.target_id[differs], texts, now)


def _rows(table: pa.Table) -> Iterator[tuple[Any, ...]]:
    return zip(*(column.to_pylist() for column in table.itercolumns()), strict=True)


def _checkpoint(plan: RunPlan, summary: RunSummary) -> dict[str, str | int | None]:
    return {
        "run_timestamp": plan.timestamp,
        "scheduler_run_id": plan.run_id,
        "contacts_checksum": summary.checksums.contacts,
        "schedules_before_checksum": summary.checksums.schedules_before,
        "schedules_after_checksum": summary.checksums.schedules_after,
        "contacts_processed": summary.contacts_in_scope,
        "emails_scheduled": summary.planned_total,
        "emails_skipped": summary.skipped_total,
        "status": "completed",
        "completed_at": plan.timestamp,
    }


class _Tally:
    """Adds up what a run's fragments came to."""

    def __init__(self, balanced: Balanced) -> None:
        self.balanced = balanced
        words = balanced.words
        self.types = [kind.email_type for kind in words.kinds]
        self.planned = np.zeros(len(words.kinds), np.int64)
        self.skipped = np.zeros((len(words.reasons), len(words.kinds)), np.int64)
        self.steps = np.zeros(len(PLACEMENT_STEPS), np.int64)
        self.days: dict[int, Counter[str]] = defaultdict(Counter)
        self.changes: dict[str, Counter[str]] = defaultdict(Counter)
        self.issues: Counter[str] = Counter()
        self.facts: Counter[str] = Counter()
        self.after = 0
        self._type_sums = text_checksums(pa.array(self.types, pa.string()))
        self._instances = np.array([kind.instance for kind in words.kinds], np.int64)
        self._reason_sums = text_checksums(pa.array(words.reasons, pa.string()))
        time = balanced.plan.brief.send_time
        self._content_sums = np.stack(
            [
                text_checksums(pa.array([k.content(time, sms) for k in words.kinds], pa.string()))
                for sms in (False, True)
            ]
        )

    def add(self, outcome: _Outcome) -> None:
        """Count one fragment."""
        fragment, candidates = outcome.fragment, outcome.fragment.candidates
        self.issues.update(fragment.issue_counts)
        self.facts.update(fragment.facts)
        stands = outcome.reason == 0
        kinds = len(self.types)
        self.planned += np.bincount(candidates.kind[stands], minlength=kinds)
        flat = outcome.reason.astype(np.int64) * kinds + candidates.kind
        self.skipped += np.bincount(flat, minlength=self.skipped.size).reshape(self.skipped.shape)
        self.steps += np.bincount(outcome.step, minlength=len(self.steps))
        pairs, counts = np.unique(
            outcome.day[stands].astype(np.int64) * kinds + candidates.kind[stands],
            return_counts=True,
        )
        for pair, count in zip(pairs.tolist(), counts.tolist(), strict=True):
            self.days[pair // kinds][self.types[pair % kinds]] += count
        self._count_changes(outcome, candidates, stands)
        self.after += table_checksum(self._row_checksums(outcome, candidates, stands))

    def _count_changes(self, outcome: _Outcome, candidates: Candidates, stands: Mask) -> None:
        new = candidates.previous_id == 0
        stood = candidates.previous_reason == 0
        both = outcome.changed & ~new & stands & stood
        moved = both & (candidates.previous_day != outcome.day)
        for name, mask in (
            ("added", new & stands),
            ("skipped anew", outcome.changed & ~stands & (new | stood)),
            ("moved", moved),
            ("planned again", outcome.changed & ~new & stands & ~stood),
            ("updated", (both & ~moved) | (outcome.changed & ~new & ~stands & ~stood)),
            ("unchanged", ~outcome.changed),
        ):
            self._count(name, candidates.kind[mask])
        removals = outcome.fragment.removals
        self._count("removed", removals.kind[~removals.history])
        self._count("expired", removals.kind[removals.history & removals.scheduled])

    def _count(self, name: str, kinds: Codes) -> None:
        counts = np.bincount(kinds + 1, minlength=len(self.types) + 1)
        for kind in np.flatnonzero(counts):
            email_type = self.types[kind - 1] if kind else "other"
            self.changes[name][email_type] += int(counts[kind])

    def _row_checksums(self, outcome: _Outcome, candidates: Candidates, stands: Mask) -> np.ndarray:
        texts = np.append(text_checksums(outcome.fragment.metadata), np.uint64(0))
        return row_checksums(
            len(candidates),
            candidates.contact_id,
            self._type_sums[candidates.kind],
            self._instances[candidates.kind],
            candidates.event,
            outcome.day,
            candidates.ideal,
            np.where(stands, np.uint64(0), self._reason_sums[outcome.reason] + np.uint64(1)),
            self._content_sums[candidates.sms.astype(np.int8), candidates.kind],
            texts[candidates.details],
        )

    def summary(self, migrations: list[str]) -> RunSummary:
        """The numbers of the whole run."""
        plan, words, limits = self.balanced.plan, self.balanced.words, self.balanced.limits
        planned: Counter[str] = Counter()
        for email_type, count in zip(self.types, self.planned.tolist(), strict=True):
            planned[email_type] += count
        skipped: dict[str, Counter[str]] = defaultdict(Counter)
        for reason, kind in zip(*np.nonzero(self.skipped[1:]), strict=True):
            count = int(self.skipped[reason + 1, kind])
            skipped[words.reasons[reason + 1]][self.types[kind]] += count
        days = self._day_loads(limits.t0)
        totals = {day: sum(x.planned.values()) + x.fixed for day, x in days.items()}
        checksums = Checksums(
            contacts=hexadecimal(self.facts["contacts_checksum"]),
            schedules_before=hexadecimal(self.facts["before_checksum"]),
            schedules_after=hexadecimal(self.after + self.facts["history_checksum"]),
        )
        return RunSummary(
            org_id=plan.org_id,
            run_id=plan.run_id,
            as_of=plan.as_of,
            first_send_date=plan.t0,
            contacts_total=plan.total_contacts,
            contacts_in_scope=self.facts["contacts"],
            contacts_eligible=self.facts["eligible"],
            planned={t: n for t, n in sorted(planned.items()) if n},
            skipped={reason: dict(types) for reason, types in sorted(skipped.items())},
            placement=dict(zip(PLACEMENT_STEPS, self.steps.tolist(), strict=True)),
            days=days,
            daily_cap=limits.cap,
            ceiling=limits.ceiling,
            days_at_cap=[day for day, total in totals.items() if total >= limits.cap],
            days_above_ceiling=[day for day, total in totals.items() if total > limits.ceiling],
            changes={name: sum(counts.values()) for name, counts in sorted(self.changes.items())},
            changes_by_type={name: dict(counts) for name, counts in sorted(self.changes.items())},
            issues=dict(sorted(self.issues.items())),
            left_out=[
                LeftOut(instance_id=i.id, name=i.name, problem=i.problem)
                for i in plan.brief.instances
                if i.problem is not None
            ],
            unknown_targets=self.balanced.unknown_targets,
            migrations=migrations,
            checksums=checksums,
            config_digest=plan.brief.config.digest(),
        )

    def _day_loads(self, t0: int) -> dict[str, DayLoad]:
        fixed = self.balanced.load.days
        days = sorted({*self.days, *(t0 + int(d) for d in np.flatnonzero(fixed))})
        return {
            civil.text_of(day): DayLoad(
                planned=dict(sorted(self.days[day].items())),
                fixed=int(fixed[day - t0]) if day - t0 < len(fixed) else 0,
            )
            for day in days
        }
