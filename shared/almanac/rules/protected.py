"""On which days contacts are protected: excluded by a rule of their state.

Contacts whose rules cannot differ are looked at once, so that a whole agency and a whole year take
a fraction of a second.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import numpy as np

from almanac import civil
from almanac.config import Config
from almanac.frames import NO_DAY, Codes, Days, Ids, Index, Mask
from almanac.rules.rule_table import RuleTable, anchor_of
from almanac.rules.states import USPS_STATES
from almanac.rules.windows import excluded_days

LEAP_YEAR = 1952
AT_ONCE = 1 << 14  # pairs of a contact and a day that are looked at together: they fit a cache


def protected_contacts(
    config: Config, state: Codes, birth: Days, effective: Days, days: Days
) -> dict[str, list[int]]:
    """Return how many contacts of each state are protected on each of the days.

    state: index into USPS_STATES, -1 unknown. Only states with rules and contacts are in the
    result.
    """
    rows, group = distinct_contacts([config], state, birth, effective)
    inside = protection(config, state[rows], birth[rows], effective[rows], days)
    count = np.bincount(group[group >= 0], minlength=len(rows))
    codes = np.unique(state[rows])
    return {
        USPS_STATES[code]: (inside * np.where(state[rows] == code, count, 0)).sum(axis=1).tolist()
        for code in codes.tolist()
    }


def distinct_contacts(
    configs: Sequence[Config], state: Codes, birth: Days, effective: Days
) -> tuple[Index, Index]:
    """Return contacts that stand for all contacts of states with rules in any configuration.

    Also returns, for each contact, the position of the one that stands for it, -1 without rules.
    """
    ruled, born, since = _relevant(configs, state, birth, effective)
    where = np.flatnonzero(ruled)
    _, first, inverse = np.unique(
        _keys(state[where], born[where], since[where]), return_index=True, return_inverse=True
    )
    group = np.full(len(state), -1, np.int64)
    group[where] = inverse
    return where[first], group


def protection(config: Config, state: Codes, birth: Days, effective: Days, days: Days) -> Mask:
    """Return for each day, and in it for each contact, whether the contact is protected."""
    exclusions = RuleTable(config).exclusions(state, birth, effective)
    found = np.zeros((len(days), len(state)), np.bool_)
    together = max(1, AT_ONCE // max(1, len(days)))
    for start in range(0, len(state), together):
        some = np.arange(start, min(start + together, len(state)))
        found[:, some] = excluded_days(exclusions.take(some), days)
    return found


def spans_of(inside: Mask) -> list[tuple[int, int]]:
    """Return the first and the last position of each run of true values."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], inside, [False]]).astype(np.int8)))
    return [(int(start), int(stop) - 1) for start, stop in edges.reshape(-1, 2)]


def _relevant(
    configs: Sequence[Config], state: Codes, birth: Days, effective: Days
) -> tuple[Mask, Days, Days]:
    """Return which contacts' states have rules, and of their dates what the rules depend on.

    The year of a birth counts only where a rule depends on the age; that of an effective date
    never does.
    """
    ruled, anchored, aged, by_policy = np.zeros((4, len(USPS_STATES) + 1), np.bool_)
    for name, rules in (each for config in configs for each in config.rules.items()):
        row = USPS_STATES.index(name)
        ruled[row] = True
        for rule in rules:
            anchored[row] |= anchor_of(rule.kind) == "birth"
            by_policy[row] |= anchor_of(rule.kind) == "effective"
            aged[row] |= rule.age is not None or rule.year_round_from_age is not None
    birth = np.where(aged[state], birth, _same_year(birth, anchored[state]))
    return ruled[state], birth, _same_year(effective, by_policy[state])


def _same_year(days: Days, relevant: Mask) -> Days:
    """Return month and day in a leap year; NO_DAY where that is not relevant."""
    moved = np.full(len(days), NO_DAY, np.int32)
    rows = np.flatnonzero(relevant & (days != NO_DAY))
    years = np.full(len(rows), LEAP_YEAR, np.int32)
    moved[rows] = civil.anniversary(civil.month_day_of(days[rows]), years)
    return moved


def _keys(state: Codes, birth: Days, effective: Days) -> Ids:
    """Return a number for each combination; effective dates are of LEAP_YEAR."""
    new_year = civil.day_of(dt.date(LEAP_YEAR, 1, 1))
    by_policy = np.where(effective == NO_DAY, 0, effective - new_year + 1).astype(np.int64)
    return (state.astype(np.int64) << 42) + ((birth.astype(np.int64) + (1 << 31)) << 9) + by_policy
