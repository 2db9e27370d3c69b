"""Birthday, policy anniversary and AEP (semantics: Candidates)."""

from __future__ import annotations

import datetime as dt

import numpy as np

from almanac import civil
from almanac.frames import NO_DAY, Codes, Days, Index
from almanac.planning.brief import RunContext
from almanac.planning.contacts import Contacts
from almanac.planning.deadlines import aep_deadline, anniversary_deadline, grace
from almanac.planning.drafts import Drafts, drafts, live
from almanac.planning.history import AEP, ANNIVERSARY_DAYS, BIRTHDAY, EFFECTIVE_DATE, History
from almanac.planning.kinds import KindTable
from almanac.rules.windows import first_anniversary
from almanac.schedule_status import SkipCode

_FIRST_DAY, _LAST_DAY = civil.day_of(dt.date.min), civil.day_of(dt.date.max)


class AnniversaryDays:
    """One yearly event of each contact that has it: its days, of whatever year.

    contact: positions of the contacts that have the date. first_year: of the first anniversary
    that counts. lead: days from the ideal date to the event. earliest: no ideal date is before it.
    """

    def __init__(
        self, contact: Index, month_day: Codes, first_year: Codes, lead: int, earliest: Days
    ) -> None:
        self.contact = contact
        self.month_day = month_day
        self.first_year = first_year
        self.lead = lead
        self.earliest = earliest

    def take(self, rows: Index) -> AnniversaryDays:
        """Return those of some of the contacts."""
        return AnniversaryDays(
            self.contact[rows],
            self.month_day[rows],
            self.first_year[rows],
            self.lead,
            self.earliest[rows],
        )

    def first_event(self, on_or_after: Days | int) -> Days:
        """Return the first event day on or after a day."""
        return first_anniversary(self.month_day, on_or_after, self.first_year)

    def ideal(self, event: Days) -> Days:
        """Return the ideal date of each contact's event."""
        ideal: Days = np.maximum(event - np.int32(self.lead), self.earliest)
        return ideal

    def first_ideal(self, on_or_after: Days) -> Days:
        """Return the first ideal date on or after a day."""
        # where the earliest ideal date is late enough, so is that of the first event
        event = self.first_event(
            np.where(self.earliest >= on_or_after, _FIRST_DAY, on_or_after + np.int32(self.lead))
        )
        return self.ideal(event)


def birthdays(contacts: Contacts, context: RunContext) -> AnniversaryDays:
    """Return birthdays: anniversaries later than the birth date."""
    have = np.flatnonzero(contacts.birth != NO_DAY)
    birth = contacts.birth[have]
    return AnniversaryDays(
        have,
        civil.month_day_of(birth),
        civil.year_of(birth) + np.int32(1),
        context.config.timing.birthday_days_before,
        np.full(len(have), _FIRST_DAY, np.int32),
    )


def effective_dates(contacts: Contacts, context: RunContext) -> AnniversaryDays:
    """Return the policy anniversaries from the first whose deadline is not before the first day of
    the month from which on these messages may be sent."""
    have = np.flatnonzero(contacts.effective != NO_DAY)
    effective = contacts.effective[have]
    lead = context.config.timing.effective_date_days_before
    needed = context.config.organization.effective_date_first_email_months
    month_day, year = civil.month_day_of(effective), civil.year_of(effective) + np.int32(1)
    month = civil.months_of(effective) + np.int32(needed)
    earliest = civil.days_of_parts(month // 12, month % 12 + 1, np.ones_like(month))
    earliest = np.where(earliest == NO_DAY, _LAST_DAY, earliest).astype(np.int32)
    year = np.maximum(year, civil.year_of(earliest))
    deadline = anniversary_deadline(civil.anniversary(month_day, year), lead)
    year = year + (deadline < earliest).astype(np.int32)
    return AnniversaryDays(have, month_day, year, lead, earliest)


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
    event = days.first_event(civil.day_of(context.t0) + grace(days.lead))
    ideal, deadline = days.ideal(event), anniversary_deadline(event, days.lead)
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
    deadline = aep_deadline(ideal, context.config)
    return drafts(everyone, kind_table.kind("aep"), ideal, ideal, deadline).take(keep)
