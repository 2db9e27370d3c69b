"""The lines of the report, from counts of planned rows and of contacts."""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from almanac import civil
from almanac.planning.audience import Audience
from almanac.planning.brief import Instance, RunContext
from almanac.planning.kinds import KindTable
from almanac.planning.rule_text import one_rule_in_words, rule_in_words
from almanac.planning.suppressions import in_force
from almanac.report.lines import (
    UNKNOWN,
    CampaignLine,
    MessageCount,
    StateLine,
    SuppressionLine,
    by_count,
)
from almanac.rules.gaps import rule_events, rules_line
from almanac.rules.states import USPS_STATES
from almanac.schedule_status import (
    EXCLUSION_SKIPS,
    INELIGIBLE_SKIPS,
    SkipCode,
    parse_code,
    parse_reason,
    suppression_reason,
)

NO_REASON = "no reason given"  # of a skipped row that Almanac did not write
STATES = (UNKNOWN, *USPS_STATES)  # by state code + 1
# these are tested before the windows
BEFORE_WINDOWS = (SkipCode.SUPPRESSED, *INELIGIBLE_SKIPS)

Integers = npt.NDArray[np.integer[Any]]


class PlannedGroup(NamedTuple):
    """What planned rows are counted by; the reason of a PRE_SCHEDULED row is ''."""

    email_type: str
    instance: int  # 0 without
    state: str
    reason: str


@dataclass
class Figures:
    """Counts of planned rows dated as_of or later, and of contacts who can get messages."""

    rows: Counter[PlannedGroup] = field(default_factory=Counter)
    states: Counter[str] = field(default_factory=Counter)
    reach: Counter[int] = field(default_factory=Counter)  # by instance
    sent: Counter[int] = field(default_factory=Counter)
    suppressed: Counter[str] = field(default_factory=Counter)  # by skip reason
    entries: Counter[str] = field(default_factory=Counter)  # suppressions in force, likewise
    left_out: Counter[str] = field(default_factory=Counter)  # contacts who can get none, by why
    protected: Counter[tuple[str, int]] = field(default_factory=Counter)  # by state and week

    def add_audience(self, audience: Audience) -> None:
        """Add the contacts of a range."""
        for state, count in audience.states.items():
            self.states[state or UNKNOWN] += count
        self.reach.update(audience.reach)
        self.suppressed.update(audience.suppressed)
        self.left_out.update(audience.left_out)
        for state, counts in audience.protected.items():
            self.protected.update({(state, week): n for week, n in enumerate(counts)})

    def add(self, other: Figures) -> None:
        """Add the counts of other rows and contacts."""
        for each in fields(self):
            getattr(self, each.name).update(getattr(other, each.name))

    def lines(self, context: RunContext) -> dict[str, Any]:
        """Return the fields of RunSummary and PageData that show the counts, each in its order."""
        return {
            "messages": self._messages(),
            "states": self._states(context),
            "campaigns": self._campaigns(context),
            "suppressions": self._suppressions(),
            "contacts_left_out": dict(by_count(self.left_out)),
            "rules": rules_line(context.config, context.as_of, context.horizon, self.states),
        }

    def _messages(self) -> list[MessageCount]:
        counts: Counter[tuple[str, str, str]] = Counter()
        for row, count in self.rows.items():
            counts[row.email_type, row.state, row.reason] += count
        return [
            MessageCount(email_type=kind, state=state, reason=reason, count=counts[key])
            for key in sorted(counts)
            for kind, state, reason in [key]
        ]

    def _states(self, context: RunContext) -> list[StateLine]:
        respects = {
            (k.email_type, k.instance): k.respects_windows for k in KindTable(context).kinds
        }
        checked: Counter[str] = Counter()
        hits: Counter[str] = Counter()
        for row, count in self.rows.items():
            code = parse_code(row.reason)
            if code in BEFORE_WINDOWS or not respects.get((row.email_type, row.instance), True):
                continue
            checked[row.state] += count
            hits[row.state] += count if code in EXCLUSION_SKIPS else 0
        there = {row.state for row in self.rows} | self.states.keys()
        changes: dict[str, list[tuple[dt.date, str]]] = defaultdict(list)
        for event in rule_events(context.config, context.as_of, context.horizon):
            words = event.in_words(one_rule_in_words(event.rule))
            changes[event.state].append((event.day, words))
        return [
            StateLine(
                state=state,
                contacts=self.states[state],
                rule=rule_in_words(state, context.config),
                checked=checked[state],
                hits=hits[state],
                protected=[
                    self.protected[state, week]
                    for week in range(len(context.weeks))
                    if (state, week) in self.protected
                ],
                rule_changes=changes.get(state, []),
            )
            for state in sorted(there, key=lambda each: (each == UNKNOWN, each))
        ]

    def _campaigns(self, context: RunContext) -> list[CampaignLine]:
        planned: Counter[int] = Counter()
        skipped: dict[int, Counter[str]] = defaultdict(Counter)
        for row, count in self.rows.items():
            if not row.email_type.startswith("campaign_"):
                continue
            if row.reason:
                skipped[row.instance][row.reason] += count
            else:
                planned[row.instance] += count
        return [
            CampaignLine(
                instance_id=each.id,
                name=each.name,
                campaign_type=each.type_name,
                start=each.active_start,
                end=each.active_end,
                reach=self.reach[each.id],
                sent=self.sent[each.id],
                planned=planned[each.id],
                skipped=dict(sorted(skipped[each.id].items())),
                problem=each.problem or why_inactive(each, context.as_of),
                left_out=each.problem is not None,
            )
            for each in sorted(context.instances, key=lambda each: each.id)
        ]

    def _suppressions(self) -> list[SuppressionLine]:
        messages: Counter[str] = Counter()
        for row, count in self.rows.items():
            messages[row.reason] += count
        held = {text for text in messages if parse_code(text) is SkipCode.SUPPRESSED}
        return [
            SuppressionLine(
                reason=found.detail if (found := parse_reason(reason)) else reason,
                entries=self.entries[reason],
                contacts=self.suppressed[reason],
                messages=messages[reason],
            )
            for reason in sorted(self.entries.keys() | self.suppressed.keys() | held)
        ]


def entries_in_force(suppressions: pa.Table, as_of: dt.date) -> Counter[str]:
    """Count the rows of SUPPRESSIONS_SCHEMA in force on as_of, by the skip reason they cause."""
    reasons = in_force(suppressions, civil.day_of(as_of))["reason"].value_counts().to_pylist()
    entries: Counter[str] = Counter()
    for each in reasons:
        entries[suppression_reason(each["values"]).text] += each["counts"]
    return entries


def why_inactive(instance: Instance, as_of: dt.date) -> str | None:
    """Return why an instance that is understood takes no part on as_of; None if it does."""
    if instance.takes_part:
        return None
    if instance.active_start is not None and as_of < instance.active_start:
        return f"begins {instance.active_start}"
    if instance.active_end is not None and as_of > instance.active_end:
        return f"ended {instance.active_end}"
    if instance.silent_aep:
        return instance.why_silent
    return "its type is switched off"


def combinations(
    columns: Sequence[Integers], sizes: Sequence[int]
) -> Iterator[tuple[tuple[int, ...], int]]:
    """Yield the distinct rows of columns of codes, 0 to size - 1, and the count of each."""
    whole = np.zeros(len(columns[0]), np.int64)
    for column, size in zip(columns, sizes, strict=True):
        whole = whole * size + column
    if int(np.prod(sizes, dtype=np.float64)) <= max(len(whole), 1 << 20):
        counts = np.bincount(whole)
        found = np.flatnonzero(counts)
        counts = counts[found]
    else:
        found, counts = np.unique(whole, return_counts=True)
    codes = np.unravel_index(found, tuple(sizes))
    for *each, count in zip(*(c.tolist() for c in codes), counts.tolist(), strict=True):
        yield tuple(each), count
