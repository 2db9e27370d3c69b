"""The case of one contact: its rows and its plan, which all parts of an explanation use."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from almanac import civil
from almanac.balancing.occupancy import Limits
from almanac.config_rules import StateRule
from almanac.contact_ranges import ContactRange
from almanac.database.catalog import Record
from almanac.database.extract import Extract
from almanac.database.occupancy import DayOccupancy
from almanac.database.reading import Snapshot
from almanac.explain.lookup import Basis, OpenDatabase
from almanac.explain.model import CommittedMessage, PlannedRow
from almanac.frames import NO_DAY, Kind, ShardData
from almanac.organizations.brief import run_context_of
from almanac.planning.brief import Instance, RunContext
from almanac.planning.kinds import KindTable
from almanac.planning.plan import ContactPlan, match_snapshot, plan_contacts
from almanac.rules.merged_windows import windows_about, windows_between
from almanac.rules.states import USPS_STATES
from almanac.rules.windows import Exclusions, causes
from almanac.runs.shard import read_range
from almanac.schedule_status import SkipCode, SkipReason, Status

Span = tuple[dt.date, dt.date]


class RuleWindow(NamedTuple):
    """A window of one rule, both ends included."""

    start: dt.date
    end: dt.date
    base: dt.date  # the anniversary or the first day that it is counted from
    rule: StateRule


@dataclass(frozen=True, eq=False)
class Case:
    """The rows of one contact and their plan; the frames hold no other rows.

    Hashed by identity, so that what is computed of it can be cached.
    """

    contact_id: int
    context: RunContext
    kind_table: KindTable
    plan: ContactPlan
    data: ShardData
    limits: Limits
    occupancy: DayOccupancy
    suppressions: list[Record]  # of the contact, in the order of the table
    rows: list[PlannedRow | None]  # by candidate: the row of the database with its identity
    other_rows: list[PlannedRow]  # those with the identity of no candidate

    @property
    def eligible(self) -> bool:
        """Return whether the contact can get messages at all."""
        return len(self.plan.batch.contacts) > 0

    @property
    def state(self) -> str | None:
        """Return the USPS code of an eligible contact."""
        code = int(self.plan.batch.contacts.state[0])
        return USPS_STATES[code] if code >= 0 else None

    @property
    def exclusions(self) -> Exclusions:
        """Return the contact's one row of exclusions."""
        return self.plan.batch.exclusions

    @cached_property
    def committed(self) -> list[Record]:
        """Return the committed rows."""
        rows: list[Record] = self.data.committed.to_pylist()
        return rows

    @cached_property
    def instances(self) -> dict[int, Instance]:
        """Return the campaign instances by id."""
        return {instance.id: instance for instance in self.context.instances}

    def kind(self, row: int) -> Kind:
        """Return the kind of a candidate."""
        return self.kind_table.kinds[int(self.plan.drafts.kind[row])]

    def name(self, row: int) -> str:
        """Return the type of a candidate, with the name of its campaign if it has one."""
        return named(self.kind(row), self.instances)

    def respects_windows(self, row: int) -> bool:
        """Return whether exclusion windows apply to a candidate."""
        return bool(self.kind_table.respects_windows[self.plan.drafts.kind[row]])

    def cause(self, day: int) -> int:
        """Return why the day is excluded: a cause of `rules.windows`, 0 if it is not."""
        return int(causes(self.exclusions, np.array([day], np.int32))[0])

    def reason(self, row: int) -> SkipReason | None:
        """Return why the rules skip a candidate; None if they do not."""
        return self.kind_table.skip_reasons[int(self.plan.sifted.reason[row])]

    def skip_code(self, row: int) -> SkipCode | None:
        """Return the code of the candidate's skip reason."""
        reason = self.reason(row)
        return reason.code if reason else None

    @property
    def rules(self) -> Sequence[StateRule]:
        """Return the rules of the state of an eligible contact."""
        if not self.eligible or self.state is None:
            return ()
        return self.context.config.rules.get(self.state, ())

    def window(self, day: int) -> Span | None:
        """Return the merged window that contains the day, if any."""
        return next((w for w in self.merged_windows(day, day)), None)

    def merged_windows(self, first: int, last: int) -> list[Span]:
        """Return the merged windows that share a day with [first, last], in order."""
        if not self.eligible:
            return []
        return [_dates(start, end) for start, end in windows_about(self.exclusions, first, last)]

    def rule_windows(self, first: int, last: int) -> list[RuleWindow]:
        """Return the windows of each rule that share a day with [first, last], in order."""
        if not self.eligible:
            return []
        found = windows_between(self.exclusions, first, last)
        windows = [
            RuleWindow(*_dates(start, end), civil.date_of(base), self.rules[slot])
            for start, end, base, slot in zip(
                found.start, found.end, found.base, found.slot, strict=True
            )
        ]
        return sorted(windows, key=lambda window: window[:3])


def _dates(start: int, end: int) -> Span:
    """Return two days as dates, within the years of dates."""
    first, last = civil.day_of(dt.date.min), civil.day_of(dt.date.max)
    return civil.date_of(max(first, int(start))), civil.date_of(min(last, int(end)))


def plan_case(
    database: OpenDatabase, snapshot: Snapshot, extract: Extract, basis: Basis, contact_id: int
) -> Case:
    """Plan the contact as a shard does, and match its candidates with the rows of the database."""
    context = run_context_of(snapshot, basis.config, basis.as_of, basis.t0)
    kind_table = KindTable(context)
    data = read_range(snapshot, context, None, ContactRange(contact_id, contact_id))
    plan = plan_contacts(data, context, kind_table)
    _, match = match_snapshot(data, plan, context, kind_table)
    rows = planned_rows(data.planned, extract.run_ids)
    matched = [int(row) for row in match.columns["previous_id"]]
    t0, total = civil.day_of(basis.t0), database.total_contacts()
    return Case(
        contact_id=contact_id,
        context=context,
        kind_table=kind_table,
        plan=plan,
        data=data,
        limits=Limits.of(context.config, t0, total, kind_table.kinds, context.closed_days),
        occupancy=database.occupancy(),
        suppressions=extract.suppressions,
        rows=[rows.get(row) for row in matched],
        other_rows=[row for row_id, row in rows.items() if row_id not in matched],
    )


def planned_rows(table: pa.Table, run_ids: dict[int, str]) -> dict[int, PlannedRow]:
    """Return the planned rows of the database by id."""
    days = civil.parse_dates(table["scheduled_send_date"])
    return {
        row["id"]: PlannedRow(
            row_id=row["id"],
            email_type=row["email_type"],
            campaign_instance_id=row["campaign_instance_id"] or None,
            status=Status.PRE_SCHEDULED if row["scheduled"] else Status.SKIPPED,
            scheduled_send_date=date_or_none(int(day)),
            skip_reason=row["skip_reason"] or None,
            scheduler_run_id=run_ids.get(row["id"]) or None,
        )
        for row, day in zip(table.to_pylist(), days, strict=True)
    }


def committed_messages(case: Case) -> list[CommittedMessage]:
    """Return the committed rows of the database, oldest first."""
    table = case.data.committed
    days = civil.parse_dates(table["scheduled_send_date"])
    actual = civil.parse_dates(table["actual_send_datetime"])
    history = case.plan.history.rows
    counted = set(history.row_id[history.counted].tolist())
    messages = [
        CommittedMessage(
            row_id=row["id"],
            email_type=row["email_type"],
            campaign_instance_id=row["campaign_instance_id"] or None,
            status=row["status"],
            scheduled_send_date=date_or_none(int(day)),
            sent_date=date_or_none(int(sent)),
            counted=row["id"] in counted,
        )
        for row, day, sent in zip(case.committed, days, actual, strict=True)
    ]
    return sorted(messages, key=lambda m: (m.scheduled_send_date or dt.date.min, m.row_id))


def named(kind: Kind, instances: dict[int, Instance]) -> str:
    """Return the type of a message, with the name of its campaign if it has one."""
    if not kind.instance:
        return kind.email_type
    return f"{kind.email_type} '{instances[kind.instance].name}'"


def date_or_none(day: int) -> dt.date | None:
    """Return the date of a day number, None for no date."""
    return None if day == NO_DAY else civil.date_of(day)


def lowered(sentence: str) -> str:
    """Return a sentence as it follows a colon: without the capital of a plain first word."""
    first = sentence.split(" ", 1)[0]
    return sentence[:1].lower() + sentence[1:] if first.isalpha() and first.istitle() else sentence
