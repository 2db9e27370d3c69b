"""The message after a window that held back another message (semantics: Post-window)."""

from __future__ import annotations

import datetime as dt

import numpy as np

from almanac import civil
from almanac.frames import Index, Mask
from almanac.joins import DaysByGroup, positions
from almanac.planning.anniversaries import AnniversaryDays, aep_days
from almanac.planning.brief import RunContext
from almanac.planning.contacts import ContactBatch
from almanac.planning.deadlines import post_window_deadline
from almanac.planning.drafts import Drafts, drafts, live
from almanac.planning.history import ANNIVERSARY_DAYS, POST_WINDOW, History
from almanac.planning.kinds import (
    KindTable,
)
from almanac.rules.windows import causes, rows_with_windows, window_in_year
from almanac.schedule_status import INELIGIBLE_SKIPS


def draft_post_windows(
    batch: ContactBatch,
    yearly: list[AnniversaryDays],
    campaigns: Drafts,
    history: History,
    context: RunContext,
    kind_table: KindTable,
) -> Drafts:
    """Return one candidate for each window that ends in reach and holds back a message."""
    settings = context.config.organization
    rows = rows_with_windows(batch.exclusions)
    if settings.exclude_failed_underwriting_global:
        rows = rows[~batch.contacts.failed[rows]]
    if not settings.enable_post_window_emails or len(rows) == 0:
        return Drafts.empty()
    valid = context.config.timing.post_window_valid_days
    exclusions = batch.exclusions.take(rows)
    kept_back = _KeptBack(yearly, campaigns, kind_table)
    oldest_end = context.t0 - dt.timedelta(days=valid + 1)
    first_year = (oldest_end - dt.timedelta(days=int(exclusions.after.max()))).year
    parts = [Drafts.empty()]
    for year in range(first_year, context.horizon.year + 1):
        start, end = window_in_year(exclusions, year)
        ideal = end + np.int32(1)
        deadline = post_window_deadline(ideal, context.config.timing)
        reach = np.flatnonzero(live(context, ideal, deadline))
        contact, first, last = rows[reach], start[reach], end[reach]
        wanted = kept_back.any_in(contact, first, last, context)
        contact, last = contact[wanted], last[wanted]
        ideal, deadline = ideal[reach][wanted], deadline[reach][wanted]
        keep = causes(batch.exclusions.take(contact), ideal) == 0
        keep &= ~history.has_type_near(POST_WINDOW, contact, ideal, ANNIVERSARY_DAYS)
        parts.append(
            drafts(contact, kind_table.kind("post_window"), last, ideal, deadline).take(keep)
        )
    return Drafts.concat(parts)


class _KeptBack:
    """Finds out whether a contact has a message with an ideal date in a window."""

    def __init__(
        self, yearly: list[AnniversaryDays], campaigns: Drafts, kind_table: KindTable
    ) -> None:
        self.yearly = yearly
        never = [kind_table.reason(code) for code in INELIGIBLE_SKIPS]
        counts = kind_table.respects_windows[campaigns.kind] & ~np.isin(campaigns.reason, never)
        self.campaigns = DaysByGroup(campaigns.contact[counts], campaigns.ideal[counts])

    def any_in(
        self, contact: Index, first: np.ndarray, last: np.ndarray, context: RunContext
    ) -> Mask:
        if len(contact) == 0:
            return np.zeros(0, np.bool_)
        found = self.campaigns.any_between(contact, first, last)
        for days in self.yearly:
            where = positions(days.contact, contact)
            have = np.flatnonzero(where >= 0)
            at = where[have]
            found[have] |= days.take(at).first_ideal(first[have]) <= last[have]
        span = civil.date_of(int(first.min())), civil.date_of(int(last.max()))
        for day in aep_days(context, *span):
            found |= (first <= day) & (day <= last)
        return found
