"""The outcome of a candidate: what the rules say now, compared with its row in the database
(semantics: Campaigns to Sifting)."""

from __future__ import annotations

from typing import Literal, assert_never

from almanac import civil
from almanac.explain.case import Case
from almanac.explain.chosen_day import why_no_day, why_that_day
from almanac.explain.frequency import campaign_conflict, range_of, too_frequent, waiting, waits
from almanac.explain.model import Decision, ExplainedMessage, Input, PlannedRow
from almanac.explain.origins import origin
from almanac.explain.suppression import suppressed
from almanac.explain.text_messages import sms_template, why_no_text
from almanac.explain.windows import exclusion
from almanac.planning.brief import Instance
from almanac.planning.split import in_split, split_share
from almanac.schedule_status import SkipCode, SkipReason, Status, parse_reason

Outcome = Literal["planned", "skipped", "not in the plan yet"]
NO_DAY_FOUND = (SkipCode.DAILY_CAP, SkipCode.NO_SENDING_DAY, SkipCode.CAMPAIGN_CONFLICT)


def message(case: Case, row: int) -> ExplainedMessage:
    """Explain the candidate in the given row of the plan's drafts."""
    drafts, sifted, kind = case.plan.drafts, case.plan.sifted, case.kind(row)
    sifted_out = case.reason(row) is not None
    outcome, reason, decision, note = outcome_of(case, row)
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
        sms_template=sms_template(case, row),
        no_text_message=why_no_text(case, row),
        decisions=[origin(case, row), *_on_the_way(case, row), decision],
        row=found,
        note=note,
    )


def _on_the_way(case: Case, row: int) -> list[Decision]:
    """Return the decisions between the origin of a candidate and the last one."""
    if case.reason(row) is not None:
        return []
    waited = [waiting(case, row)] if waits(case, row) else []
    return [*waited, range_of(case, row)]


def outcome_of(case: Case, row: int) -> tuple[Outcome, SkipReason | None, Decision, str | None]:
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
        if civil.day_of(found.scheduled_send_date) in case.limits.closed:
            return "Its day in the database is closed; the next run chooses another."
        return None
    return f"Its day in the database is not within {floor} to {hi}: the next run chooses another."


def why_skipped(case: Case, row: int, reason: SkipReason) -> Decision:
    """Return why the rules skip a candidate before any day is chosen."""
    match reason.code:
        case SkipCode.SUPPRESSED:
            return suppressed(case, row, reason)
        case SkipCode.OUTSIDE_TARGETING:
            return _targeting(case, row)
        case SkipCode.OUTSIDE_SPLIT:
            return _split(case, row)
        case SkipCode.OUTSIDE_DATES:
            return _campaign_dates(case, row)
        case SkipCode.BIRTH_DATE_UNKNOWN | SkipCode.EFFECTIVE_DATE_UNKNOWN:
            return _date_unknown(case, row)
        case SkipCode.UNDERWRITING_GLOBAL:
            return _underwriting_global(case, row)
        case SkipCode.UNDERWRITING_CAMPAIGN:
            return _underwriting_campaign(case, row)
        case SkipCode.CAMPAIGN_CONFLICT:
            return campaign_conflict(case, row)
        case SkipCode.FREQUENCY:
            return too_frequent(case, row)
        case SkipCode.YEAR_ROUND | SkipCode.AGE:
            return exclusion(case, row)
        case SkipCode.BIRTHDAY_WINDOW | SkipCode.EFFECTIVE_DATE_WINDOW | SkipCode.CALENDAR_WINDOW:
            return exclusion(case, row)
        case SkipCode.DAILY_CAP | SkipCode.NO_SENDING_DAY | SkipCode.NOT_SENT:
            raise ValueError(f"{reason.code}: no rule skips a candidate for it")
        case _:
            assert_never(reason.code)


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


def outside_split(case: Case, instance: Instance) -> tuple[str, dict[str, Input]]:
    """Return why the contact is not in a campaign's split; '' if it is."""
    split, ids = instance.split, case.plan.batch.contacts.id
    if split is None or bool(in_split(ids, instance)[0]):
        return "", {}
    share = int(split_share(ids, split.group)[0])
    why = (
        f"takes the shares {split.first} to {split.end - 1} of the split group {split.group!r}, "
        f"and the contact's share is {share}"
    )
    return why, {
        "instance": instance.id,
        "split group": split.group,
        "split from": split.first,
        "split to": split.end,
        "share of the contact": share,
    }


def _split(case: Case, row: int) -> Decision:
    found, inputs = outside_split(case, case.instances[case.kind(row).instance])
    return Decision(step="Split", section="Campaigns", why=f"The campaign {found}.", inputs=inputs)


def _date_unknown(case: Case, row: int) -> Decision:
    """Return that the date that the state's window is counted from is missing."""
    is_birth = case.skip_code(row) is SkipCode.BIRTH_DATE_UNKNOWN
    date = "birth date" if is_birth else "effective date"
    return Decision(
        step="Window date",
        section="Contacts",
        why=f"The window of {case.state} is counted from the {date}, which the contact lacks, and "
        "the configuration then sends nothing that respects windows "
        "(organization.send_without_window_date).",
        inputs={"state": case.state, date: None, "send_without_window_date": False},
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
