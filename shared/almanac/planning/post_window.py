"""The message after a window that held back another message (semantics: Post-window)."""

from __future__ import annotations

import numpy as np

from almanac import civil
from almanac.frames import Index, Mask
from almanac.joins import DaysByGroup, positions
from almanac.planning.anniversaries import AnniversaryDays, aep_days
from almanac.planning.brief import RunContext
from almanac.planning.contacts import ContactBatch
from almanac.planning.deadlines import post_window_deadline
from almanac.planning.drafts import Drafts, drafts
from almanac.planning.history import ANNIVERSARY_DAYS, POST_WINDOW, History
from almanac.planning.kinds import KindTable
from almanac.rules.merged_windows import windows_ending_in
from almanac.rules.windows import causes, rows_with_windows
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
    first_end, last_end = civil.day_of(context.t0) - valid - 1, civil.day_of(context.horizon) - 1
    windows = windows_ending_in(batch.exclusions.take(rows), first_end, last_end)
    contact = rows[windows.row]
    kept_back = _KeptBack(yearly, campaigns, kind_table)
    wanted = kept_back.any_in(contact, windows.start, windows.end, context)
    contact, last = contact[wanted], windows.end[wanted]
    ideal = last + np.int32(1)
    keep = causes(batch.exclusions.take(contact), ideal) == 0
    keep &= ~history.has_type_near(POST_WINDOW, contact, ideal, ANNIVERSARY_DAYS)
    kind = kind_table.kind("post_window")
    deadline = post_window_deadline(ideal, context.config.timing)
    return drafts(contact, kind, last, ideal, deadline).take(keep)


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
