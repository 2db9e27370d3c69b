"""Why planned rows change from one plan to the next, in words (semantics: What each number means).

A reason says what the old and the new state of a row show, and nothing that is guessed.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Sequence
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
    "the one of the year before is past",
    "its ideal date is now within the horizon",
    "its campaign, target or trigger date is new",
    "the contact had no planned messages before",
    "the contact, a rule or a setting is new or has changed",
)
OTHER_IDEAL, PAST_DAY, FORBIDDEN_DAY, FULL_DAY, CAMPAIGN_DAY, CLOSED_DAY = range(6)
MOVED = (
    "its ideal date has changed",
    "its day has passed, and it was not sent",
    "its day is no longer allowed",
    "its day is full",
    "its day is full, or has another campaign message of the contact",
    "its day is closed now",
)
# what two files show of a message that has moved, and of one that is gone
MOVED_OR_FULL = (*MOVED[:FORBIDDEN_DAY], "its day is full, or no longer allowed")
NO_CONTACT = "the contact no longer exists"
NOT_PLANNED = "it is no longer planned"
TAKEN = "the sender has it now"
OTHER_REASON, OTHER_DATE, OTHER_CONTENT = range(3)
UPDATED = (
    "it is skipped for another reason",
    "its ideal date has changed",
    "its template, priority, send time or metadata has changed",
)
SKIPPED_BEFORE = "skipped before: {}"
OTHER_SKIP = "a reason of another program"
EXPIRED = tuple(f"its day has passed, it was not sent, and {why}" for why in WHYS)


@dataclass(frozen=True)
class PlanBefore:
    """The plan that changes are compared with."""

    words: str
    as_of: int | None = None  # of the last run over at least half of the contacts; None without one
    horizon: int = 0  # H of that run


class Kinds(NamedTuple):
    """Properties of kinds of message, by code."""

    followup: Mask
    campaign: Mask
    last_due: Codes  # days from event to deadline if it recurs every year, else NEVER


NEVER = np.iinfo(np.int16).min


def plan_before(snapshot: Snapshot, contacts: int) -> PlanBefore:
    """Return the plan of the runs before; contacts: the number of contacts in the database."""
    last = snapshot.last_run()
    if last is None:
        return PlanBefore("the database before its first run")
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
    """Return the properties of the kinds with these types."""
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
    """Return a code of ADDED for each planned row that did not exist before.

    new_contact: the rows whose contact has no row in the plan before.
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
    # the candidate of the run before was that of the year before
    was_due = year_before + kinds.last_due[kind[recurs]] >= before.as_of
    why[recurs[was_due & (ideal[recurs] <= before.horizon)]] = NEXT_YEAR
    why[kinds.followup[kind]] = FOLLOWUP
    return why


def why_moved(
    candidates: Candidates, campaign: Mask, t0: int, closed: Collection[int] = ()
) -> Codes:
    """Return a code of MOVED for each candidate that had another day before; closed: days."""
    before = candidates.previous_day
    why = np.where(campaign[candidates.kind], CAMPAIGN_DAY, FULL_DAY).astype(np.int32)
    why[np.isin(before, list(closed))] = CLOSED_DAY
    why[(before < candidates.floor) | (before > candidates.ceiling)] = FORBIDDEN_DAY
    why[before < t0] = PAST_DAY
    why[~candidates.previous_ideal] = OTHER_IDEAL
    return why


def why_updated(candidates: Candidates, reason: Codes, day: Days) -> Codes:
    """Return a code of UPDATED for each changed candidate with the same day and status."""
    why = np.full(len(candidates), OTHER_CONTENT, np.int32)
    planned = reason == 0
    other_ideal = np.where(planned, ~candidates.previous_ideal, candidates.previous_day != day)
    why[other_ideal] = OTHER_DATE
    why[~planned & (candidates.previous_reason != reason)] = OTHER_REASON
    return why
