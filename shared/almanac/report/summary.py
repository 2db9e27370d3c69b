"""The numbers of a run, as its report, `--json` and `status` give them."""

from __future__ import annotations

import datetime as dt

from pydantic import BaseModel


class LeftOut(BaseModel):
    """A campaign instance that takes no part because it cannot be understood."""

    instance_id: int
    name: str
    problem: str


class DayLoad(BaseModel):
    """What stands on one day."""

    planned: dict[str, int]  # pre-scheduled by email type, of contacts in scope
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
    scheduled_before: int  # pre-scheduled rows in scope that the snapshot had
    planned: dict[str, int]  # by email type
    skipped: dict[str, dict[str, int]]  # by reason, then email type
    placement: dict[str, int]  # how days were chosen
    days: dict[str, DayLoad]
    daily_cap: int
    ceiling: int
    days_at_cap: list[str]  # planned and fixed messages at or above C
    days_above_ceiling: list[str]  # only committed rows and rows outside the scope can do that
    changes: dict[str, int]  # added, moved, updated, unchanged, removed, expired
    changes_by_type: dict[str, dict[str, int]]
    issues: dict[str, int]
    left_out: list[LeftOut]
    unknown_targets: int = 0  # rows of contact_campaigns without a contact
    migrations: list[str] = []
    checksums: Checksums
    config_digest: str
    seconds: dict[str, float] = {}
    dry_run: bool = False

    @property
    def planned_total(self) -> int:
        return sum(self.planned.values())

    @property
    def skipped_total(self) -> int:
        return sum(sum(types.values()) for types in self.skipped.values())

    def busiest_days(self, count: int = 5) -> list[tuple[str, int]]:
        """The days with the most messages, busiest first."""
        totals = [(day, sum(x.planned.values()) + x.fixed) for day, x in self.days.items()]
        return sorted(totals, key=lambda pair: (-pair[1], pair[0]))[:count]
