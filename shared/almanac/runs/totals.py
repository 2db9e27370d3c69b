"""The totals of a run: its summary."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from almanac import civil
from almanac.checksums import (
    contacts_text,
    hexadecimal,
    row_checksums,
    table_checksum,
    text_checksums,
)
from almanac.frames import (
    PLACEMENT_STEPS,
    Codes,
    Index,
    Small,
)
from almanac.joins import positions
from almanac.organizations.brief import aep_in_words, left_out, split_overlaps, unreadable
from almanac.planning.removed import WHYS
from almanac.report.alerts import alerts
from almanac.report.lines import ChangeLine, ClosedDayMoves
from almanac.report.summary import Checksums, DayLoad, RunSummary
from almanac.runs.balance import Balanced
from almanac.runs.outcomes import Outcome
from almanac.statistics.breakdowns import STATES, Figures, PlannedGroup, combinations
from almanac.statistics.change_reasons import (
    ADDED,
    EXPIRED,
    MOVED,
    OTHER_SKIP,
    SKIPPED_BEFORE,
    UPDATED,
    kinds_of,
    why_added,
    why_moved,
    why_updated,
)


class PlanTotals:
    """Adds up the outcomes of a run's fragments."""

    def __init__(self, balanced: Balanced) -> None:
        self.balanced = balanced
        kind_table = balanced.kind_table
        self.types = [kind.email_type for kind in kind_table.kinds]
        self.planned = np.zeros(len(kind_table.kinds), np.int64)
        self.skipped = np.zeros((len(kind_table.reasons), len(kind_table.kinds)), np.int64)
        self.steps = np.zeros(len(PLACEMENT_STEPS), np.int64)
        self.waiting = np.zeros(len(kind_table.kinds), np.int64)  # for the frequency limit
        self.days: dict[int, Counter[str]] = defaultdict(Counter)
        self.figures = Figures(entries=balanced.facts.suppressions)
        self.changes: dict[str, Counter[str]] = defaultdict(Counter)
        self.whys: Counter[tuple[str, str, str]] = Counter()  # change, why, email type
        self.moved_off_closed = ClosedDayMoves()
        self.issues: Counter[str] = Counter()
        self.facts: Counter[str] = Counter()
        self.after = 0
        self._type_sums = text_checksums(pa.array(self.types, pa.string()))
        self._as_of = civil.day_of(balanced.plan.as_of)
        self._kinds = kinds_of(self.types, balanced.plan.context.config)
        self._instances = np.array([kind.instance for kind in kind_table.kinds], np.int64)
        self._reason_sums = text_checksums(pa.array(kind_table.reasons, pa.string()))
        time = balanced.plan.context.send_time
        self._content_sums = np.stack(
            [
                text_checksums(
                    pa.array([k.content(time, sms) for k in kind_table.kinds], pa.string())
                )
                for sms in (False, True)
            ]
        )

    def add(self, outcome: Outcome) -> None:
        """Add one fragment."""
        fragment, candidates = outcome.fragment, outcome.fragment.candidates
        self.issues.update(fragment.issue_counts)
        self.facts.update(fragment.facts)
        self._count_figures(outcome)
        scheduled = outcome.reason == 0
        kinds = len(self.types)
        self.planned += np.bincount(candidates.kind[scheduled], minlength=kinds)
        waits = scheduled & (candidates.x > candidates.ideal)
        self.waiting += np.bincount(candidates.kind[waits], minlength=kinds)
        self._count_moved_off_closed(outcome)
        flat = outcome.reason.astype(np.int64) * kinds + candidates.kind
        self.skipped += np.bincount(flat, minlength=self.skipped.size).reshape(self.skipped.shape)
        self.steps += np.bincount(outcome.step, minlength=len(self.steps))
        pairs, counts = np.unique(
            outcome.day[scheduled].astype(np.int64) * kinds + candidates.kind[scheduled],
            return_counts=True,
        )
        for pair, count in zip(pairs.tolist(), counts.tolist(), strict=True):
            self.days[pair // kinds][self.types[pair % kinds]] += count
        self._count_changes(outcome)
        self.after += table_checksum(self._row_checksums(outcome))

    def _count_moved_off_closed(self, outcome: Outcome) -> None:
        closed = list(self.balanced.limits.closed)
        if closed:
            ideal = outcome.fragment.candidates.ideal
            moved = (outcome.reason == 0) & np.isin(ideal, closed)
            self.moved_off_closed.messages += int(moved.sum())
            self.moved_off_closed.days += int(np.abs(outcome.day[moved] - ideal[moved]).sum())

    def _count_figures(self, outcome: Outcome) -> None:
        """Count the rows dated as_of or later; skipped rows may be older."""
        fragment, candidates = outcome.fragment, outcome.fragment.candidates
        figures, kind_table = self.figures, self.balanced.kind_table
        figures.add_audience(fragment.audience)
        figures.sent.update(fragment.sent)
        shown = outcome.day >= self._as_of
        columns = (candidates.kind[shown], outcome.reason[shown], candidates.state[shown] + 1)
        sizes = (len(kind_table.kinds), len(kind_table.reasons), len(STATES))
        for (code, reason, state), count in combinations(columns, sizes):
            kind = kind_table.kinds[code]
            reason_text = kind_table.reasons[reason]
            row = PlannedGroup(kind.email_type, kind.instance, STATES[state], reason_text)
            figures.rows[row] += count

    def _count_changes(self, outcome: Outcome) -> None:
        """Count what the run does to each row, and why.

        Each candidate is either unchanged or exactly one of:

            row before / after   scheduled                       skipped
            none                 added                           skipped anew
            scheduled            moved (other day), or updated   skipped anew
            skipped              planned again                   updated

        Rows without a candidate are removed, or expired if their day has passed.
        """
        candidates, changed = outcome.fragment.candidates, outcome.changed
        kind, reasons = candidates.kind, self.balanced.kind_table.reasons
        absent = candidates.previous_id == 0
        was_scheduled = ~absent & (candidates.previous_reason == 0)
        was_skipped = ~absent & (candidates.previous_reason != 0)
        scheduled, skipped = outcome.reason == 0, outcome.reason != 0
        other_day = candidates.previous_day != outcome.day

        added = np.flatnonzero(changed & absent & scheduled)
        newly_skipped = changed & ~was_skipped & skipped
        moved = changed & was_scheduled & scheduled & other_day
        again = changed & was_skipped & scheduled
        updated = changed & ((was_scheduled & scheduled & ~other_day) | (was_skipped & skipped))

        self._count("added", kind[added], self._why_added(outcome, added), ADDED)
        self._count("skipped anew", kind[newly_skipped], outcome.reason[newly_skipped], reasons)
        t0, campaign = self.balanced.limits.t0, self._kinds.campaign
        why = why_moved(candidates.take(moved), campaign, t0, self.balanced.limits.closed)
        self._count("moved", kind[moved], why, MOVED)
        before = [SKIPPED_BEFORE.format(text) for text in (OTHER_SKIP, *reasons)]
        self._count("planned again", kind[again], candidates.previous_reason[again] + 1, before)
        why = why_updated(candidates.take(updated), outcome.reason[updated], outcome.day[updated])
        self._count("updated", kind[updated], why, UPDATED)
        for (code,), count in combinations([kind[~changed]], [len(self.types)]):
            self.changes["unchanged"][self.types[code]] += count
        removals = outcome.fragment.removals
        gone, expired = ~removals.history, removals.history & removals.scheduled
        self._count("removed", removals.kind[gone], removals.why[gone], WHYS)
        self._count("expired", removals.kind[expired], removals.why[expired], EXPIRED)

    def _why_added(self, outcome: Outcome, rows: Index) -> Codes:
        candidates, removals = outcome.fragment.candidates, outcome.fragment.removals
        contact = candidates.contact_id[rows]
        before = candidates.contact_id[candidates.previous_id != 0]
        unknown = (positions(before, contact) < 0) & ~np.isin(contact, removals.contact_id)
        columns = candidates.kind[rows], candidates.event[rows], candidates.ideal[rows]
        return why_added(self.balanced.facts.before, self._kinds, *columns, unknown)

    def _count(self, change: str, kinds: Codes, why: Codes | Small, texts: Sequence[str]) -> None:
        """Count the rows of a change by kind (-1: any other) and by why (an index of texts)."""
        sizes = (len(self.types) + 1, len(texts))
        for (kind, code), count in combinations([kinds + 1, why], sizes):
            email_type = self.types[kind - 1] if kind else "other"
            self.changes[change][email_type] += count
            self.whys[change, texts[code], email_type] += count

    def _row_checksums(self, outcome: Outcome) -> np.ndarray:
        """Return one checksum per candidate of the columns that its row has after the run."""
        candidates = outcome.fragment.candidates
        skipped = self._reason_sums[outcome.reason] + np.uint64(1)
        texts = np.append(text_checksums(outcome.fragment.metadata), np.uint64(0))
        return row_checksums(
            len(candidates),
            candidates.contact_id,
            self._type_sums[candidates.kind],
            self._instances[candidates.kind],
            candidates.event,
            outcome.day,
            candidates.ideal,
            np.where(outcome.reason == 0, np.uint64(0), skipped),
            self._content_sums[candidates.sms.astype(np.int8), candidates.kind],
            texts[candidates.details],
        )

    def summary(self, migrations: list[str]) -> RunSummary:
        """Return the summary of the whole run."""
        plan, limits = self.balanced.plan, self.balanced.limits
        planned, waiting = self._by_type(self.planned), self._by_type(self.waiting)
        days = self._day_loads()
        totals = {day: sum(x.planned.values()) + x.fixed for day, x in days.items()}
        closed = {str(day) for day in plan.context.closed_days}
        return RunSummary(
            org_id=plan.org_id,
            run_id=plan.run_id,
            as_of=plan.as_of,
            first_send_date=plan.t0,
            contacts_total=plan.total_contacts,
            contacts_in_scope=self.facts["contacts"],
            contacts_eligible=self.facts["eligible"],
            scheduled_before=self.facts["scheduled_before"],
            planned=planned,
            waiting_for_limit=waiting,
            skipped=self._skipped_by_reason(),
            placement=dict(zip(PLACEMENT_STEPS, self.steps.tolist(), strict=True)),
            days=days,
            daily_cap=limits.cap,
            ceiling=limits.ceiling,
            closed_days=sorted(day for day in closed if day <= str(plan.context.horizon)),
            moved_off_closed=self.moved_off_closed,
            days_at_cap=[
                day for day, total in totals.items() if total >= limits.cap and day not in closed
            ],
            days_above_ceiling=[
                day for day, total in totals.items() if day in closed or total > limits.ceiling
            ],
            changes={name: counts.total() for name, counts in sorted(self.changes.items())},
            changes_by_type={
                name: dict(sorted(counts.items())) for name, counts in sorted(self.changes.items())
            },
            issues=dict(sorted(self.issues.items())),
            changes_by_reason=[
                ChangeLine(change=change, why=why, email_type=kind, count=count)
                for (change, why, kind), count in sorted(self.whys.items())
            ],
            changes_since=self.balanced.facts.before.words,
            **self.figures.lines(plan.context),
            shards=len(plan.shards),
            of_all_contacts=plan.of_all_contacts,
            left_out=left_out(plan.context),
            unknown_targets=self.balanced.facts.unknown_targets,
            aep=aep_in_words(plan.context),
            split_overlaps=split_overlaps(plan.context),
            unknown_flags=self.balanced.facts.unknown_flags,
            alerts=self._alerts(),
            likely_columns=self.balanced.facts.likely_columns,
            **unreadable(self.balanced.facts.oddities),
            shared_addresses=self.balanced.facts.shared_addresses,
            scheduled_by_others=self.balanced.facts.scheduled_by_others,
            migrations=migrations,
            checksums=self._checksums(),
            config_digest=plan.context.config.digest(),
        )

    def _skipped_by_reason(self) -> dict[str, dict[str, int]]:
        skipped: dict[str, Counter[str]] = defaultdict(Counter)
        for reason, kind in zip(*np.nonzero(self.skipped[1:]), strict=True):
            count = int(self.skipped[reason + 1, kind])
            skipped[self.balanced.kind_table.reasons[reason + 1]][self.types[kind]] += count
        return {reason: dict(types) for reason, types in sorted(skipped.items())}

    def _checksums(self) -> Checksums:
        return Checksums(
            contacts=contacts_text(self.facts["contacts_checksum"]),
            schedules_before=hexadecimal(self.facts["before_checksum"]),
            schedules_after=hexadecimal(self.after + self.facts["history_checksum"]),
        )

    def _alerts(self) -> list[str]:
        plan = self.balanced.plan
        if not plan.of_all_contacts:  # a few contacts say nothing of the file
            return []
        any_rule = any(plan.context.config.rules.values())
        return alerts(self.figures.states, any_rule, self.issues, self.facts)

    def _by_type(self, counts: np.ndarray) -> dict[str, int]:
        """Return the counts of kinds by email type, in order, without zeros."""
        found: Counter[str] = Counter()
        for email_type, count in zip(self.types, counts.tolist(), strict=True):
            found[email_type] += count
        return {email_type: count for email_type, count in sorted(found.items()) if count}

    def _day_loads(self) -> dict[str, DayLoad]:
        counts, first = self.balanced.fixed, self._as_of
        fixed = {first + int(offset): int(counts[offset]) for offset in np.flatnonzero(counts)}
        return {
            civil.text_of(day): DayLoad(
                planned=dict(sorted(self.days[day].items())), fixed=fixed.get(day, 0)
            )
            for day in sorted({*self.days, *fixed})
        }
