"""What a candidate is for, and where its ideal date and deadline come from (semantics: Candidates
to Follow-ups)."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable

import numpy as np

from almanac import civil
from almanac.explain.case import Case
from almanac.explain.model import Decision, Input, MessageOnDay
from almanac.explain.targets import trigger_source
from almanac.planning.anniversaries import aep_days, birthdays, effective_dates
from almanac.plurals import plural
from almanac.schedule_status import INELIGIBLE_SKIPS


def origin(case: Case, row: int) -> Decision:
    """Return why the plan has the candidate, and why on its ideal date."""
    kind, drafts = case.kind(row), case.plan.drafts
    if kind.is_followup:
        found = _followup(case, row)
    elif kind.is_campaign:
        found = _campaign(case, row)
    else:
        found = _BUILT_IN[kind.email_type](case, row)
    dates: dict[str, Input] = {
        "ideal date": civil.date_of(drafts.ideal[row]),
        "deadline": civil.date_of(drafts.deadline[row]),
        "priority": kind.priority,
    }
    return found.model_copy(update={"inputs": found.inputs | dates})


def _event(case: Case, row: int) -> dt.date:
    return civil.date_of(case.plan.drafts.event[row])


def _ahead(days: int) -> str:
    return f"is due {plural(days, 'day')} before" if days else "is due on the day"


def _birthday(case: Case, row: int) -> Decision:
    ahead, event = case.context.config.timing.birthday_days_before, _event(case, row)
    return Decision(
        step="Candidate",
        section="Candidates",
        why=f"The birthday is on {event}, and its message {_ahead(ahead)}.",
        inputs={
            "birth date": civil.date_of(case.plan.batch.contacts.birth[0]),
            "birthday": event,
            "birthday_days_before": ahead,
        },
    )


def _effective_date(case: Case, row: int) -> Decision:
    ahead, event = case.context.config.timing.effective_date_days_before, _event(case, row)
    organization = case.context.config.organization
    months = organization.effective_date_first_email_months
    when, ideal = _ahead(ahead), civil.date_of(case.plan.drafts.ideal[row])
    if ideal > event - dt.timedelta(days=ahead):
        when = (
            f"is due on {ideal}, the first day of the month {plural(months, 'month')} after that "
            "of the effective date"
        )
    return Decision(
        step="Candidate",
        section="Candidates",
        why=f"The policy's anniversary is on {event}, and its message {when}.",
        inputs={
            "effective date": civil.date_of(case.plan.batch.contacts.effective[0]),
            "anniversary": event,
            "effective_date_days_before": ahead,
            "effective_date_first_email_months": months,
        },
    )


def _aep(case: Case, row: int) -> Decision:
    aep, lender = case.context.config.aep, case.context.aep_lender
    why = f"The annual enrollment message is due on {_event(case, row)} for all contacts"
    inputs: dict[str, Input] = {"aep.date": aep.date, "aep.valid_days": aep.valid_days}
    if lender is not None:
        why += f", with templates and priority of campaign {lender.id} {lender.name!r}"
        inputs["lent by instance"] = lender.id
    return Decision(step="Candidate", section="Candidates", why=f"{why}.", inputs=inputs)


def _post_window(case: Case, row: int) -> Decision:
    end = _event(case, row)
    start, _ = case.window(civil.day_of(end)) or (end, end)
    kept_back = _kept_back(case, civil.day_of(start), civil.day_of(end))
    names = ", ".join(f"{each.message} due on {each.day}" for each in kept_back[:3])
    return Decision(
        step="Candidate",
        section="Post-window",
        why=f"The window {start} to {end} blocks {names or 'a message'}; this makes up for it.",
        inputs={
            "window start": start,
            "window end": end,
            "kept back": kept_back,
            "post_window_valid_days": case.context.config.timing.post_window_valid_days,
        },
    )


def _kept_back(case: Case, first: int, last: int) -> list[MessageOnDay]:
    """Return the messages with an ideal date in the window, in order of their days."""
    contacts, context, drafts = case.plan.batch.contacts, case.context, case.plan.drafts
    found = []
    yearly = {"birthday": birthdays, "effective_date": effective_dates}
    for name, days_of in yearly.items():
        days = days_of(contacts, context)
        ideals = days.first_ideal(np.full(len(days.contact), first, np.int32))
        found += [(int(ideal), name) for ideal in ideals]
    span = civil.date_of(first), civil.date_of(last)
    found += [(day, "aep") for day in aep_days(context, *span)]
    found += [
        (int(drafts.ideal[r]), case.name(r))
        for r in range(len(drafts))
        if case.kind(r).is_campaign
        and case.respects_windows(r)
        and case.skip_code(r) not in INELIGIBLE_SKIPS
    ]
    return [
        MessageOnDay(message=name, day=civil.date_of(day), status="kept back")
        for day, name in sorted(found)
        if first <= day <= last
    ]


def _campaign(case: Case, row: int) -> Decision:
    kind, event = case.kind(row), _event(case, row)
    instance = case.instances[kind.instance]
    source, target = trigger_source(case, instance, event)
    inputs: dict[str, Input] = {
        "instance": instance.id,
        "trigger date": event,
        "trigger date from": source,
    }
    if target is not None:
        inputs["target"] = target.row_id
        if target.data:
            inputs["target carries"] = target.data
    if instance.split is not None:
        split = instance.split
        inputs["split"] = f"{split.group} {split.first} to {split.end}"
    if instance.spread is not None:
        first, last = instance.spread
        size = (last - first).days + 1
        contact = int(case.plan.batch.contacts.id[0])
        why = f"The campaign is spread over {first} to {last}, by contact id"
        inputs |= {
            "spread_start_date": first,
            "spread_end_date": last,
            f"contact id mod {size}": contact % size,
        }
    else:
        ahead = instance.days_before_event
        when = _ahead(ahead) if ahead >= 0 else f"is due {plural(-ahead, 'day')} after"
        why = f"The campaign's trigger date is {event} ({source}), and its message {when}"
        inputs["days_before_event"] = ahead
        if instance.active_start is not None and civil.day_of(instance.active_start) == int(
            case.plan.drafts.ideal[row]
        ):
            why += ", but not before the campaign begins"
            inputs["active_start_date"] = instance.active_start
    if not instance.respect_exclusion_windows:
        why += "; it is sent on excluded days too"
        inputs["respect_exclusion_windows"] = False
    inputs["campaign_valid_days"] = case.context.config.timing.campaign_valid_days
    if instance.active_end is not None:
        inputs["active_end_date"] = instance.active_end
    return Decision(step="Candidate", section="Campaigns", why=f"{why}.", inputs=inputs)


def _followup(case: Case, row: int) -> Decision:
    timing = case.context.config.timing
    details = json.loads(case.plan.metadata[int(case.plan.drafts.details[row])].as_py())
    parent, behaviour = int(details["initial_comm_log_id"]), details["followup_behavior"]
    sent = civil.date_of(int(case.plan.drafts.ideal[row]) - timing.followup_delay_days)
    did = [
        words
        for name, words in (
            ("medical_conditions", "reported medical conditions"),
            ("answered", "answered the questions"),
            ("clicked", "clicked"),
        )
        if behaviour[name]
    ]
    since = f"has {did[0]} since" if did else "has done nothing since"
    return Decision(
        step="Candidate",
        section="Follow-ups",
        why=f"It follows up {details['initial_email_type']} (row {parent}), sent on {sent}: the "
        f"contact {since}.",
        inputs={
            "parent": details["initial_email_type"],
            "parent row": parent,
            "sent": sent,
            "clicked": behaviour["clicked"],
            "answered": behaviour["answered"],
            "medical_conditions": behaviour["medical_conditions"],
            "followup_delay_days": timing.followup_delay_days,
            "followup_lookback_days": timing.followup_lookback_days,
        },
    )


_BUILT_IN: dict[str, Callable[[Case, int], Decision]] = {
    "birthday": _birthday,
    "effective_date": _effective_date,
    "aep": _aep,
    "post_window": _post_window,
}
