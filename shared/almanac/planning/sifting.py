"""Which candidates may be sent, and from when to when (semantics: Sifting, steps 1 to 6).

Each step looks at one contact's candidates at a time; what is vectorised here is all contacts at
once. Nothing in it knows the previous plan.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from almanac import civil
from almanac.frames import Codes, Days, Frame, Index, Mask
from almanac.joins import day_keys, group_starts, groups_of, rank_in_group
from almanac.planning.brief import RunContext
from almanac.planning.contacts import ContactBatch
from almanac.planning.drafts import Drafts
from almanac.planning.history import History
from almanac.planning.kinds import KindTable
from almanac.rules.windows import FAR, causes, first_clear_day, last_clear_day
from almanac.schedule_status import SkipCode

CHUNK = 4_000  # contacts whose messages are counted against each other at a time
_NOWHERE = -(1 << 28)  # a day that is in no span


@dataclass(frozen=True)
class Sifted(Frame):
    """Where a candidate may be put; row by row with the drafts. Without meaning if skipped."""

    reason: Codes
    start: Days  # first day that can be sent
    latest: Days  # last day up to the deadline without an excluded day since the start
    lo: Days  # it may be moved to [lo, hi] without breaking the frequency limit
    hi: Days
    floor: Days  # first day of [lo, hi] that can be sent, no excluded day between it and start


def sift(
    drafts: Drafts,
    batch: ContactBatch,
    history: History,
    context: RunContext,
    kind_table: KindTable,
) -> Sifted:
    """Steps 1 to 6 for candidates of any order; those with a reason keep it."""
    t0 = np.int32(civil.day_of(context.t0))
    reason = drafts.reason.copy()
    start = np.maximum(drafts.ideal, t0)
    latest = drafts.deadline.copy()
    respects = kind_table.respects_windows[drafts.kind]

    rows = np.flatnonzero((reason == 0) & respects)
    contact = drafts.contact[rows]
    exclusions = batch.exclusions.take(contact)
    cause = causes(exclusions, drafts.ideal[rows])
    late = np.flatnonzero((cause == 0) & (start[rows] != drafts.ideal[rows]))
    cause[late] = causes(exclusions.take(late), start[rows[late]])
    reason[rows] = kind_table.exclusion_reasons(cause, batch.contacts.state[contact])
    clear = cause == 0
    rows, exclusions = rows[clear], exclusions.take(clear)
    latest[rows] = last_clear_day(exclusions, start[rows], latest[rows])

    _drop_conflicting_campaigns(drafts, reason, kind_table)
    counted = ~kind_table.is_followup[drafts.kind]
    standing = _standing(drafts, history, context, counted)
    _drop_too_frequent(drafts, reason, counted, standing, context, kind_table)
    lo, hi = _ranges(drafts, reason, counted, standing, latest, context, kind_table)
    reason[(reason == 0) & (hi < start)] = kind_table.reason(SkipCode.FREQUENCY)

    floor = np.maximum(lo, t0)
    early = np.flatnonzero((reason == 0) & respects & (floor < start))
    floor[early] = first_clear_day(
        batch.exclusions.take(drafts.contact[early]), start[early], floor[early]
    )
    return Sifted(reason, start, latest, lo, hi, floor)


def _order(drafts: Drafts, kind_table: KindTable) -> Index:
    """The order in which a contact's candidates are judged, for all contacts: by contact, then
    (priority, ideal, email_type, instance, event)."""
    priority = kind_table.priority[drafts.kind]
    return np.lexsort((drafts.event, drafts.kind, drafts.ideal, priority, drafts.contact))


def _drop_conflicting_campaigns(drafts: Drafts, reason: Codes, kind_table: KindTable) -> None:
    """Step 4: of a contact's campaign e-mails of one ideal day the best stays."""
    rows = np.flatnonzero((reason == 0) & kind_table.is_campaign[drafts.kind])
    if len(rows) < 2:
        return
    group = day_keys(drafts.contact[rows], drafts.ideal[rows])
    instance = np.array([kind.instance for kind in kind_table.kinds])[drafts.kind[rows]]
    order = np.lexsort(
        (drafts.event[rows], instance, kind_table.priority[drafts.kind[rows]], group)
    )
    worse = order[~group_starts(group[order])]
    reason[rows[worse]] = kind_table.reason(SkipCode.CAMPAIGN_CONFLICT)


@dataclass(frozen=True)
class _Standing(Frame):
    """Committed rows that count in the frequency limit."""

    contact: Index
    day: Days


def _standing(drafts: Drafts, history: History, context: RunContext, counted: Mask) -> _Standing:
    rows = history.rows
    mine = rows.take(rows.counted)
    if len(drafts) and len(mine):
        # one further back than this cannot share a span with any candidate, wherever it moves
        reach = (
            context.config.frequency.period_days
            + context.config.load_balancing.ed_smoothing_window_days
        )
        mine = mine.take(mine.day >= int(drafts.ideal.min()) - reach)
    return _Standing(mine.contact, mine.day)


def _drop_too_frequent(
    drafts: Drafts,
    reason: Codes,
    counted: Mask,
    standing: _Standing,
    context: RunContext,
    kind_table: KindTable,
) -> None:
    """Step 5: candidates are accepted in order unless a span of days would hold too many."""
    limit, period = context.config.frequency.max_emails, context.config.frequency.period_days
    rows = np.flatnonzero((reason == 0) & counted)
    contact = np.concatenate([standing.contact, drafts.contact[rows]])
    keys = np.sort(day_keys(contact, np.concatenate([standing.day, drafts.ideal[rows]])))
    crowded_at = np.flatnonzero(keys[limit:] - keys[:-limit] < period)
    crowded = np.unique(groups_of(keys[crowded_at]))
    if len(crowded) == 0:
        return
    rows = rows[np.isin(drafts.contact[rows], crowded)]
    rows = rows[_order(drafts.take(rows), kind_table)]
    mine = standing.take(np.isin(standing.contact, crowded))
    frequency = kind_table.reason(SkipCode.FREQUENCY)
    for first in range(0, len(crowded), CHUNK):
        chunk = crowded[first : first + CHUNK]
        some = rows[_within(drafts.contact[rows], chunk)]
        committed = mine.take(_within(mine.contact, chunk))
        refused = _refused(
            np.searchsorted(chunk, drafts.contact[some]),
            drafts.ideal[some],
            np.searchsorted(chunk, committed.contact),
            committed.day,
            (len(chunk), limit, period),
        )
        reason[some[refused]] = frequency


def _within(contact: Index, chunk: npt.NDArray[np.int64]) -> Mask:
    within: Mask = (contact >= chunk[0]) & (contact <= chunk[-1])
    return within


def _refused(
    contact: Index,
    ideal: Days,
    standing_contact: Index,
    standing_day: Days,
    sizes: tuple[int, int, int],
) -> Mask:
    """Which candidates find a span full; they come by contact and in order of judgement.

    Round k judges the k-th candidate of every contact against those that stand by then.
    """
    contacts, limit, period = sizes
    order = np.argsort(standing_contact, kind="stable")
    standing_contact, standing_day = standing_contact[order], standing_day[order]
    standing_slot = rank_in_group(standing_contact)
    round_of = rank_in_group(contact)
    width = int(standing_slot.max(initial=-1)) + int(round_of.max(initial=-1)) + 2
    days = np.full((contacts, width), _NOWHERE, np.int32)
    days[standing_contact, standing_slot] = standing_day
    filled = np.bincount(standing_contact, minlength=contacts)
    refused = np.zeros(len(contact), np.bool_)
    for number in range(int(round_of.max(initial=-1)) + 1):
        rows = np.flatnonzero(round_of == number)
        who, day = contact[rows], ideal[rows]
        others = days[who]
        near = np.abs(others - day[:, None]) < period
        # a span that holds the candidate starts at it or at a message up to a period before it
        starts = np.where(near & (others <= day[:, None]), others, day[:, None])
        full = np.zeros(len(rows), np.bool_)
        for column in range(starts.shape[1]):
            begin = starts[:, column : column + 1]
            held = ((others >= begin) & (others < begin + period)).sum(axis=1)
            full |= held + 1 > limit
        refused[rows] = full
        stays = ~full
        days[who[stays], filled[who[stays]]] = day[stays]
        filled[who[stays]] += 1
    return refused


def _ranges(
    drafts: Drafts,
    reason: Codes,
    counted: Mask,
    standing: _Standing,
    latest: Days,
    context: RunContext,
    kind_table: KindTable,
) -> tuple[Days, Days]:
    """Step 6: how far each e-mail can move without any move breaking the frequency limit."""
    limit, period = context.config.frequency.max_emails, context.config.frequency.period_days
    half = context.config.load_balancing.ed_smoothing_window_days // 2
    lo, hi = drafts.ideal.copy(), latest.copy()
    rows = np.flatnonzero((reason == 0) & counted)
    if len(rows) == 0:
        return lo, hi
    rows = rows[_order(drafts.take(rows), kind_table)]
    fixed = len(standing)
    contact = np.concatenate([standing.contact, drafts.contact[rows]])
    day = np.concatenate([standing.day, drafts.ideal[rows]])
    # committed rows come first in the concatenation, so the stable sort puts them first of equals
    order = np.argsort(day_keys(contact, day), kind="stable")
    contact, day = contact[order], day[order].astype(np.int64)
    source = np.where(order < fixed, -1, order - fixed)
    movable = np.flatnonzero(source >= 0)
    movable = movable[kind_table.is_effective_date[drafts.kind[rows[source[movable]]]]]

    low = day.copy()
    before = movable - limit
    has_before = (before >= 0) & (contact[np.maximum(before, 0)] == contact[movable])
    roomy = ~has_before | (day[movable] - half - day[np.maximum(before, 0)] >= period)
    low[movable[roomy]] -= half

    high = np.full(len(day), FAR, np.int64)
    if len(day) > limit:
        same = contact[limit:] == contact[:-limit]
        high[:-limit][same] = low[limit:][same] - period
    planned = source >= 0
    target = rows[source[planned]]
    lo[target] = low[planned]
    hi[target] = np.minimum(latest[target], high[planned])
    return lo, hi
