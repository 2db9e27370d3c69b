"""Candidates that are missed: skipped by the rules, without a day, or not planned yet."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from almanac.frames import Days, Index, Mask
from almanac.joins import Identity, identity_keys, positions
from almanac.missed.asked import MissedQuestion
from almanac.missed.block import Block
from almanac.missed.names import Names
from almanac.missed.rows import CANDIDATE, NOT_PLANNED, Facts, Missing, Reasons, missing
from almanac.planning.split import split_share
from almanac.rules.merged_windows import stacked_rows, windows_between
from almanac.rules.windows import causes
from almanac.schedule_status import SkipCode

NO_DAY_FOUND = (SkipCode.DAILY_CAP, SkipCode.NO_SENDING_DAY, SkipCode.CAMPAIGN_CONFLICT)
WINDOWS = (
    SkipCode.BIRTHDAY_WINDOW,
    SkipCode.EFFECTIVE_DATE_WINDOW,
    SkipCode.CALENDAR_WINDOW,
)

# what the sentence of a reason depends on besides the kind; and whether it is the contact's own
Depends = tuple[tuple[Facts, ...], Mask | bool]


def missed_candidates(
    block: Block, asked: MissedQuestion, reasons: Reasons, names: Names
) -> Missing:
    """Return the candidates of what is asked for that are not planned for a day."""
    drafts, kind_table = block.plan.drafts, block.basis.kind_table
    rows = np.flatnonzero(asked.kinds[drafts.kind])
    by_rules = block.plan.sifted.reason[rows]
    stored, there = block.previous_reason[rows], block.previous_id[rows] != 0
    no_day = there & np.isin(stored, [kind_table.reason(code) for code in NO_DAY_FOUND])
    reason = np.where(no_day, stored, reasons.code(NOT_PLANNED))
    reason = np.where(by_rules != 0, by_rules, reason).astype(np.int32)
    left = (by_rules != 0) | ~there | (stored != 0)
    rows, reason, by_rules = rows[left], reason[left], by_rules[left]
    parts = [Missing.empty()]
    for code in np.unique(reason):
        of_rules = by_rules[reason == code] != 0
        for placed in (False, True):
            some = rows[reason == code][of_rules != placed]
            if len(some) == 0:
                continue
            skip = None
            if code < len(kind_table.skip_reasons):
                skip = kind_table.skip_reasons[code]
            facts, alone = _depends(block, some, skip.code if skip else None, placed, names)
            ids = block.ids[drafts.contact[some]]
            parts.append(
                missing(
                    *(ids, CANDIDATE, some, asked.of_kind[drafts.kind[some]], int(code)),
                    *facts,
                    event=drafts.event[some],
                    alone=alone,
                )
            )
    return Missing.concat(parts)


def _depends(
    block: Block, rows: Index, code: SkipCode | None, placed: bool, names: Names
) -> Depends:
    """Return what the sentences of candidates with one reason depend on.

    placed: the rules allow them, and the last run placed them or has yet to.
    """
    sifted, drafts = block.plan.sifted, block.plan.drafts
    if placed and code is None:
        return (sifted.floor[rows], sifted.hi[rows]), False
    if placed:
        t0 = block.basis.limits.t0
        late = (sifted.x[rows] < t0) & ~block.basis.kind_table.is_followup[drafts.kind[rows]]
        return (np.maximum(sifted.x[rows], t0), sifted.hi[rows]), late
    if code in WINDOWS:
        return _in_window(block, rows)
    find = _DEPENDS.get(code) if code is not None else None
    if find is None:  # which other messages of the contact
        return (), True
    return find(block, rows, names), False


def _nothing(block: Block, rows: Index, names: Names) -> tuple[Facts, ...]:
    return (block.plan.drafts.kind[rows],)


def _all_year(block: Block, rows: Index, names: Names) -> tuple[Facts, ...]:
    by_ideal, day = _excluded(block, rows)
    return by_ideal, day


def _birth(block: Block, rows: Index, names: Names) -> tuple[Facts, ...]:
    birth = block.plan.batch.contacts.birth[block.plan.drafts.contact[rows]]
    return (*_excluded(block, rows), birth)


def _excluded(block: Block, rows: Index) -> tuple[Mask, Days]:
    """Return whether the ideal date of each candidate is excluded, and it or else the start."""
    drafts = block.plan.drafts
    ideal, start = drafts.ideal[rows], block.plan.sifted.start[rows]
    by_ideal = causes(block.plan.batch.exclusions.take(drafts.contact[rows]), ideal) != 0
    return by_ideal, np.where(by_ideal, ideal, start).astype(np.int32)


def _dates(block: Block, rows: Index, names: Names) -> tuple[Facts, ...]:
    return block.plan.drafts.ideal[rows], block.plan.drafts.deadline[rows]


def _place(block: Block, rows: Index, names: Names) -> tuple[Facts, ...]:
    contact = block.plan.drafts.contact[rows]
    return targeting_facts(block, contact, names)


def targeting_facts(block: Block, contact: Index, names: Names) -> tuple[Facts, ...]:
    """Return the state and the carrier of contacts."""
    batch = block.plan.batch
    carriers = names.codes(batch.carriers)
    return batch.contacts.state[contact], carriers[batch.contacts.carrier[contact]]


def _share(block: Block, rows: Index, names: Names) -> tuple[Facts, ...]:
    drafts = block.plan.drafts
    instances = {each.id: each for each in block.basis.context.instances}
    share = np.zeros(len(rows), np.int64)
    for kind in np.unique(drafts.kind[rows]):
        split = instances[block.basis.kind_table.kinds[kind].instance].split
        assert split is not None, "only a split leaves contacts out of it"
        mine = drafts.kind[rows] == kind
        share[mine] = split_share(block.ids[drafts.contact[rows[mine]]], split.group)
    return (share,)


def _suppression(block: Block, rows: Index, names: Names) -> tuple[Facts, ...]:
    drafts, kinds = block.plan.drafts, block.basis.kind_table.kinds
    kind = drafts.kind[rows]
    first = block.plan.batch.suppressed.first_rows(drafts.contact[rows], kind, kinds)
    return first, kind


def _in_window(block: Block, rows: Index) -> Depends:
    """Return the day, its window, and whether a message makes up for it.

    Windows that may be joined with others are left to the contact's case.
    """
    drafts, kind_table = block.plan.drafts, block.basis.kind_table
    contact = drafts.contact[rows]
    exclusions = block.plan.batch.exclusions.take(contact)
    by_ideal, day = _excluded(block, rows)
    start, end = day.copy(), day.copy()
    alone = stacked_rows(exclusions)
    known = np.zeros(len(rows), np.bool_)
    windows = windows_between(exclusions, int(day.min()), int(day.max()))
    mine = windows.take((windows.start <= day[windows.row]) & (day[windows.row] <= windows.end))
    start[mine.row], end[mine.row], known[mine.row] = mine.start, mine.end, True
    there, wanted = identity_keys(
        Identity(drafts.contact, drafts.kind, drafts.event),
        Identity(contact, np.full(len(rows), kind_table.kind("post_window"), np.int32), end),
    )
    made_up = positions(there, wanted) >= 0
    return (by_ideal, day, start, end, made_up), alone | ~known


_DEPENDS: dict[SkipCode, Callable[[Block, Index, Names], tuple[Facts, ...]]] = {
    SkipCode.SUPPRESSED: _suppression,
    SkipCode.OUTSIDE_TARGETING: _place,
    SkipCode.OUTSIDE_SPLIT: _share,
    SkipCode.OUTSIDE_DATES: _dates,
    SkipCode.BIRTH_DATE_UNKNOWN: _nothing,
    SkipCode.EFFECTIVE_DATE_UNKNOWN: _nothing,
    SkipCode.UNDERWRITING_GLOBAL: _nothing,
    SkipCode.UNDERWRITING_CAMPAIGN: _nothing,
    SkipCode.YEAR_ROUND: _all_year,
    SkipCode.AGE: _birth,
}
