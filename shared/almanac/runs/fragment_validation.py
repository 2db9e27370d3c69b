"""Validation of a fragment: whatever it claims, no row outside its shard changes, no message gets
a day that the rules forbid, and every index is within its array.

What a fragment says of its own contacts can only be verified by planning them again.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import numpy as np

from almanac import civil
from almanac.errors import Corrupt, NotFound
from almanac.frames import (
    Candidates,
    Codes,
    Contenders,
    Days,
    Ids,
    Removals,
    ScheduledDays,
    Small,
)
from almanac.planning.contacts import DATE_COLUMNS
from almanac.planning.kinds import KindTable
from almanac.planning.removed import WHYS
from almanac.rules.states import USPS_STATES
from almanac.runs.fragments import MAX_ROWS, Fragment
from almanac.runs.run_plan import RunPlan

_FIRST_DAY, _LAST_DAY = civil.day_of(dt.date.min), civil.day_of(dt.date.max)

Findings = Iterable[tuple[bool, str]]  # whether it holds, and what is wrong if not


def check_contenders(
    part: Contenders, days: ScheduledDays, plan: RunPlan, shard: int, kind_table: KindTable
) -> None:
    """Validate what balancing reads of a shard's fragment; raise Corrupt."""
    t0 = civil.day_of(plan.t0)
    start = np.maximum(part.x, t0)
    _require(_of_the_shard(part, plan, shard, kind_table))
    _require(
        [
            (bool((part.floor >= t0).all()), "a message may go before the first day"),
            (bool((part.x >= part.ideal).all()), "a message is counted before its ideal day"),
            (bool((part.floor <= start).all()), "a message's first day is after its ideal day"),
            (bool((start <= part.ceiling).all()), "a message's last day is before its ideal day"),
            (bool((part.ceiling <= part.deadline).all()), "a message may go past its deadline"),
            (_within(part.deadline, _FIRST_DAY, _LAST_DAY), "a deadline is no date"),
            (
                _within(days.day, civil.day_of(plan.as_of), _LAST_DAY),
                "its rows by day are not of days to come",
            ),
            (bool((days.day[1:] > days.day[:-1]).all()), "its rows by day name a day twice"),
            (_within(days.count, 0, MAX_ROWS), "its rows by day are counted wrongly"),
            (
                bool(((days.effective_dates >= 0) & (days.effective_dates <= days.count)).all()),
                "its rows by day are counted wrongly",
            ),
        ]
    )


def check_fragment(fragment: Fragment, plan: RunPlan, shard: int, kind_table: KindTable) -> None:
    """Validate the whole fragment of a shard; raise Corrupt."""
    candidates, removals, statuses = fragment.candidates, fragment.removals, fragment.statuses
    first, last = plan.shards[shard]
    _require(_of_the_shard(candidates, plan, shard, kind_table))
    _require(
        [
            (_is_code(candidates.reason, len(kind_table.reasons)), "a skip reason is none"),
            (
                _is_code(candidates.previous_reason + 1, len(kind_table.reasons) + 1),
                "a skip reason of before is none",
            ),
            (_is_code(candidates.state + 1, len(USPS_STATES) + 1), "a state is none"),
            (_is_code(candidates.details + 1, len(fragment.metadata) + 1), "a detail is missing"),
            (_is_code(removals.kind + 1, len(kind_table.kinds) + 1), "a removed row is of no kind"),
            (_is_code(removals.why, len(WHYS)), "a row is removed for no reason"),
            (_within(removals.contact_id, first, last), "a removed row is of another contact"),
            (
                bool(
                    (removals.history == (removals.previous_day < civil.day_of(plan.as_of))).all()
                ),
                "a removed row is history, or not, against its date",
            ),
            (_are_different(_row_ids(candidates, removals)), "a planned row is named twice"),
            (
                _within(statuses.candidate, -1, len(candidates) - 1),
                "a target's message is missing",
            ),
            (_of_contacts(fragment, first, last), "an issue is of another contact"),
            *_counts(fragment, plan, kind_table),
        ]
    )


def _counts(fragment: Fragment, plan: RunPlan, kind_table: KindTable) -> list[tuple[bool, str]]:
    """Return whether the counts of a fragment agree with each other, and what is wrong if not."""
    audience, eligible = fragment.audience, fragment.facts["eligible"]
    return [
        (
            fragment.facts["candidates"] == len(fragment.candidates),
            "its candidates are counted wrongly",
        ),
        (_counts_dates(fragment), "its dates are counted wrongly"),
        (
            audience.states.keys() <= {"", *USPS_STATES}
            and audience.states.total() == eligible <= fragment.facts["contacts"],
            "its contacts are counted wrongly",
        ),
        (
            audience.left_out.total() == fragment.facts["contacts"] - eligible,
            "the contacts that it leaves out are counted wrongly",
        ),
        (
            audience.protected.keys() <= audience.states.keys()
            and all(
                len(counts) == len(plan.context.weeks) and max(counts) <= audience.states[state]
                for state, counts in audience.protected.items()
            ),
            "its protected contacts are counted wrongly",
        ),
        (
            audience.suppressed.keys() <= set(kind_table.reasons)
            and audience.suppressed.total() <= eligible,
            "its suppressed contacts are counted wrongly",
        ),
        (
            audience.reach.keys() | fragment.sent.keys() <= {i.id for i in plan.context.instances}
            and all(count <= eligible for count in audience.reach.values()),
            "its campaigns are counted wrongly",
        ),
    ]


def _counts_dates(fragment: Fragment) -> bool:
    facts, issues = fragment.facts, fragment.issue_counts
    return all(
        issues[f"invalid_{name}"] <= facts[name] <= facts["contacts"] for name in DATE_COLUMNS
    )


def _of_the_shard(
    part: Candidates | Contenders, plan: RunPlan, shard: int, kind_table: KindTable
) -> Findings:
    """Check that messages are of the shard's contacts and the run's kinds, in order, each once."""
    first, last = plan.shards[shard]
    ids = part.contact_id
    within = (part.kind.astype(np.int64) << 32) + part.event
    ascend = (ids[1:] > ids[:-1]) | ((ids[1:] == ids[:-1]) & (within[1:] > within[:-1]))
    return [
        (_within(ids, first, last), f"its rows are not those of contacts {first} to {last}"),
        (_is_code(part.kind, len(kind_table.kinds)), "a message is of no kind that the run has"),
        (bool(ascend.all()), "its messages are not in order, or one is there twice"),
        (_within(part.event, _FIRST_DAY, _LAST_DAY), "an event is no date"),
        (
            _within(part.ideal, _FIRST_DAY, civil.day_of(plan.context.horizon)),
            "an ideal day is no date, or beyond the horizon",
        ),
    ]


def _row_ids(candidates: Candidates, removals: Removals) -> Ids:
    """Return the ids of the planned rows that are claimed or removed."""
    claimed = candidates.previous_id[candidates.previous_id != 0]
    return np.concatenate([claimed, removals.previous_id])


def _of_contacts(fragment: Fragment, first: int, last: int) -> bool:
    parts = (fragment.issues.gone, fragment.issues.written)
    return all(_within(part["contact_id"].to_numpy(), first, last) for part in parts)


def _are_different(ids: Ids) -> bool:
    ids = np.sort(ids)
    return bool((ids[1:] != ids[:-1]).all())


def _within(numbers: Ids | Days | Small, first: int, last: int) -> bool:
    return len(numbers) == 0 or (first <= int(numbers.min()) and int(numbers.max()) <= last)


def _is_code(codes: Codes | Small, size: int) -> bool:
    return _within(codes, 0, size - 1)


def _require(findings: Findings) -> None:
    for sound, what in findings:
        if not sound:
            raise Corrupt(what)


class BadFragment(Corrupt):
    """A shard's fragment is missing, damaged, of another run or shard, or not valid."""

    def __init__(self, shard: int, reason: str) -> None:
        super().__init__(reason)
        self.shard = shard


@contextmanager
def judged(shard: int, name: str) -> Iterator[None]:
    """Raise BadFragment for the shard if reading raises Corrupt or NotFound."""
    try:
        yield
    except (Corrupt, NotFound) as error:
        reason = str(error)
        raise BadFragment(shard, reason if name in reason else f"{name}: {reason}") from error
