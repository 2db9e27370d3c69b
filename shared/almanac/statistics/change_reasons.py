"""Why planned rows change from one plan to the next, in words (semantics: What each number means).

What can be told of a row from its old and its new state is told, and nothing that is guessed.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from almanac import civil
from almanac.config import Config
from almanac.database.reading import Snapshot
from almanac.frames import NO_DAY, Candidates, Codes, Days, Mask
from almanac.names import date_of_run
from almanac.organizations.recorded_config import recorded_config_or_none
from almanac.planning.removed import WHYS

FIRST_PLAN, FOLLOWUP, NEXT_YEAR, HORIZON, CAMPAIGN, NEW_CONTACT, NEW = range(7)
ADDED = (
    "the first plan",
    "a follow-up of what was sent",
    "its turn has come: the one of the year before is past",
    "its ideal date has come within the horizon",
    "its campaign, target or trigger date is new",
    "nothing was planned for the contact before",
    "the contact, a rule or a setting is new or has changed",
)
OTHER_IDEAL, PAST_DAY, FORBIDDEN_DAY, FULL_DAY, CAMPAIGN_DAY = range(5)
MOVED = (
    "its ideal date has changed",
    "its day has passed, and nobody sent it",
    "its day is not allowed any more",
    "its day is full",
    "its day is full, or another campaign message of the contact stands there",
)
# what two files tell of a message that has moved, and of one that is gone
MOVED_OR_FULL = (*MOVED[:FORBIDDEN_DAY], "its day is full, or not allowed any more")
NO_CONTACT = "the contact is not there any more"
NOT_PLANNED = "it is not planned any more"
TAKEN = "the sender has it now"
OTHER_REASON, OTHER_DATE, OTHER_CONTENT = range(3)
UPDATED = (
    "it is skipped for another reason",
    "its ideal date has changed",
    "its template, priority, send time or metadata has changed",
)
SKIPPED_BEFORE = "skipped before: {}"
OTHER_SKIP = "a reason that is not Almanac's"
EXPIRED = tuple(f"its day has passed, nobody sent it, and {why}" for why in WHYS)


@dataclass(frozen=True)
class PlanBefore:
    """The plan that changes are held against."""

    words: str
    as_of: int | None = None  # of the last run over at least half of the contacts; None without one
    horizon: int = 0  # H of that run


class Kinds(NamedTuple):
    """By code of a kind of message."""

    followup: Mask
    campaign: Mask
    last_due: Codes  # days from an event to its deadline, of those that recur; else NEVER


NEVER = np.iinfo(np.int16).min


def plan_before(snapshot: Snapshot, contacts: int) -> PlanBefore:
    """What the database says of the runs before; contacts: how many it has."""
    last = snapshot.last_run()
    if last is None:
        return PlanBefore("the database as it was, which no run had planned")
    run = str(last.get("scheduler_run_id"))
    day = date_of_run(run)
    words = f"the plan of run {run}" + (f", as of {day}" if day else "")
    whole = snapshot.last_run(at_least=(contacts + 1) // 2)
    as_of = date_of_run(str(whole.get("scheduler_run_id"))) if whole else None
    config = recorded_config_or_none(snapshot)
    if as_of is None or config is None:
        return PlanBefore(words)
    horizon = as_of + dt.timedelta(days=config.horizon_days)
    return PlanBefore(words, civil.day_of(as_of), civil.day_of(horizon))


def kinds_of(email_types: Sequence[str], config: Config) -> Kinds:
    """What is to be known of the kinds with these types."""
    last_due = {
        "birthday": -1 if config.timing.birthday_days_before else 0,
        "effective_date": -1 if config.timing.effective_date_days_before else 0,
        "aep": config.aep.valid_days,
    }
    return Kinds(
        followup=np.array([name.startswith("followup") for name in email_types], np.bool_),
        campaign=np.array([name.startswith("campaign_") for name in email_types], np.bool_),
        last_due=np.array([last_due.get(name, NEVER) for name in email_types], np.int32),
    )


def why_added(
    before: PlanBefore, kinds: Kinds, kind: Codes, event: Days, ideal: Days, new_contact: Mask
) -> Codes:
    """A code of ADDED for rows that are planned and were not there.

    new_contact: whose contacts have no row in the plan before.
    """
    why = np.full(len(kind), NEW, np.int32)
    if before.as_of is None:
        why[:] = FIRST_PLAN
        return why
    why[new_contact] = NEW_CONTACT
    why[kinds.campaign[kind]] = CAMPAIGN
    why[ideal > before.horizon] = HORIZON
    recurs = np.flatnonzero((kinds.last_due[kind] != NEVER) & (event != NO_DAY))
    days = event[recurs]
    year_before = civil.anniversary(civil.month_day_of(days), civil.year_of(days) - np.int32(1))
    # the run before had the year before's for its candidate
    was_due = year_before + kinds.last_due[kind[recurs]] >= before.as_of
    why[recurs[was_due & (ideal[recurs] <= before.horizon)]] = NEXT_YEAR
    why[kinds.followup[kind]] = FOLLOWUP
    return why


def why_moved(candidates: Candidates, campaign: Mask, t0: int) -> Codes:
    """A code of MOVED for candidates that stood on another day before."""
    before = candidates.previous_day
    why = np.where(campaign[candidates.kind], CAMPAIGN_DAY, FULL_DAY).astype(np.int32)
    why[(before < candidates.floor) | (before > candidates.ceiling)] = FORBIDDEN_DAY
    why[before < t0] = PAST_DAY
    why[~candidates.previous_ideal] = OTHER_IDEAL
    return why


def why_updated(candidates: Candidates, reason: Codes, day: Days) -> Codes:
    """A code of UPDATED for candidates of which neither day nor status tells the change."""
    why = np.full(len(candidates), OTHER_CONTENT, np.int32)
    planned = reason == 0
    other_ideal = np.where(planned, ~candidates.previous_ideal, candidates.previous_day != day)
    why[other_ideal] = OTHER_DATE
    why[~planned & (candidates.previous_reason != reason)] = OTHER_REASON
    return why
