"""What became of a candidate: what the rules say now, held against the row in the database."""

from __future__ import annotations

from typing import Literal

from almanac import civil
from almanac.explain.case import Case
from almanac.explain.days import why_no_day, why_that_day
from almanac.explain.frequency import range_of
from almanac.explain.model import Decision, Message, PlannedRow
from almanac.explain.origins import origin
from almanac.explain.skips import why_skipped
from almanac.schedule_status import SkipCode, Status, parse_reason

Outcome = Literal["planned", "skipped", "not in the plan yet"]
_NO_DAY = (SkipCode.DAILY_CAP, SkipCode.CAMPAIGN_CONFLICT)


def message(case: Case, row: int) -> Message:
    """The candidate in the given row of the plan's drafts."""
    drafts, sifted = case.plan.drafts, case.plan.sifted
    kind, found = case.kind(row), case.rows[row]
    reason = case.reason(row)
    skipped_early = reason is not None
    decisions = [origin(case, row)] if skipped_early else [origin(case, row), range_of(case, row)]
    outcome: Outcome = "skipped"
    day, note = None, None
    if reason is not None:
        decisions.append(why_skipped(case, row))
        if found is not None:
            note = _differs_from_skipped(case, row, found)
    elif found is None:
        outcome = "not in the plan yet"
        decisions.append(_undecided(case, row))
    elif found.status == Status.PRE_SCHEDULED:
        outcome, day = "planned", found.scheduled_send_date
        decisions.append(why_that_day(case, row, found))
        note = _outside(case, row, found)
    elif (stored := parse_reason(found.skip_reason)) and stored.code in _NO_DAY:
        reason = stored
        decisions.append(why_no_day(case, row, stored.code))
    else:
        outcome = "not in the plan yet"
        decisions.append(_undecided(case, row))
        note = f"The database has it skipped ({found.skip_reason}); the next run plans it."
    return Message(
        email_type=kind.email_type,
        campaign_instance_id=kind.instance or None,
        campaign_name=case.instances[kind.instance].name if kind.instance else None,
        event_date=civil.date_of(drafts.event[row]),
        ideal_date=civil.date_of(drafts.ideal[row]),
        deadline=civil.date_of(drafts.deadline[row]),
        priority=kind.priority,
        start=civil.date_of(sifted.start[row]),
        latest=None if skipped_early else civil.date_of(sifted.latest[row]),
        lo=None if skipped_early else civil.date_of(sifted.lo[row]),
        hi=None if skipped_early else civil.date_of(sifted.hi[row]),
        floor=None if skipped_early else civil.date_of(sifted.floor[row]),
        outcome=outcome,
        day=day,
        skip_reason=reason.text if reason else None,
        decisions=decisions,
        row=found,
        note=note,
    )


def _undecided(case: Case, row: int) -> Decision:
    sifted = case.plan.sifted
    floor, hi = civil.text_of(sifted.floor[row]), civil.text_of(sifted.hi[row])
    days = f"from {floor} to {hi}" if floor != hi else f"on {floor}"
    return Decision(
        step="not decided yet",
        section="Target",
        why=f"No rule keeps it back; it can be sent {days}. The next run chooses the day.",
    )


def _differs_from_skipped(case: Case, row: int, found: PlannedRow) -> str | None:
    if found.status == Status.PRE_SCHEDULED:
        return (
            f"The database still has it planned on {found.scheduled_send_date}; the next run "
            "skips it."
        )
    if parse_reason(found.skip_reason) != case.reason(row):
        return f"The database has it skipped for another reason: {found.skip_reason}."
    return None


def _outside(case: Case, row: int, found: PlannedRow) -> str | None:
    """Whether the day in the database is one that the rules allow now."""
    sifted = case.plan.sifted
    if found.scheduled_send_date is None:
        return "The date in the database cannot be read; the next run chooses another."
    floor, hi = civil.date_of(sifted.floor[row]), civil.date_of(sifted.hi[row])
    if floor <= found.scheduled_send_date <= hi:
        return None
    return f"Its day in the database is not within {floor} to {hi}: the next run chooses another."
