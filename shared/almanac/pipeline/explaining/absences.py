"""Messages that a contact could expect and that are no candidates now, and why not
(semantics: Candidates, Post-window, Campaigns, Follow-ups)."""

from __future__ import annotations

import datetime as dt

import numpy as np

from almanac import civil
from almanac.frames import NO_DAY
from almanac.pipeline.explaining.case import Case, plural
from almanac.planning.anniversaries import AnniversaryDays, birthdays, effective_dates
from almanac.planning.brief import Instance
from almanac.planning.history import (
    AEP,
    ANNIVERSARY_DAYS,
    BIRTHDAY,
    CAMPAIGN,
    EFFECTIVE_DATE,
    FOLLOWUP,
    POST_WINDOW,
)
from almanac.report.explanation import Absence


def absences(case: Case) -> list[Absence]:
    """Built-in messages and the contact's campaigns that have no candidate, each with why."""
    if not case.eligible:
        return []
    drafts = case.plan.drafts
    there = {case.kind(row).email_type for row in range(len(drafts))}
    campaigns = np.flatnonzero(case.words.is_campaign[drafts.kind])
    instances = {case.kind(int(row)).instance for row in campaigns}
    found = []
    for name, find in (
        ("birthday", _birthday),
        ("effective_date", _effective_date),
        ("aep", _aep),
        ("post_window", _post_window),
        ("followup", _followup),
    ):
        if not any(each.startswith(name) for each in there):
            why, section = find(case)
            found.append(Absence(name=name, why=why, section=section))
    return found + _campaigns(case, instances)


def _birthday(case: Case) -> tuple[str, str]:
    if int(case.plan.batch.contacts.birth[0]) == NO_DAY:
        return "the contact has no usable birth date", "Candidates"
    days = birthdays(case.plan.batch.contacts, case.brief)
    return _yearly(case, days, BIRTHDAY, ""), "Candidates"


def _effective_date(case: Case) -> tuple[str, str]:
    if int(case.plan.batch.contacts.effective[0]) == NO_DAY:
        return "the contact has no usable effective date", "Candidates"
    days = effective_dates(case.plan.batch.contacts, case.brief)
    months = case.brief.config.organization.effective_date_first_email_months
    first = f" (the first comes {plural(months, 'month')} or more after the effective date)"
    return _yearly(case, days, EFFECTIVE_DATE, first), "Candidates"


def _yearly(case: Case, days: AnniversaryDays, code: int, remark: str) -> str:
    grace = 1 if days.lead > 0 else 0
    event = int(days.first_event(civil.day_of(case.brief.t0) + grace)[0])
    ideal = event - days.lead
    if (handled := _committed_near(case, code, ideal)) is not None:
        return f"that of {civil.text_of(event)} is handled already by {handled}"
    return (
        f"the next one is due on {civil.text_of(ideal)}, after the last day planned for, "
        f"{case.brief.horizon}{remark}"
    )


def _aep(case: Case) -> tuple[str, str]:
    if case.brief.aep_replaced:
        return "a campaign type named aep replaces it", "Campaigns"
    aep = case.brief.config.aep
    if not aep.enabled:
        return "the configuration switches it off (aep.enabled)", "Candidates"
    near = _committed_near(case, AEP, None)
    if near is not None:
        return f"it is handled already by {near}", "Candidates"
    return "no year that the configuration allows is within reach (aep.years)", "Candidates"


def _post_window(case: Case) -> tuple[str, str]:
    if case.state is None or case.window_of(case.brief.as_of.year) is None:
        return "the contact has no exclusion window to make up for", "Post-window"
    if not case.brief.config.organization.enable_post_window_emails:
        why = "the configuration switches it off (organization.enable_post_window_emails)"
        return why, "Post-window"
    if (handled := _committed_near(case, POST_WINDOW, None)) is not None:
        return f"it is handled already by {handled}", "Post-window"
    return "no window within reach keeps back a message, or its end is excluded", "Post-window"


def _followup(case: Case) -> tuple[str, str]:
    rows = case.plan.history.rows
    lookback = case.brief.config.timing.followup_lookback_days
    since = civil.day_of(case.brief.as_of) - lookback
    recent = rows.is_sent & (rows.sent >= since) & (rows.type != FOLLOWUP)
    if not recent.any():
        why = f"nothing was sent to the contact in the last {plural(lookback, 'day')}"
        return why, "Follow-ups"
    return "what was sent has been followed up, or its campaign wants no follow-ups", "Follow-ups"


def _committed_near(case: Case, code: int, ideal: int | None) -> str | None:
    """The committed row of the type near the ideal day (or the horizon's year), in words."""
    rows = case.plan.history.rows
    near = rows.type == code
    if ideal is None:
        near &= rows.day >= civil.day_of(case.brief.as_of - dt.timedelta(days=ANNIVERSARY_DAYS))
    else:
        near &= (rows.day != NO_DAY) & (
            np.abs(rows.day.astype(np.int64) - ideal) <= ANNIVERSARY_DAYS
        )
    found = np.flatnonzero(near)
    return None if len(found) == 0 else _row_in_words(case, int(found[-1]))


def _row_in_words(case: Case, position: int) -> str:
    rows = case.plan.history.rows
    row_id = int(rows.row_id[position])
    status = next(r["status"] for r in case.data.committed.to_pylist() if r["id"] == row_id)
    return f"row {row_id}, {status or 'without a status'} on {civil.text_of(rows.day[position])}"


def _campaigns(case: Case, there: set[int]) -> list[Absence]:
    targets = case.data.targets.to_pylist()
    statuses: dict[int, list[str]] = {}
    for target in targets:
        status = target["status"].strip().lower()
        statuses.setdefault(target["campaign_instance_id"], []).append(status)
    found = []
    for instance in case.brief.instances:
        wanted = instance.id in statuses or (instance.takes_part and instance.target_all_contacts)
        if wanted and instance.id not in there:
            why = _campaign(case, instance, statuses.get(instance.id, []))
            name = f"{instance.email_type} '{instance.name}'"
            found.append(Absence(name=name, why=why, section="Campaigns"))
    return found


def _campaign(case: Case, instance: Instance, statuses: list[str]) -> str:
    if instance.problem is not None:
        return f"the campaign is left out: {instance.problem}"
    if not instance.takes_part:
        start, end = instance.active_start or "the beginning", instance.active_end or "open end"
        return (
            f"the campaign takes no part on {case.brief.as_of}: it is active from {start} to "
            f"{end}, and only if its type is"
        )
    if instance.target_all_contacts and not statuses and not _is_targeted(case, instance):
        return "the contact is outside the campaign's states or carriers"
    if statuses and all(status == "sent" for status in statuses):
        return "it was sent: contact_campaigns says so"
    position = case.brief.instances.index(instance)
    rows = case.plan.history.rows
    handled = np.flatnonzero((rows.type == CAMPAIGN) & (rows.instance == position))
    if len(handled):
        return f"it is handled already by {_row_in_words(case, int(handled[-1]))}"
    return f"it is past its deadline, or due after {case.brief.horizon}"


def _is_targeted(case: Case, instance: Instance) -> bool:
    carrier = case.plan.batch.carriers[int(case.plan.batch.contacts.carrier[0])]
    return (instance.target_states is None or case.state in instance.target_states) and (
        instance.target_carriers is None or carrier in instance.target_carriers
    )
