"""The outcome of a candidate: what the rules say now, compared with its row in the database
(semantics: Campaigns to Sifting)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Literal

from almanac import civil
from almanac.database.catalog import Record
from almanac.explain.case import Case
from almanac.explain.chosen_day import why_no_day, why_that_day
from almanac.explain.frequency import campaign_conflict, range_of, too_frequent
from almanac.explain.model import Decision, ExplainedMessage, Input, PlannedRow
from almanac.explain.origins import origin
from almanac.explain.windows import exclusion
from almanac.planning.brief import Instance
from almanac.schedule_status import SkipCode, SkipReason, Status, parse_reason, suppression_reason

Outcome = Literal["planned", "skipped", "not in the plan yet"]
NO_DAY_FOUND = (SkipCode.DAILY_CAP, SkipCode.CAMPAIGN_CONFLICT)


def message(case: Case, row: int) -> ExplainedMessage:
    """Explain the candidate in the given row of the plan's drafts."""
    drafts, sifted, kind = case.plan.drafts, case.plan.sifted, case.kind(row)
    sifted_out = case.reason(row) is not None
    outcome, reason, decision, note = _outcome(case, row)
    found = case.rows[row]
    return ExplainedMessage(
        email_type=kind.email_type,
        campaign_instance_id=kind.instance or None,
        campaign_name=case.instances[kind.instance].name if kind.instance else None,
        event_date=civil.date_of(drafts.event[row]),
        ideal_date=civil.date_of(drafts.ideal[row]),
        deadline=civil.date_of(drafts.deadline[row]),
        priority=kind.priority,
        start=civil.date_of(sifted.start[row]),
        latest=None if sifted_out else civil.date_of(sifted.latest[row]),
        lo=None if sifted_out else civil.date_of(sifted.lo[row]),
        hi=None if sifted_out else civil.date_of(sifted.hi[row]),
        floor=None if sifted_out else civil.date_of(sifted.floor[row]),
        outcome=outcome,
        day=found.scheduled_send_date if found and outcome == "planned" else None,
        skip_reason=reason.text if reason else None,
        decisions=[origin(case, row), *([] if sifted_out else [range_of(case, row)]), decision],
        row=found,
        note=note,
    )


def _outcome(case: Case, row: int) -> tuple[Outcome, SkipReason | None, Decision, str | None]:
    """Return the outcome, the skip reason, the decisive decision, and the note of a candidate.

    The rules skip it, or else its row in the database says what the last run decided. Without a
    row, or with one that was skipped for what no longer holds, the next run decides.
    """
    reason, found = case.reason(row), case.rows[row]
    if reason is not None:
        return "skipped", reason, why_skipped(case, row, reason), _note_if_skipped(found, reason)
    if found is None:
        return "not in the plan yet", None, _undecided(case, row), None
    if found.status == Status.PRE_SCHEDULED:
        decision = why_that_day(case, row, found)
        return "planned", None, decision, _note_if_planned(case, row, found)
    stored = parse_reason(found.skip_reason)
    if stored is not None and stored.code in NO_DAY_FOUND:
        return "skipped", stored, why_no_day(case, row, stored.code), None
    note = f"The database has it skipped ({found.skip_reason}); the next run plans it."
    return "not in the plan yet", None, _undecided(case, row), note


def _undecided(case: Case, row: int) -> Decision:
    sifted = case.plan.sifted
    floor, hi = civil.text_of(sifted.floor[row]), civil.text_of(sifted.hi[row])
    days = f"from {floor} to {hi}" if floor != hi else f"on {floor}"
    return Decision(
        step="not decided yet",
        section="Target",
        why=f"No rule prevents it; it can be sent {days}. The next run chooses the day.",
    )


def _note_if_skipped(found: PlannedRow | None, reason: SkipReason) -> str | None:
    if found is None:
        return None
    if found.status == Status.PRE_SCHEDULED:
        return (
            f"The database still has it planned on {found.scheduled_send_date}; the next run "
            "skips it."
        )
    if parse_reason(found.skip_reason) != reason:
        return f"The database has it skipped for another reason: {found.skip_reason}."
    return None


def _note_if_planned(case: Case, row: int, found: PlannedRow) -> str | None:
    """Return a note if the rules no longer allow the day in the database."""
    sifted = case.plan.sifted
    if found.scheduled_send_date is None:
        return "The date in the database cannot be read; the next run chooses another."
    floor, hi = civil.date_of(sifted.floor[row]), civil.date_of(sifted.hi[row])
    if floor <= found.scheduled_send_date <= hi:
        return None
    return f"Its day in the database is not within {floor} to {hi}: the next run chooses another."


def why_skipped(case: Case, row: int, reason: SkipReason) -> Decision:
    """Return why the rules skip a candidate before any day is chosen."""
    if reason.code is SkipCode.SUPPRESSED:
        return _suppression(case, reason)
    return _BY_CODE.get(reason.code, exclusion)(case, row)


def _suppression(case: Case, reason: SkipReason) -> Decision:
    """Name the row of suppressions that forbids all messages to the contact."""
    row = next((each for each in case.suppressions if _is_active(case, each, reason)), {})
    inputs: dict[str, Input] = {
        name: row[name] if type(row[name]) is int else str(row[name] or "")
        for name in ("id", "email", "contact_id", "reason", "source")
        if name in row
    }
    bounds = {name: _date(row, name) for name in ("since", "until") if name in row}
    when = "".join(f", {name} {day}" for name, day in bounds.items() if day)
    return Decision(
        step="Suppression",
        section="Contacts",
        why=f"The contact is suppressed ({reason.detail}{when}): nothing is sent.",
        inputs=inputs | bounds,
    )


def _is_active(case: Case, row: Record, reason: SkipReason) -> bool:
    """Return whether a row of suppressions is active on as_of and has that reason."""
    since, until = (_date(row, name) or case.context.as_of for name in ("since", "until"))
    active = since <= case.context.as_of <= until
    return active and suppression_reason(str(row.get("reason") or "")) == reason


def _date(row: Record, name: str) -> dt.date | None:
    return civil.parse_date(str(row.get(name) or ""))


def targeting_mismatch(case: Case, instance: Instance) -> tuple[str, dict[str, Input]]:
    """Return how the contact does not match a campaign's states and carriers; '' if it does."""
    carrier = case.plan.batch.carriers[int(case.plan.batch.contacts.carrier[0])]
    found = []
    inputs: dict[str, Input] = {"instance": instance.id}
    if instance.target_states is not None and case.state not in instance.target_states:
        states = ", ".join(instance.target_states)
        found.append(f"is for {states}, the contact is in {case.state or 'no known state'}")
        inputs |= {"target_states": states, "state": case.state}
    if instance.target_carriers is not None and carrier not in instance.target_carriers:
        carriers = ", ".join(instance.target_carriers)
        found.append(f"is for {carriers}, the contact's carrier is {carrier or 'not known'}")
        inputs |= {"target_carriers": carriers, "carrier": carrier}
    return " and ".join(found), inputs


def _targeting(case: Case, row: int) -> Decision:
    found, inputs = targeting_mismatch(case, case.instances[case.kind(row).instance])
    return Decision(
        step="Targeting", section="Campaigns", why=f"The campaign {found}.", inputs=inputs
    )


def _campaign_dates(case: Case, row: int) -> Decision:
    drafts = case.plan.drafts
    instance = case.instances[case.kind(row).instance]
    ideal, deadline = civil.date_of(drafts.ideal[row]), civil.date_of(drafts.deadline[row])
    why = f"It is due on {ideal}, but may be sent only until {deadline}"
    if instance.active_end is not None:
        why += f": the campaign ends on {instance.active_end}"
    return Decision(
        step="Campaign dates",
        section="Campaigns",
        why=f"{why}.",
        inputs={"ideal date": ideal, "deadline": deadline, "active_end_date": instance.active_end},
    )


def _underwriting_global(case: Case, row: int) -> Decision:
    why = (
        "The contact has failed underwriting, and the configuration excludes such contacts "
        "(organization.exclude_failed_underwriting_global)."
    )
    inputs: dict[str, Input] = {
        "failed_underwriting": True,
        "exclude_failed_underwriting_global": True,
    }
    step = "Failed underwriting"
    if case.kind(row).instance:
        return Decision(step=step, section="Campaigns", why=why, inputs=inputs)
    return Decision(step=step, section="Candidates", why=why, inputs=inputs)


def _underwriting_campaign(case: Case, row: int) -> Decision:
    return Decision(
        step="Failed underwriting",
        section="Campaigns",
        why="The contact has failed underwriting, and the campaign excludes such contacts.",
        inputs={
            "failed_underwriting": True,
            "skip_failed_underwriting": True,
            "instance": case.kind(row).instance,
        },
    )


# for every other code: an exclusion by the state's rule
_BY_CODE: dict[SkipCode, Callable[[Case, int], Decision]] = {
    SkipCode.OUTSIDE_TARGETING: _targeting,
    SkipCode.OUTSIDE_DATES: _campaign_dates,
    SkipCode.UNDERWRITING_GLOBAL: _underwriting_global,
    SkipCode.UNDERWRITING_CAMPAIGN: _underwriting_campaign,
    SkipCode.CAMPAIGN_CONFLICT: campaign_conflict,
    SkipCode.FREQUENCY: too_frequent,
}
