"""Birthday, policy anniversary and AEP (semantics: Candidates)."""

from __future__ import annotations

import datetime as dt

import numpy as np

from almanac import civil
from almanac.frames import NO_DAY, Codes, Days, Index
from almanac.planning.brief import RunContext
from almanac.planning.contacts import Contacts
from almanac.planning.drafts import Drafts, drafts, live
from almanac.planning.history import AEP, ANNIVERSARY_DAYS, BIRTHDAY, EFFECTIVE_DATE, History
from almanac.planning.kinds import KindTable
from almanac.rules.windows import first_anniversary
from almanac.schedule_status import SkipCode


class AnniversaryDays:
    """A yearly event of the contacts that have it: its days in every year."""

    def __init__(self, contact: Index, month_day: Codes, first_year: Codes, lead: int) -> None:
        self.contact = contact  # positions of the contacts that have the date
        self.month_day = month_day
        self.first_year = first_year  # of the first anniversary that counts
        self.lead = lead  # days from the ideal day to the event

    def first_event(self, on_or_after: Days | int) -> Days:
        """Return the first event day on or after a day."""
        return first_anniversary(self.month_day, on_or_after, self.first_year)


def birthdays(contacts: Contacts, context: RunContext) -> AnniversaryDays:
    """Return birthdays: anniversaries later than the birth date."""
    have = np.flatnonzero(contacts.birth != NO_DAY)
    birth = contacts.birth[have]
    return AnniversaryDays(
        have,
        civil.month_day_of(birth),
        civil.year_of(birth) + np.int32(1),
        context.config.timing.birthday_days_before,
    )


def effective_dates(contacts: Contacts, context: RunContext) -> AnniversaryDays:
    """Return policy anniversaries from the first that is enough months after the start."""
    have = np.flatnonzero(contacts.effective != NO_DAY)
    effective = contacts.effective[have]
    lead = context.config.timing.effective_date_days_before
    needed = context.config.organization.effective_date_first_email_months
    month_day = civil.month_day_of(effective)
    start = civil.months_of(effective)
    # an ideal date is never later than its anniversary, so no earlier year has enough months
    year = civil.year_of(effective) + np.int32(max(1, needed // 12))
    while True:
        ideal = civil.anniversary(month_day, year) - np.int32(lead)
        early = civil.months_of(ideal) - start < needed
        if not early.any():
            return AnniversaryDays(have, month_day, year, lead)
        year = year + early.astype(np.int32)


def aep_days(context: RunContext, first: dt.date, last: dt.date) -> list[int]:
    """Return the days of the built-in AEP message in the years of the span."""
    aep = context.config.aep
    if not aep.enabled or context.aep_replaced:
        return []
    month, day = int(aep.date[:2]), int(aep.date[3:])
    years = [y for y in range(first.year, last.year + 1) if aep.years is None or y in aep.years]
    month_day = np.full(len(years), (month - 1) * 31 + day - 1, np.int32)
    return [int(d) for d in civil.anniversary(month_day, np.array(years, np.int32))]


def draft_birthdays(
    days: AnniversaryDays,
    contacts: Contacts,
    history: History,
    context: RunContext,
    kind_table: KindTable,
) -> Drafts:
    """Return at most one birthday candidate for each contact."""
    return _draft(days, "birthday", BIRTHDAY, contacts, history, context, kind_table)


def draft_effective_dates(
    days: AnniversaryDays,
    contacts: Contacts,
    history: History,
    context: RunContext,
    kind_table: KindTable,
) -> Drafts:
    """Return at most one effective_date candidate for each contact."""
    return _draft(days, "effective_date", EFFECTIVE_DATE, contacts, history, context, kind_table)


def _draft(
    days: AnniversaryDays,
    name: str,
    code: int,
    contacts: Contacts,
    history: History,
    context: RunContext,
    kind_table: KindTable,
) -> Drafts:
    grace = 1 if days.lead > 0 else 0  # the deadline is the day before, or the day itself
    event = days.first_event(civil.day_of(context.t0) + grace)
    ideal, deadline = event - np.int32(days.lead), event - np.int32(grace)
    keep = live(context, ideal, deadline)
    keep &= ~history.has_type_near(code, days.contact, ideal, ANNIVERSARY_DAYS)
    reason = np.zeros(len(ideal), np.int32)
    if context.config.organization.exclude_failed_underwriting_global:
        reason[contacts.failed[days.contact]] = kind_table.reason(SkipCode.UNDERWRITING_GLOBAL)
    return drafts(days.contact, kind_table.kind(name), event, ideal, deadline, reason).take(keep)


def draft_aep(
    contacts: Contacts, history: History, context: RunContext, kind_table: KindTable
) -> Drafts:
    """Return for each contact the AEP candidate of the first allowed year still in time."""
    valid = context.config.aep.valid_days
    everyone = np.arange(len(contacts))
    earliest = context.t0 - dt.timedelta(days=valid)
    for day in aep_days(context, earliest, context.horizon):
        if live(context, day, day + valid):
            break
        if day + valid >= civil.day_of(context.t0):
            return Drafts.empty()
    else:
        return Drafts.empty()
    ideal = np.full(len(everyone), day, np.int32)
    keep = ~history.has_type_near(AEP, everyone, ideal, ANNIVERSARY_DAYS)
    return drafts(everyone, kind_table.kind("aep"), ideal, ideal, ideal + np.int32(valid)).take(
        keep
    )
