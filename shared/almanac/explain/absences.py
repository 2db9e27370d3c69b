"""Messages that the contact could expect but that are not candidates now, and why not
(semantics: Candidates, Post-window, Campaigns, Follow-ups)."""

from __future__ import annotations

import datetime as dt

import numpy as np

from almanac import civil
from almanac.explain.case import Case
from almanac.explain.messages import targeting_mismatch
from almanac.explain.model import Absence, Decision, Input
from almanac.frames import NO_DAY
from almanac.planning.anniversaries import AnniversaryDays, aep_days, birthdays, effective_dates
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
from almanac.plurals import plural

HANDLED = "Handled already"
NOT_DUE = "Not due"


def absences(case: Case) -> list[Absence]:
    """Return the built-in messages and the contact's campaigns without a candidate, with why."""
    if not case.eligible:
        return []
    drafts = case.plan.drafts
    present = {case.kind(row).email_type for row in range(len(drafts))}
    campaigns = np.flatnonzero(case.kind_table.is_campaign[drafts.kind])
    instances = {case.kind(int(row)).instance for row in campaigns}
    found = []
    for name, find in (
        ("birthday", _birthday),
        ("effective_date", _effective_date),
        ("aep", _aep),
        ("post_window", _post_window),
        ("followup", _followup),
    ):
        if not any(each.startswith(name) for each in present):
            found.append(_absence(find(case), name, name))
    return found + _campaigns(case, instances)


def _absence(why: Decision, email_type: str, name: str) -> Absence:
    return Absence(**dict(why), email_type=email_type, name=name)


def _not_due(why: str, **inputs: Input) -> Decision:
    return Decision(step=NOT_DUE, section="Candidates", why=why, inputs=inputs)


def _birthday(case: Case) -> Decision:
    if int(case.plan.batch.contacts.birth[0]) == NO_DAY:
        return _not_due("the contact has no usable birth date")
    return _yearly(case, birthdays(case.plan.batch.contacts, case.context), BIRTHDAY, "")


def _effective_date(case: Case) -> Decision:
    if int(case.plan.batch.contacts.effective[0]) == NO_DAY:
        return _not_due("the contact has no usable effective date")
    days = effective_dates(case.plan.batch.contacts, case.context)
    months = case.context.config.organization.effective_date_first_email_months
    first = f" (the first comes {plural(months, 'month')} or more after the effective date)"
    return _yearly(case, days, EFFECTIVE_DATE, first)


def _yearly(case: Case, days: AnniversaryDays, code: int, remark: str) -> Decision:
    grace = 1 if days.lead > 0 else 0
    event = days.first_event(civil.day_of(case.context.t0) + grace)
    return _due_later(case, code, int(event[0]), int(days.ideal(event)[0]), remark)


def _due_later(case: Case, code: int, event: int, ideal: int, remark: str = "") -> Decision:
    """Return why a future event has no candidate: it is handled, or too far in the future."""
    near = _committed_near(case, code, ideal)
    if near is not None:
        return Decision(
            step=HANDLED,
            section="Candidates",
            why=f"the one of {civil.text_of(event)} is already handled by "
            f"{_row_in_words(case, near)}",
            inputs=_handled(case, near, ideal),
        )
    return _not_due(
        f"the next one is due on {civil.text_of(ideal)}, after the horizon "
        f"{case.context.horizon}{remark}",
        event=civil.date_of(event),
        **{"ideal date": civil.date_of(ideal), "horizon": case.context.horizon},
    )


def _aep(case: Case) -> Decision:
    context, aep = case.context, case.context.config.aep
    if context.aep_replaced:
        why = "a campaign of the type aep replaces it"
        return Decision(step="Replaced", section="Campaigns", why=why)
    if not aep.enabled:
        return _not_due("the configuration disables it (aep.enabled)", **{"aep.enabled": False})
    earliest = context.t0 - dt.timedelta(days=aep.valid_days)
    days = aep_days(context, earliest, context.horizon + dt.timedelta(days=366))
    day = next((day for day in days if day >= civil.day_of(earliest)), None)
    if day is None:
        return _not_due("no year that the configuration allows is near enough (aep.years)")
    return _due_later(case, AEP, day, day)


def _post_window(case: Case) -> Decision:
    organization = case.context.config.organization
    failed = bool(case.plan.batch.contacts.failed[0])
    if bool(case.exclusions.year_round[0]) or case.window_of(case.context.as_of.year) is None:
        return _no_make_up("the contact has no exclusion window to make up for")
    if not organization.enable_post_window_emails:
        return _no_make_up(
            "the configuration disables it (organization.enable_post_window_emails)",
            enable_post_window_emails=False,
        )
    if organization.exclude_failed_underwriting_global and failed:
        return _no_make_up(
            "the contact has failed underwriting, and the configuration excludes such contacts",
            failed_underwriting=True,
            exclude_failed_underwriting_global=True,
        )
    return _no_window(case)


def _no_window(case: Case) -> Decision:
    """Return why no window that ends up to the horizon has a post-window message: the last one."""
    valid = case.context.config.timing.post_window_valid_days
    earliest = case.context.t0 - dt.timedelta(days=valid + 1)
    windows = case.windows_about(case.context.as_of.year)
    near_ones = [window for window in windows if earliest <= window[1] < case.context.horizon]
    if not near_ones:
        return _no_make_up("no window ends before the horizon")
    start, end = near_ones[-1]
    after = civil.day_of(end) + 1
    near = _committed_near(case, POST_WINDOW, after)
    if near is not None:
        return Decision(
            step=HANDLED,
            section="Candidates",
            why=f"the one after {end} is already handled by {_row_in_words(case, near)}",
            inputs=_handled(case, near, after),
        )
    why = f"no message is due in the window {start} to {end}"
    if case.cause(after):
        why = f"the day after the window that ends on {end} is excluded too"
    return _no_make_up(why, **{"window start": start, "window end": end})


def _no_make_up(why: str, **inputs: Input) -> Decision:
    return Decision(step=NOT_DUE, section="Post-window", why=why, inputs=inputs)


def _followup(case: Case) -> Decision:
    rows = case.plan.history.rows
    lookback = case.context.config.timing.followup_lookback_days
    since = civil.day_of(case.context.as_of) - lookback
    recent = rows.is_sent & (rows.sent >= since) & (rows.type != FOLLOWUP)
    why = "what was sent has a follow-up, or its campaign has no follow-ups"
    if not recent.any():
        why = f"nothing was sent to the contact in the last {plural(lookback, 'day')}"
    inputs: dict[str, Input] = {"followup_lookback_days": lookback, "since": civil.date_of(since)}
    return Decision(step=NOT_DUE, section="Follow-ups", why=why, inputs=inputs)


def _committed_near(case: Case, code: int, ideal: int) -> int | None:
    """Return the position of the committed row that handles what is due on the ideal day."""
    rows = case.plan.history.rows
    apart = np.abs(rows.day.astype(np.int64) - ideal)
    near = (rows.type == code) & (rows.day != NO_DAY) & (apart <= ANNIVERSARY_DAYS)
    found = np.flatnonzero(near)
    return None if len(found) == 0 else int(found[-1])


def _status(case: Case, position: int) -> str:
    row_id = int(case.plan.history.rows.row_id[position])
    status: str = next(row["status"] for row in case.committed if row["id"] == row_id)
    return status


def _row_in_words(case: Case, position: int) -> str:
    rows = case.plan.history.rows
    status = _status(case, position) or "without a status"
    day = int(rows.day[position])
    when = f" on {civil.text_of(day)}" if day != NO_DAY else ""
    return f"row {int(rows.row_id[position])}, {status}{when}"


def _handled(case: Case, position: int, ideal: int | None = None) -> dict[str, Input]:
    """Return the row that handles a message, and how near it has to be."""
    rows = case.plan.history.rows
    day = int(rows.day[position])
    inputs: dict[str, Input] = {
        "row": int(rows.row_id[position]),
        "status": _status(case, position),
        "scheduled_send_date": None if day == NO_DAY else civil.date_of(day),
    }
    if ideal is not None:
        inputs |= {
            "ideal date": civil.date_of(ideal),
            "days between": abs(day - ideal),
            "at most": ANNIVERSARY_DAYS,
        }
    return inputs


def _campaigns(case: Case, present: set[int]) -> list[Absence]:
    targets = case.data.targets.to_pylist()
    statuses: dict[int, list[str]] = {}
    for target in targets:
        status = target["status"].strip().lower()
        statuses.setdefault(target["campaign_instance_id"], []).append(status)
    found = []
    for instance in case.context.instances:
        wanted = instance.id in statuses or (instance.takes_part and instance.target_all_contacts)
        if wanted and instance.id not in present:
            why = _campaign(case, instance, statuses.get(instance.id, []))
            name = f"{instance.email_type} '{instance.name}'"
            found.append(_absence(why, instance.email_type, name))
    return found


def _campaign(case: Case, instance: Instance, statuses: list[str]) -> Decision:
    inputs: dict[str, Input] = {"instance": instance.id}
    position = case.context.instances.index(instance)
    rows = case.plan.history.rows
    handled = np.flatnonzero((rows.type == CAMPAIGN) & (rows.instance == position))
    mismatch, of_targeting = targeting_mismatch(case, instance)
    step = NOT_DUE
    if instance.problem is not None:
        step, why = "Left out", f"the campaign is left out: {instance.problem}"
    elif not instance.takes_part:
        start, end = instance.active_start or "the beginning", instance.active_end or "open end"
        step = "Takes part"
        why = (
            f"the campaign takes no part on {case.context.as_of}: it is active from {start} to "
            f"{end}, and only if its type is"
        )
        inputs |= {
            "active_start_date": instance.active_start,
            "active_end_date": instance.active_end,
        }
    elif instance.target_all_contacts and mismatch:
        step, why = "Targeting", f"the campaign {mismatch}"
        inputs = of_targeting
    elif not instance.target_all_contacts and all(status == "sent" for status in statuses):
        step, why = HANDLED, "it was sent according to contact_campaigns"
    elif len(handled):
        step = HANDLED
        why = f"it is already handled by {_row_in_words(case, int(handled[-1]))}"
        inputs |= _handled(case, int(handled[-1]))
    else:
        why = f"it is past its deadline, or due after {case.context.horizon}"
    return Decision(step=step, section="Campaigns", why=why, inputs=inputs)
