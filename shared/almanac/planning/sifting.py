"""Which candidates may be sent, and in which range of days (semantics: Sifting, steps 1 to 6).

Each step considers one contact at a time; here it is computed for all contacts at once. No step
uses the previous plan.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from almanac import civil
from almanac.frames import Codes, Days, Frame, Ids, Index, Mask
from almanac.joins import day_keys, group_starts, groups_of, order_by, positions, rank_in_group
from almanac.planning.brief import RunContext
from almanac.planning.contacts import ContactBatch
from almanac.planning.drafts import Drafts
from almanac.planning.history import History
from almanac.planning.kinds import KindTable
from almanac.rules.windows import FAR, causes, first_clear_day, last_clear_day, with_rules
from almanac.schedule_status import SkipCode

CHUNK = 4_000  # contacts whose candidates are judged together
_NOWHERE = -(1 << 28)  # a day that is in no span


@dataclass(frozen=True)
class Sifted(Frame):
    """The range of days of each draft, row by row; without meaning for one that is skipped."""

    reason: Codes
    start: Days  # the later of ideal date and T0
    latest: Days  # last day up to the deadline without an excluded day since the start
    x: Days  # the day that the frequency limit counts it on: ideal, or later where it waits
    lo: Days  # it may be moved to [lo, hi] and keeps the frequency limit
    hi: Days
    floor: Days  # first day of [lo, hi] from T0 on, no excluded day between it and start


def sift(
    drafts: Drafts,
    batch: ContactBatch,
    history: History,
    context: RunContext,
    kind_table: KindTable,
) -> Sifted:
    """Return the ranges of drafts in any order (steps 1 to 6); a draft with a reason keeps it."""
    t0 = np.int32(civil.day_of(context.t0))
    reason = drafts.reason.copy()
    start = np.maximum(drafts.ideal, t0)
    latest = drafts.deadline.copy()
    ruled = with_rules(batch.exclusions)[drafts.contact]  # a fraction of all
    respects = kind_table.respects_windows[drafts.kind] & ruled

    rows = np.flatnonzero((reason == 0) & respects)
    contact = drafts.contact[rows]
    exclusions = batch.exclusions.take(contact)
    cause = causes(exclusions, drafts.ideal[rows])
    late = np.flatnonzero((cause == 0) & (start[rows] != drafts.ideal[rows]))
    cause[late] = causes(exclusions.take(late), start[rows[late]])
    reason[rows] = kind_table.exclusion_reasons(cause, batch.contacts.state[contact])
    clear = cause == 0
    # of the others without meaning; to take all columns of rules costs more
    latest[rows[clear]] = last_clear_day(exclusions, start[rows], latest[rows])[clear]

    _drop_conflicting_campaigns(drafts, reason, kind_table)
    counted = ~kind_table.is_followup[drafts.kind]
    committed = _committed(drafts, history, context)
    x = _spaced(drafts, reason, counted, committed, latest, _Limit.of(context), kind_table)
    lo, hi = _ranges(drafts, x, reason, counted, committed, latest, context, kind_table)
    reason[(reason == 0) & (hi < start)] = kind_table.reason(SkipCode.FREQUENCY)

    floor = np.maximum(lo, t0)
    early = np.flatnonzero((reason == 0) & respects & (floor < start))
    floor[early] = first_clear_day(
        batch.exclusions.take(drafts.contact[early]), start[early], floor[early]
    )
    return Sifted(reason, start, latest, x, lo, hi, floor)


def _order(drafts: Drafts, kind_table: KindTable) -> Index:
    """Return the order in which candidates are judged: by contact, then (priority, ideal date,
    email type, instance, event date)."""
    priority = kind_table.priority[drafts.kind]
    return order_by(drafts.contact, priority, drafts.ideal, drafts.kind, drafts.event)


def _drop_conflicting_campaigns(drafts: Drafts, reason: Codes, kind_table: KindTable) -> None:
    """Step 4: skip all but the best of a contact's campaign messages with one ideal date."""
    rows = np.flatnonzero((reason == 0) & kind_table.is_campaign[drafts.kind])
    if len(rows) < 2:
        return
    group = day_keys(drafts.contact[rows], drafts.ideal[rows])
    instance = np.array([kind.instance for kind in kind_table.kinds])[drafts.kind[rows]]
    order = order_by(group, kind_table.priority[drafts.kind[rows]], instance, drafts.event[rows])
    worse = order[~group_starts(group[order])]
    reason[rows[worse]] = kind_table.reason(SkipCode.CAMPAIGN_CONFLICT)


@dataclass(frozen=True)
class _Counted(Frame):
    """Messages that count in the frequency limit, one a row."""

    contact: Index
    day: Days


class _Limit(NamedTuple):
    """At most `emails` messages in any `period` consecutive days."""

    emails: int
    period: int

    @classmethod
    def of(cls, context: RunContext) -> _Limit:
        frequency = context.config.frequency
        return cls(frequency.max_emails, frequency.period_days)


def _committed(drafts: Drafts, history: History, context: RunContext) -> _Counted:
    """Return the committed rows that count and can share a span with a candidate."""
    rows, mine = history.rows, history.rows.counted
    if len(drafts):
        # one further back cannot share a span with any candidate, wherever it moves
        reach = (
            context.config.frequency.period_days
            + context.config.load_balancing.ed_smoothing_window_days
        )
        mine = mine & (rows.day >= int(drafts.ideal.min()) - reach)
    return _Counted(rows.contact[mine], rows.day[mine])


def _spaced(
    drafts: Drafts,
    reason: Codes,
    counted: Mask,
    committed: _Counted,
    latest: Days,
    limit: _Limit,
    kind_table: KindTable,
) -> Days:
    """Step 5: return x, accepting candidates in order, each on the first day from its ideal date to
    its latest on which no span of days would hold too many messages; skip those without one."""
    x = drafts.ideal.copy()
    rows = np.flatnonzero((reason == 0) & counted)
    contacts = _crowded(committed, _Counted(drafts.contact[rows], drafts.ideal[rows]), limit)
    if len(contacts) == 0:
        return x
    rows = rows[np.isin(drafts.contact[rows], contacts)]
    rows = rows[_order(drafts.take(rows), kind_table)]
    committed = committed.take(np.isin(committed.contact, contacts))
    frequency = kind_table.reason(SkipCode.FREQUENCY)
    for first in range(0, len(contacts), CHUNK):
        chunk = contacts[first : first + CHUNK]
        some = rows[_within(drafts.contact[rows], chunk)]
        known = committed.take(_within(committed.contact, chunk))
        ideal = drafts.ideal[some]
        day = _first_days(
            _Counted(positions(chunk, drafts.contact[some]), ideal),
            latest[some],
            _Counted(positions(chunk, known.contact), known.day),
            limit,
        )
        refused = (day > ideal) & (day > latest[some])
        x[some[~refused]] = day[~refused]
        reason[some[refused]] = frequency
    return x


def _crowded(committed: _Counted, candidates: _Counted, limit: _Limit) -> Ids:
    """Return the contacts for whom some span would hold too many if all candidates were accepted.

    In the sorted days of a contact, `emails` + 1 messages share a span where the first and the
    last of them are less than a period apart.
    """
    both = _Counted.concat([committed, candidates])
    keys = np.sort(day_keys(both.contact, both.day))
    apart = keys[limit.emails :] - keys[: -limit.emails]
    return np.unique(groups_of(keys[np.flatnonzero(apart < limit.period)]))


def _within(contact: Index, chunk: Ids) -> Mask:
    within: Mask = (contact >= chunk[0]) & (contact <= chunk[-1])
    return within


def _first_days(candidates: _Counted, latest: Days, committed: _Counted, limit: _Limit) -> Days:
    """Return the first day of each candidate that the limit allows, which may be past its latest:
    then it is not accepted. Candidates are sorted by contact, then by their order.

    A contact's order is sequential, but contacts are independent: round k judges the k-th
    candidate of every contact. The contacts, numbered from 0, are rows of a table:

        contact 0 | 12  40  47   .   . |    committed days, then those accepted so far
        contact 1 | 13   .   .   .   . |    . is an empty slot, a day that is in no span

    Invariant: when round k begins, a contact's row holds its committed days and the days of those
    of its first k candidates that were accepted.
    """
    order = np.argsort(committed.contact, kind="stable")
    committed = committed.take(order)
    slot, round_of = rank_in_group(committed.contact), rank_in_group(candidates.contact)
    rounds = int(round_of.max(initial=-1)) + 1
    width = int(slot.max(initial=-1)) + 1 + rounds
    contacts = 1 + max(
        int(committed.contact.max(initial=-1)), int(candidates.contact.max(initial=-1))
    )
    table = np.full((contacts, width), _NOWHERE, np.int32)
    table[committed.contact, slot] = committed.day
    filled = np.bincount(committed.contact, minlength=contacts)
    days = candidates.day.copy()
    for number in range(rounds):
        rows = np.flatnonzero(round_of == number)
        contact = candidates.contact[rows]
        days[rows] = _next_allowed(table[contact], candidates.day[rows], limit)
        accepted = rows[(days[rows] == candidates.day[rows]) | (days[rows] <= latest[rows])]
        contact = candidates.contact[accepted]
        table[contact, filled[contact]] = days[accepted]
        filled[contact] += 1
    return days


def _next_allowed(others: npt.NDArray[np.int32], day: Days, limit: _Limit) -> Days:
    """Return the first day from `day` on of which no span holds `limit.emails` others; row by row.

    With the others sorted, `emails` of them in a row, from o_i to o_j, that lie within a period
    forbid the days of all spans around them:

        o_j - period < day < o_i + period

    Both bounds rise with i, so one pass over i is enough: a day that has moved past one stretch
    can meet only those behind it.
    """
    others = np.sort(others, axis=1)
    for first in range(others.shape[1] - limit.emails + 1):
        begin, end = others[:, first], others[:, first + limit.emails - 1]
        together = end - begin < limit.period
        forbidden = together & (day > end - limit.period) & (day < begin + limit.period)
        day = np.where(forbidden, begin + np.int32(limit.period), day)
    return day


def _ranges(
    drafts: Drafts,
    x_of: Days,
    reason: Codes,
    counted: Mask,
    committed: _Counted,
    latest: Days,
    context: RunContext,
    kind_table: KindTable,
) -> tuple[Days, Days]:
    """Step 6: return lo and hi, how far each e-mail can move and keep the frequency limit.

    With m = limit.emails, x_i the sorted days of a contact and lo_i, hi_i as in semantics:

        ... x_(i-m) ....... lo_i .. x_i .. hi_i ....... lo_(i+m) .. x_(i+m) ...
              at least a period            at least a period

    so that of any m + 1 messages the first and the last stay a period apart.
    """
    emails, period = _Limit.of(context)
    half = context.config.load_balancing.ed_smoothing_window_days // 2
    lo, hi = x_of.copy(), latest.copy()
    rows = np.flatnonzero((reason == 0) & counted)
    if len(rows) == 0:
        return lo, hi
    rows = rows[_order(drafts.take(rows), kind_table)]
    both = _Counted.concat([committed, _Counted(drafts.contact[rows], x_of[rows])])
    # committed rows come first in `both`, so the stable sort puts them first of equals
    order = np.argsort(day_keys(both.contact, both.day), kind="stable")
    contact, x = both.contact[order], both.day[order].astype(np.int64)
    is_candidate = order >= len(committed)
    row = rows[order[is_candidate] - len(committed)]  # of the drafts
    movable = is_candidate.copy()
    at_ideal = x_of[row] == drafts.ideal[row]
    movable[is_candidate] = kind_table.is_effective_date[drafts.kind[row]] & at_ideal

    # pairs (i, i + m) of one contact, by the first of the two
    pair = contact[emails:] == contact[:-emails]
    x_before = np.full(len(x), _NOWHERE, np.int64)  # x_(i-m)
    x_before[emails:][pair] = x[:-emails][pair]
    low = np.where(movable & (x - half - x_before >= period), x - half, x)
    high = np.full(len(x), FAR, np.int64)
    high[:-emails][pair] = low[emails:][pair] - period

    lo[row] = low[is_candidate]
    hi[row] = np.minimum(latest[row], high[is_candidate])
    return lo, hi
