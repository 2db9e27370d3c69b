"""What the report page shows, from a run's summary or from the rows of a file."""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from almanac import __version__
from almanac.report.lines import (
    CampaignLine,
    ChangeLine,
    MessageCount,
    StateLine,
    SuppressionLine,
)
from almanac.report.summary import DayLoad, RunSummary
from almanac.report.what_if import WhatIf


class PageData(BaseModel):
    """The numbers of the report page: of a whole database's planned rows dated as_of or later."""

    title: str
    as_of: dt.date
    facts: list[tuple[str, str]]
    first_day: dt.date
    last_day: dt.date
    days: dict[str, DayLoad]
    daily_cap: int
    ceiling: int
    messages: list[MessageCount]
    states: list[StateLine] = []
    campaigns: list[CampaignLine] = []
    changes: list[ChangeLine] = []
    changes_since: str | None = None  # in words, what the changes are held against; None: unknown
    suppressions: list[SuppressionLine] = []
    issues: list[tuple[str, int, str]]  # kind, contacts, advice
    seconds: dict[str, float] = {}  # by step, and "total"
    notes: list[str] = []
    what_if: WhatIf | None = None

    @property
    def totals(self) -> dict[str, int]:
        """Messages by day, whoever planned them."""
        return {day: sum(load.planned.values()) + load.fixed for day, load in self.days.items()}

    @property
    def planned(self) -> dict[str, int]:
        """Pre-scheduled rows by email type."""
        counts: Counter[str] = Counter()
        for line in self.messages:
            if not line.reason:
                counts[line.email_type] += line.count
        return dict(sorted(counts.items()))

    @property
    def skipped(self) -> dict[str, dict[str, int]]:
        """Skipped rows by reason and email type."""
        counts: dict[str, Counter[str]] = defaultdict(Counter)
        for line in self.messages:
            if line.reason:
                counts[line.reason][line.email_type] += line.count
        return {reason: dict(sorted(counts[reason].items())) for reason in sorted(counts)}


class Numbers(BaseModel):
    """What a page counts, of a whole database or of the contacts of a run."""

    eligible: int  # contacts who can get messages
    days: dict[str, DayLoad]
    messages: list[MessageCount]
    states: list[StateLine]
    campaigns: list[CampaignLine]
    suppressions: list[SuppressionLine]
    issues: dict[str, int]

    @classmethod
    def of_summary(cls, summary: RunSummary) -> Numbers:
        """Of the contacts in the run's scope."""
        return cls(eligible=summary.contacts_eligible, **{n: getattr(summary, n) for n in _SHARED})

    @property
    def skipped(self) -> int:
        """Skipped rows."""
        return sum(line.count for line in self.messages if line.reason)

    @property
    def facts(self) -> list[tuple[str, str]]:
        """Of the page."""
        planned = sum(line.count for line in self.messages if not line.reason)
        return [
            ("Can get messages", f"{self.eligible:,}"),
            ("Messages planned", f"{planned:,}"),
            ("Messages skipped", f"{self.skipped:,}"),
        ]

    def of_page(self, advice: Mapping[str, str]) -> dict[str, Any]:
        """The fields of PageData that show them; advice by kind of issue."""
        fields = {name: getattr(self, name) for name in _SHARED}
        return fields | {"issues": advised(self.issues, advice)}


_SHARED = ("days", "messages", "states", "campaigns", "suppressions", "issues")


def page_of_summary(
    summary: RunSummary,
    database: str,
    advice: Mapping[str, str],
    horizon: dt.date,
    *,
    whole: Numbers | None = None,
    version: tuple[int, int] | None = None,
) -> PageData:
    """The page of a run that has just ended.

    whole: the numbers of the database as the run left it, where the run was over some contacts
    only. version: in a store, that which the run has made, and the one that it was made from.
    """
    numbers = whole or Numbers.of_summary(summary)
    own = Numbers.of_summary(summary)
    past = summary.skipped_total - own.skipped
    first = summary.first_send_date
    facts = [
        ("Run", summary.run_id),
        ("Planned as of", f"{summary.as_of}, sending from {first} on"),
        *([("Version", f"{version[0]}, made from version {version[1]}")] if version else []),
        ("Contacts in the database", f"{summary.contacts_total:,}"),
        ("In this run", f"{summary.contacts_in_scope:,}"),
        ("Shards", f"{summary.shards:,}"),
        *numbers.facts,
        *([("Skipped and not shown", f"{past:,}, due before {summary.as_of}")] if past else []),
        ("Checksum of contacts", summary.checksums.contacts),
        ("Checksum of schedules before", summary.checksums.schedules_before),
        ("Checksum of schedules after", summary.checksums.schedules_after),
        ("Configuration", summary.config_digest),
        ("Almanac", __version__),
    ]
    return PageData(
        title=database,
        as_of=summary.as_of,
        facts=facts,
        first_day=summary.as_of,
        last_day=horizon,
        daily_cap=summary.daily_cap,
        ceiling=summary.ceiling,
        changes=summary.changes_by_reason,
        changes_since=summary.changes_since or None,
        seconds=summary.seconds,
        notes=_notes(summary, whole is not None),
        what_if=summary.what_if,
        **numbers.of_page(advice),
    )


def _notes(summary: RunSummary, is_whole: bool) -> list[str]:
    notes = ["A dry run: nothing was written."] if summary.dry_run else []
    some = f"The run planned {summary.contacts_in_scope:,} of the contacts"
    if is_whole:
        notes.append(f"{some}; all numbers but the changes are those of the whole database.")
    elif not summary.of_all_contacts:
        notes.append(f"{some}; the others are not counted here.")
    if summary.unknown_targets:
        notes.append(
            f"{summary.unknown_targets:,} campaign targets name contacts that are not there."
        )
    return notes


def advised(issues: Mapping[str, int], advice: Mapping[str, str]) -> list[tuple[str, int, str]]:
    """Kinds of issue with what to do about them, the most frequent first."""
    ranked = sorted(issues.items(), key=lambda pair: (-pair[1], pair[0]))
    return [(issue, count, advice.get(issue, "")) for issue, count in ranked]
