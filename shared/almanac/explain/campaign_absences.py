"""Campaigns, and dates of a campaign, without a candidate, and why (semantics: Campaigns)."""

from __future__ import annotations

import datetime as dt

import numpy as np

from almanac import civil
from almanac.explain.case import Case
from almanac.explain.handled import HANDLED, NOT_DUE, handled_by, row_in_words
from almanac.explain.messages import outside_split, targeting_mismatch
from almanac.explain.model import Absence, Decision, Input
from almanac.explain.targets import Target, targets_of
from almanac.frames import NO_DAY
from almanac.planning.brief import Instance
from almanac.planning.campaigns import campaign_days
from almanac.planning.history import CAMPAIGN, CAMPAIGN_DAYS

_LAST_DAY = civil.day_of(dt.date.max)


def absence(why: Decision, email_type: str, name: str) -> Absence:
    """Return the decision with the message that it is about."""
    return Absence(**dict(why), email_type=email_type, name=name)


def campaign_absences(case: Case) -> list[Absence]:
    """Return the contact's campaigns, or dates of a campaign, without a candidate."""
    found = []
    for instance in case.context.instances:
        name = f"{instance.email_type} '{instance.name}'"
        targets, planned = targets_of(case, instance), _planned_events(case, instance)
        if instance.takes_part and not instance.target_all_contacts:
            dates = len({target.event for target in targets}) > 1
            for target in _without_candidate(targets, planned):
                at = f" for {target.event or repr(target.text)}" if dates else ""
                found.append(
                    absence(why_no_message(case, instance, target), instance.email_type, name + at)
                )
        elif not planned and (targets or instance.takes_part or instance.silent_aep):
            found.append(absence(why_no_candidate(case, instance), instance.email_type, name))
    return found


def _planned_events(case: Case, instance: Instance) -> set[dt.date]:
    """Return the event dates of an instance's candidates."""
    drafts = case.plan.drafts
    kind = case.kind_table.kind(instance.email_type, instance.id)
    return {civil.date_of(day) for day in drafts.event[drafts.kind == kind]} if kind >= 0 else set()


def _without_candidate(targets: list[Target], planned: set[dt.date]) -> list[Target]:
    """Return one target for each date that has no candidate."""
    found = {(t.event or t.text): t for t in reversed(targets) if t.event not in planned}
    return list(reversed(found.values()))


def why_no_message(case: Case, instance: Instance, target: Target) -> Decision:
    """Return why a target has no candidate."""
    inputs: dict[str, Input] = {"instance": instance.id, "target": target.row_id}
    if target.event is None:
        why = f"its trigger_date {target.text!r} is no date (YYYY-MM-DD): correct or empty it"
        return _decision("Left out", why, inputs | {"trigger_date": target.text})
    inputs |= {"trigger date": target.event, "trigger date from": target.source}
    row = _handling(case, instance, target.event, target.named)
    if target.status == "sent":
        by = f" ({row_in_words(case, row)})" if row is not None else ""
        return _decision(HANDLED, f"it was sent according to contact_campaigns{by}", inputs)
    return _of_date(case, instance, target.event, row, inputs)


def why_no_candidate(case: Case, instance: Instance) -> Decision:
    """Return why a campaign that is left out or inactive, or is for all, has no candidate."""
    inputs: dict[str, Input] = {"instance": instance.id}
    if instance.problem is not None:
        return _decision("Left out", f"the campaign is left out: {instance.problem}", inputs)
    if not instance.takes_part:
        return _takes_no_part(case, instance)
    mismatch, of_targeting = targeting_mismatch(case, instance)
    if mismatch:
        return _decision("Targeting", f"the campaign {mismatch}", of_targeting)
    outside, of_split = outside_split(case, instance)
    if outside:
        return _decision("Split", f"the campaign {outside}", of_split)
    event = instance.default_trigger
    if instance.when_created:
        created = int(case.plan.batch.contacts.created[0])
        if created == NO_DAY:
            return _decision(NOT_DUE, "the contact has no created_at, which triggers it", inputs)
        event = civil.date_of(created)
        inputs["created_at"] = event
        if instance.active_start is not None and event < instance.active_start:
            why = f"the contact was added on {event}, before the campaign began"
            inputs["active_start_date"] = instance.active_start
            return _decision(NOT_DUE, why, inputs)
    return _of_date(case, instance, event, _handling(case, instance, event, False), inputs)


def _takes_no_part(case: Case, instance: Instance) -> Decision:
    inputs: dict[str, Input] = {
        "instance": instance.id,
        "active_start_date": instance.active_start,
        "active_end_date": instance.active_end,
    }
    if instance.silent_aep:
        return _decision("Takes part", instance.why_silent, inputs)
    start, end = instance.active_start or "the beginning", instance.active_end or "open end"
    why = (
        f"the campaign takes no part on {case.context.as_of}: it is active from {start} to "
        f"{end}, and only if its type is"
    )
    return _decision("Takes part", why, inputs)


def _of_date(
    case: Case, instance: Instance, event: dt.date, row: int | None, inputs: dict[str, Input]
) -> Decision:
    """Return why an event has no candidate: a committed row handles it, or it is not due."""
    day = np.array([civil.day_of(event)], np.int32)
    days = campaign_days(instance, case.plan.batch.contacts.id[:1], day, case.context)
    ideal, deadline = (civil.date_of(min(int(each[0]), _LAST_DAY)) for each in days)
    if row is not None:
        why = f"it is already handled by {row_in_words(case, row)}"
        handled = handled_by(case, row, civil.day_of(ideal), CAMPAIGN_DAYS)
        return _decision(HANDLED, why, inputs | handled)
    inputs = inputs | {"ideal date": ideal, "deadline": deadline}
    if ideal > case.context.horizon:
        why = f"it is due on {ideal}, after the horizon {case.context.horizon}"
        return _decision(NOT_DUE, why, inputs | {"horizon": case.context.horizon})
    return _decision(NOT_DUE, f"it was due on {ideal}, and is past its deadline {deadline}", inputs)


def _handling(case: Case, instance: Instance, event: dt.date, named: bool) -> int | None:
    """Return the position of the committed row that handles an event, as `History.has_campaign`.

    A row with the same event comes before one that was sent near the ideal date.
    """
    rows = case.plan.history.rows
    mine = (rows.type == CAMPAIGN) & (rows.instance == case.context.instances.index(instance))
    day = np.array([civil.day_of(event)], np.int32)
    ideal = campaign_days(instance, case.plan.batch.contacts.id[:1], day, case.context)[0][0]
    apart = np.abs(rows.day.astype(np.int64) - int(ideal))
    near = mine & (rows.day != NO_DAY) & (apart <= CAMPAIGN_DAYS)
    if named:
        near &= ~rows.ours
    for which in (mine & (rows.event == day[0]), near):
        found = np.flatnonzero(which)
        if len(found):
            return int(found[-1])
    return None


def _decision(step: str, why: str, inputs: dict[str, Input]) -> Decision:
    return Decision(step=step, section="Campaigns", why=why, inputs=inputs)
