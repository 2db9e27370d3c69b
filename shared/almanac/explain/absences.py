"""Messages that the contact could expect but that are not candidates now, and why not
(semantics: Candidates, Post-window, Campaigns, Follow-ups)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import numpy as np

from almanac import civil
from almanac.explain.campaign_absences import absence, campaign_absences
from almanac.explain.case import Case
from almanac.explain.handled import HANDLED, NOT_DUE, handled_by, row_in_words
from almanac.explain.model import Absence, Decision, Input
from almanac.frames import NO_DAY
from almanac.organizations.brief import aep_in_words
from almanac.planning.anniversaries import AnniversaryDays, aep_days, birthdays, effective_dates
from almanac.planning.history import (
    AEP,
    ANNIVERSARY_DAYS,
    BIRTHDAY,
    EFFECTIVE_DATE,
    FOLLOWUP,
    POST_WINDOW,
)
from almanac.plurals import plural
from almanac.rules.windows import rows_with_windows


def absences(case: Case) -> list[Absence]:
    """Return the built-in messages and the contact's campaigns without a candidate, with why."""
    if not case.eligible:
        return []
    present = {case.kind(row).email_type for row in range(len(case.plan.drafts))}
    found = []
    for name, find in WHY_ABSENT.items():
        if not any(each.startswith(name) for each in present):
            found.append(absence(find(case), name, name))
    return found + campaign_absences(case)


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
            f"{row_in_words(case, near)}",
            inputs=handled_by(case, near, ideal),
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
        why = aep_in_words(context)
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
    if not len(rows_with_windows(case.exclusions)):
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
    windows = case.merged_windows(civil.day_of(earliest), civil.day_of(case.context.horizon))
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
            why=f"the one after {end} is already handled by {row_in_words(case, near)}",
            inputs=handled_by(case, near, after),
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
    of_type = (rows.type == code) | (rows.campaign_aep & (code == AEP))
    near = of_type & (rows.day != NO_DAY) & (apart <= ANNIVERSARY_DAYS)
    found = np.flatnonzero(near)
    return None if len(found) == 0 else int(found[-1])


# by the beginning of the email type
WHY_ABSENT: dict[str, Callable[[Case], Decision]] = {
    "birthday": _birthday,
    "effective_date": _effective_date,
    "aep": _aep,
    "post_window": _post_window,
    "followup": _followup,
}
