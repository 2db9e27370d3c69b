"""The data of the report page, from a run's summary or from the rows of a file."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from almanac import __version__
from almanac.report.alerts import likely_in_words
from almanac.report.events import RunEvents
from almanac.report.left_out import invalid_id_notes, odd_targets
from almanac.report.lines import (
    CampaignLine,
    ChangeLine,
    ClosedDayMoves,
    MessageCount,
    SettingLine,
    SharedAddresses,
    StateLine,
    SuppressionLine,
    advised,
    skipped_by_reason,
)
from almanac.report.results import Results
from almanac.report.summary import DayLoad, RunSummary
from almanac.report.what_if import WhatIf

SHARED_ADDRESSES = "Addresses that several contacts share"


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
    closed_days: list[str] = []  # from first_day to last_day
    messages: list[MessageCount]
    states: list[StateLine] = []
    campaigns: list[CampaignLine] = []
    changes: list[ChangeLine] = []
    changes_since: str | None = None  # what the plan is compared with, as text; None: unknown
    suppressions: list[SuppressionLine] = []
    issues: list[tuple[str, int, str]]  # kind, contacts, advice
    seconds: dict[str, float] = {}  # by step, and "total"
    notes: list[str] = []
    rules: str = ""  # what the state rules lack, and which change
    settings: list[SettingLine] = []  # those of the configuration that differ from the defaults
    events: RunEvents = RunEvents()  # that the run took from the inbox
    what_if: WhatIf | None = None
    results: Results | None = None  # of a page made from a file
    # planned messages by campaign instance and day, without follow-ups: of a calendar file only
    campaign_days: dict[int, dict[str, int]] = {}

    @property
    def totals(self) -> dict[str, int]:
        """Return all messages by day, planned and fixed."""
        return {day: sum(load.planned.values()) + load.fixed for day, load in self.days.items()}

    def is_open(self, day: str) -> bool:
        """Return whether messages are sent on the day."""
        return day not in self.closed_days

    @property
    def planned(self) -> dict[str, int]:
        """Return the number of planned messages by email type."""
        counts: Counter[str] = Counter()
        for line in self.messages:
            if not line.reason:
                counts[line.email_type] += line.count
        return dict(sorted(counts.items()))

    @property
    def skipped(self) -> dict[str, dict[str, int]]:
        """Return the number of skipped rows by reason and email type."""
        return skipped_by_reason(self.messages)


class Numbers(BaseModel):
    """The counts of a page, of a whole database or of the contacts of a run."""

    eligible: int  # contacts who can get messages
    contacts_left_out: dict[str, int] = {}  # those who can get none, by why
    days: dict[str, DayLoad]
    messages: list[MessageCount]
    states: list[StateLine]
    campaigns: list[CampaignLine]
    suppressions: list[SuppressionLine]
    issues: dict[str, int]
    moved_off_closed: ClosedDayMoves = ClosedDayMoves()
    shared_addresses: SharedAddresses | None = None
    rules: str = ""

    @classmethod
    def of_summary(cls, summary: RunSummary) -> Numbers:
        """Return the counts of the contacts in the run's scope."""
        names = (*_SHARED, "contacts_left_out", "moved_off_closed")
        shared = {name: getattr(summary, name) for name in names}
        return cls(
            eligible=summary.contacts_eligible,
            shared_addresses=summary.shared_addresses,
            **shared,
        )

    @property
    def skipped(self) -> int:
        """Return the number of skipped rows."""
        return sum(line.count for line in self.messages if line.reason)

    @property
    def facts(self) -> list[tuple[str, str]]:
        """Return the counts that the page lists under The run."""
        planned = sum(line.count for line in self.messages if not line.reason)
        shared = self.shared_addresses
        return [
            ("Can get messages", f"{self.eligible:,}"),
            *((f"Left out: {why}", f"{n:,}") for why, n in self.contacts_left_out.items()),
            *([(SHARED_ADDRESSES, shared.in_words())] if shared and shared.addresses else []),
            ("Messages planned", f"{planned:,}"),
            ("Messages skipped", f"{self.skipped:,}"),
        ]

    def of_closed_days(self, closed: Sequence[str]) -> list[tuple[str, str]]:
        """Return what the page lists of the closed days; nothing without any."""
        moved = self.moved_off_closed
        return [
            *([("Closed days", f"{len(closed):,}")] if closed else []),
            *([("Moved off closed days", moved.in_words())] if moved.messages else []),
        ]

    def of_page(self, advice: Mapping[str, str]) -> dict[str, Any]:
        """Return the fields of PageData for these counts; advice is by kind of issue."""
        fields = {name: getattr(self, name) for name in _SHARED}
        return fields | {"issues": advised(self.issues, advice)}


_SHARED = ("days", "messages", "states", "campaigns", "suppressions", "issues", "rules")


def page_of_summary(
    summary: RunSummary,
    database: str,
    advice: Mapping[str, str],
    horizon: dt.date,
    *,
    settings: list[SettingLine],
    whole: Numbers | None = None,
    version: tuple[int, int] | None = None,
) -> PageData:
    """Return the page of a run that has just finished.

    settings: those of its configuration that differ from the defaults.
    whole: the counts of the database after the run, if the run was over some contacts only.
    version: in a store, the version that the run made, and its parent.
    """
    numbers = whole or Numbers.of_summary(summary)
    waiting, past = sum(summary.waiting_for_limit.values()), summary.skipped_past
    first = summary.first_send_date
    facts = [
        ("Run", summary.run_id),
        ("Planned as of", f"{summary.as_of}, sending from {first} on"),
        *([("Version", f"{version[0]}, made from version {version[1]}")] if version else []),
        ("Contacts in the database", f"{summary.contacts_total:,}"),
        ("In this run", f"{summary.contacts_in_scope:,}"),
        ("Shards", f"{summary.shards:,}"),
        *numbers.facts,
        *([("Waiting for the frequency limit", f"{waiting:,}")] if waiting else []),
        *numbers.of_closed_days(summary.closed_days),
        *([("AEP message", summary.aep)] if summary.aep else []),
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
        closed_days=summary.closed_days,
        changes=summary.changes_by_reason,
        changes_since=summary.changes_since or None,
        seconds=summary.seconds,
        notes=_notes(summary, whole is not None),
        settings=settings,
        events=summary.events,
        what_if=summary.what_if,
        **numbers.of_page(advice),
    )


def _notes(summary: RunSummary, is_whole: bool) -> list[str]:
    notes = ["A dry run: nothing was written."] if summary.dry_run else []
    notes += [f"Warning: {line}." for line in summary.alerts]
    notes += [f"Warning: {line}." for line in likely_in_words(summary.likely_columns)]
    some = f"The run planned {summary.contacts_in_scope:,} of the contacts"
    if is_whole:
        notes.append(f"{some}; all numbers except the changes are those of the whole database.")
    elif not summary.of_all_contacts:
        notes.append(f"{some}; the others are not counted here.")
    notes += invalid_id_notes(summary.invalid_ids)
    notes += [f"{line}." for line in (*summary.unknown_flags, *summary.split_overlaps)]
    notes += odd_targets(summary.unreadable_targets, summary.odd_target_metadata)
    if summary.unknown_targets:
        notes.append(
            f"{summary.unknown_targets:,} campaign targets name contacts that do not exist."
        )
    return notes
