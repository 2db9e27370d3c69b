"""The numbers of a run, as its report, `--json` and `status` give them."""

from __future__ import annotations

import datetime as dt

from pydantic import BaseModel

from almanac.report.events import RunEvents
from almanac.report.lines import (
    CampaignLine,
    ChangeLine,
    ClosedDayMoves,
    MessageCount,
    SharedAddresses,
    StateLine,
    SuppressionLine,
    by_count,
    skipped_by_reason,
)
from almanac.report.what_if import WhatIf


class LeftOut(BaseModel):
    """A campaign instance that takes no part because its data is not valid."""

    instance_id: int
    name: str
    problem: str


class Unreadable(BaseModel):
    """Rows that planning leaves out because it cannot read them."""

    count: int = 0
    examples: list[str] = []  # ids


class DayLoad(BaseModel):
    """The messages of one day."""

    planned: dict[str, int]  # PRE_SCHEDULED by email type, of contacts in scope
    fixed: int = 0  # committed rows, and rows of contacts outside the scope


class Checksums(BaseModel):
    """See docs/semantics.md, Writing."""

    contacts: str
    schedules_before: str
    schedules_after: str


class RunSummary(BaseModel):
    """What a run decided and changed."""

    org_id: str
    run_id: str
    as_of: dt.date
    first_send_date: dt.date
    contacts_total: int
    contacts_in_scope: int
    contacts_eligible: int
    contacts_left_out: dict[str, int] = {}  # those in scope who can get no message, by why
    invalid_ids: Unreadable = Unreadable()  # contacts of the file whose id is no whole number
    scheduled_before: int  # PRE_SCHEDULED rows in scope that the snapshot had
    planned: dict[str, int]  # by email type
    skipped: dict[str, dict[str, int]]  # by reason, then email type
    placement: dict[str, int]  # how days were chosen
    # planned messages by type that wait for the frequency limit: later than their ideal date
    waiting_for_limit: dict[str, int] = {}
    days: dict[str, DayLoad]
    daily_cap: int
    ceiling: int
    closed_days: list[str] = []  # from as_of to the horizon
    moved_off_closed: ClosedDayMoves = ClosedDayMoves()
    days_at_cap: list[str]  # open days with planned and fixed messages at or above C
    days_above_ceiling: list[str]  # by committed rows and rows outside the scope only
    changes: dict[str, int]  # added, moved, updated, unchanged, removed, expired
    changes_by_type: dict[str, dict[str, int]]
    # of each change but "unchanged", by why
    changes_by_reason: list[ChangeLine] = []
    changes_since: str = ""  # what the plan is compared with
    # rows dated as_of or later, of contacts in scope
    messages: list[MessageCount] = []
    states: list[StateLine] = []
    campaigns: list[CampaignLine] = []
    suppressions: list[SuppressionLine] = []
    shards: int = 0
    of_all_contacts: bool = True  # not only of some ranges of ids, or those affected by a change
    issues: dict[str, int]
    left_out: list[LeftOut]
    unknown_targets: int = 0  # rows of contact_campaigns without a contact
    # rows of contact_campaigns with a trigger date that is none, which are left out
    unreadable_targets: Unreadable = Unreadable()
    # rows with metadata that is no JSON object, which is left out
    odd_target_metadata: Unreadable = Unreadable()
    rules: str = ""  # what the state rules lack, and which change, in words
    aep: str = ""  # which AEP message holds, in words
    split_overlaps: list[str] = []  # instances of one split group that share contacts, in words
    # opt-out and consent columns of the configuration that contacts does not have, in words
    unknown_flags: list[str] = []
    alerts: list[str] = []  # what cannot be read of all or of most contacts, in words
    # by name of a column that contacts lacks, or has empty: the one that probably is meant
    likely_columns: dict[str, str] = {}
    shared_addresses: SharedAddresses | None = None  # of a run over all contacts
    # rows of status scheduled, dated as_of or later, of an older scheduler: they block their events
    scheduled_by_others: int = 0
    adopted: int = 0  # such rows that this run has made planned rows (--adopt-scheduled)
    events: RunEvents = RunEvents()  # of a run in a store: what it took from the inbox
    migrations: list[str] = []
    checksums: Checksums
    config_digest: str
    configuration: str = ""  # where it comes from, in words; of `almanac run` on a file
    seconds: dict[str, float] = {}
    not_undoable: str = ""  # why `almanac undo` cannot put it back; '' if it can
    dry_run: bool = False
    what_if: WhatIf | None = None  # of a dry run that compares two configurations

    @property
    def planned_total(self) -> int:
        return sum(self.planned.values())

    @property
    def skipped_total(self) -> int:
        return sum(sum(types.values()) for types in self.skipped.values())

    @property
    def hit_rate(self) -> float | None:
        """Return the share of messages, in percent, that the states' rules hold back."""
        checked = sum(state.checked for state in self.states)
        hits = sum(state.hits for state in self.states)
        return round(100 * hits / checked, 2) if checked else None

    @property
    def rows_changed(self) -> int:
        """Return how many planned rows were added, removed or written again."""
        changed = sum(count for change, count in self.changes.items() if change != "unchanged")
        return changed + self.adopted

    @property
    def skipped_ahead(self) -> dict[str, dict[str, int]]:
        """Return the skipped messages dated as_of or later, which the page counts, as `skipped`."""
        return skipped_by_reason(self.messages)

    @property
    def skipped_past(self) -> int:
        """Return the number of the other skipped messages: their ideal date is before as_of."""
        return self.skipped_total - sum(line.count for line in self.messages if line.reason)

    def busiest_days(self, count: int = 5) -> list[tuple[str, int]]:
        """Return the days with the most messages, busiest first."""
        totals = {day: sum(x.planned.values()) + x.fixed for day, x in self.days.items()}
        return by_count(totals)[:count]
