"""In words: why the rules skip a candidate before any day is chosen (semantics: Campaigns to
Sifting)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from almanac import civil
from almanac.database.catalog import Record
from almanac.explain.case import Case
from almanac.explain.frequency import campaign_conflict, too_frequent
from almanac.explain.model import Decision, Input
from almanac.explain.windows import exclusion
from almanac.planning.brief import Instance
from almanac.schedule_status import SkipCode, SkipReason, suppression_reason

SUPPRESSION = "Suppression"


def why_skipped(case: Case, row: int) -> Decision:
    """Why the candidate, which has a reason, is skipped."""
    reason = case.reason(row)
    if reason is not None and reason.code is SkipCode.SUPPRESSED:
        return suppression(case, reason)
    explain = _BY_CODE.get(reason.code, exclusion) if reason else exclusion
    return explain(case, row)


def suppression(case: Case, reason: SkipReason) -> Decision:
    """The row of suppressions that keeps everything from the contact."""
    row = next((each for each in case.suppressions if _is_in_force(case, each, reason)), {})
    inputs: dict[str, Input] = {
        name: row[name] if type(row[name]) is int else str(row[name] or "")
        for name in ("id", "email", "contact_id", "reason", "source")
        if name in row
    }
    bounds = {name: _date(row, name) for name in ("since", "until") if name in row}
    when = "".join(f", {name} {day}" for name, day in bounds.items() if day)
    return Decision(
        step=SUPPRESSION,
        section="Contacts",
        why=f"The contact is suppressed ({reason.detail}{when}): nothing is sent.",
        inputs=inputs | bounds,
    )


def _is_in_force(case: Case, row: Record, reason: SkipReason) -> bool:
    """Whether a row of suppressions holds on as_of and gives that reason."""
    since, until = (_date(row, name) or case.context.as_of for name in ("since", "until"))
    in_force = since <= case.context.as_of <= until
    return in_force and suppression_reason(str(row.get("reason") or "")) == reason


def _date(row: Record, name: str) -> dt.date | None:
    return civil.parse_date(str(row.get(name) or ""))


def wishes(case: Case, instance: Instance) -> tuple[str, dict[str, Input]]:
    """How the contact does not match a campaign's states and carriers."""
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
    found, inputs = wishes(case, case.instances[case.kind(row).instance])
    return Decision(
        step="Targeting", section="Campaigns", why=f"The campaign {found}.", inputs=inputs
    )


def _dates(case: Case, row: int) -> Decision:
    drafts = case.plan.drafts
    instance = case.instances[case.kind(row).instance]
    ideal, deadline = civil.date_of(drafts.ideal[row]), civil.date_of(drafts.deadline[row])
    why = f"It would be due on {ideal}, and may be sent until {deadline} only"
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


_BY_CODE: dict[SkipCode, Callable[[Case, int], Decision]] = {
    SkipCode.OUTSIDE_TARGETING: _targeting,
    SkipCode.OUTSIDE_DATES: _dates,
    SkipCode.UNDERWRITING_GLOBAL: _underwriting_global,
    SkipCode.UNDERWRITING_CAMPAIGN: _underwriting_campaign,
    SkipCode.CAMPAIGN_CONFLICT: campaign_conflict,
    SkipCode.FREQUENCY: too_frequent,
}
