"""What another configuration would change for the messages of a campaign or a type.

The what-if's two plans (`runs.what_if`) of one copy of the database; the messages of what is asked
for are compared, row by row.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from pydantic import BaseModel

from almanac import civil
from almanac.config import Config
from almanac.database.reading import Snapshot
from almanac.explain.lookup import Question, basis_of, configuration_of, open_database
from almanac.frames import NO_DAY, Codes, Days, Frame, Ids, Index
from almanac.joins import Identity, all_but, identity_keys, match
from almanac.missed.asked import AskedFor, MissedQuestion, asked_for
from almanac.organizations.agency_database import AgencyDatabase
from almanac.organizations.brief import run_context_of
from almanac.planning.kinds import KindTable
from almanac.progress import Progress
from almanac.report.what_if import Setting, differing_settings
from almanac.runs.balance import Balanced
from almanac.runs.outcomes import Outcome
from almanac.runs.run_options import RunOptions
from almanac.runs.what_if import BothPlans, both_plans

PLANNED, NONE = "planned", "no message"
_NONE = -1  # the code of NONE; 0 is that of PLANNED


class ChangedMessage(NamedTuple):
    """A message for which the other configuration makes a difference; '' for no day."""

    contact_id: int
    message: str
    event_date: str
    before: str  # PLANNED, NONE, or the skip reason
    day_before: str
    after: str
    day_after: str


class Change(BaseModel):
    """Messages with one word before and one after."""

    before: str
    after: str
    messages: int


class MissedWhatIf(BaseModel):
    """What becomes of the messages that are asked for."""

    asked: str
    as_of: dt.date
    settings: list[Setting]
    gained: int = 0  # messages that are planned only with the other configuration
    first_day: dt.date | None = None  # of those
    last_day: dt.date | None = None
    lost: int = 0  # messages that are planned only now
    earlier: int = 0
    later: int = 0
    same: int = 0  # planned for the same day
    changes: list[Change] = []  # where the words differ, the most messages first


@dataclass(frozen=True)
class _Both(Frame):
    """Messages in both plans."""

    contact_id: Ids
    kind: Codes
    event: Days
    reason_before: Codes  # 0: planned; _NONE: no message
    day_before: Days
    reason_after: Codes
    day_after: Days


class Comparison:
    """The messages that differ; `found` is complete when all rows were read."""

    def __init__(self, plans: BothPlans, asked: MissedQuestion, old: Config, new: Config) -> None:
        self._plans, self._asked = plans, asked
        self._pairs: Counter[tuple[str, str]] = Counter()
        as_of = plans.before.plan.as_of
        settings = differing_settings(old, new)
        self.found = MissedWhatIf(asked=asked.words, as_of=as_of, settings=settings)

    def rows(self, progress: Progress) -> Iterator[ChangedMessage]:
        """Yield the messages that differ, by contact."""
        before, after = (_words(each.kind_table.reasons) for each in self._tables)
        for pair in self._plans.outcomes(progress):
            both = _joined(*pair, self._asked)
            self._count(both, before, after)
            changed = both.take(
                (both.reason_before != both.reason_after) | (both.day_before != both.day_after)
            )
            for contact_id, kind, event, *sides in zip(
                *(column.tolist() for column in vars(changed).values()), strict=True
            ):
                yield ChangedMessage(
                    contact_id,
                    self._asked.subjects[self._asked.of_kind[kind]].name,
                    civil.text_of(event),
                    before[sides[0]],
                    _text(sides[1]),
                    after[sides[2]],
                    _text(sides[3]),
                )
        self.found.changes = [
            Change(before=pair[0], after=pair[1], messages=count)
            for pair, count in sorted(self._pairs.items(), key=lambda each: (-each[1], each[0]))
        ]

    def count(self, progress: Progress) -> MissedWhatIf:
        """Read all, for the numbers alone."""
        for _ in self.rows(progress):
            pass
        return self.found

    @property
    def _tables(self) -> tuple[Balanced, Balanced]:
        return (self._plans.before, self._plans.after)

    def _count(self, both: _Both, before: dict[int, str], after: dict[int, str]) -> None:
        found = self.found
        planned, stays = both.reason_before == 0, both.reason_after == 0
        moved = both.day_after - both.day_before
        found.gained += int((~planned & stays).sum())
        found.lost += int((planned & ~stays).sum())
        found.earlier += int((planned & stays & (moved < 0)).sum())
        found.later += int((planned & stays & (moved > 0)).sum())
        found.same += int((planned & stays & (moved == 0)).sum())
        days = both.day_after[~planned & stays]
        if len(days):
            first, last = civil.date_of(int(days.min())), civil.date_of(int(days.max()))
            found.first_day = min(found.first_day or first, first)
            found.last_day = max(found.last_day or last, last)
        pairs = np.stack([both.reason_before, both.reason_after])
        codes, counts = np.unique(pairs, axis=1, return_counts=True)
        for (old, new), count in zip(codes.T.tolist(), counts.tolist(), strict=True):
            if before[old] != after[new]:
                self._pairs[before[old], after[new]] += count


@contextmanager
def missed_what_if(
    agency: AgencyDatabase, new: Config, asked: AskedFor, question: Question, progress: Progress
) -> Iterator[Comparison]:
    """Plan a database by its configuration and by another one, for what is asked for.

    Raises RequestError for an unknown campaign or type, and as `runs.local.run_file`.
    """
    with open_database(agency, whole=True) as database:
        old, old_from = configuration_of(database, question)
        snapshot = Snapshot(database.source)
        basis = basis_of(database, snapshot, question, old, old_from)
        instance, now = asked.instance(database), question.now
        if now is None and basis.t0 > basis.as_of:  # after the send time
            now = dt.datetime.combine(basis.as_of, dt.time.max, old.zone)
        context = run_context_of(snapshot, old, basis.as_of, basis.t0)
        asked_for(context, KindTable(context), instance, asked.email_type)  # before it plans
        options = RunOptions(as_of=basis.as_of, now=now)
        with both_plans(database.source.path, old, new, options, progress) as plans:
            of_run = plans.before.plan.context, plans.before.kind_table
            yield Comparison(plans, asked_for(*of_run, instance, asked.email_type), old, new)


def _joined(old: Outcome, new: Outcome, asked: MissedQuestion) -> _Both:
    """Return the messages of one shard that are asked for, each once."""
    sides = (old.fragment.candidates, new.fragment.candidates)
    mine = [np.flatnonzero(asked.kinds[side.kind]) for side in sides]
    frames = [side.take(rows) for side, rows in zip(sides, mine, strict=True)]
    keys = identity_keys(*(Identity(x.contact_id, x.kind, x.event) for x in frames))
    a, b = match(*keys)
    only_old, only_new = all_but(len(mine[0]), a), all_but(len(mine[1]), b)

    def of_side(outcome: Outcome, rows: Index) -> tuple[Codes, Days]:
        reason = outcome.reason[rows]
        return reason, np.where(reason == 0, outcome.day[rows], NO_DAY).astype(np.int32)

    def rows_of(from_old: Index, from_new: Index) -> _Both:
        size = max(len(from_old), len(from_new))
        nothing = np.full(size, _NONE, np.int32), np.full(size, NO_DAY, np.int32)
        one, rows = (frames[0], from_old) if len(from_old) else (frames[1], from_new)
        before = of_side(old, mine[0][from_old]) if len(from_old) else nothing
        after = of_side(new, mine[1][from_new]) if len(from_new) else nothing
        return _Both(one.contact_id[rows], one.kind[rows], one.event[rows], *before, *after)

    none = np.empty(0, np.intp)
    both = _Both.concat(
        [
            rows_of(a, b),
            rows_of(np.flatnonzero(only_old), none),
            rows_of(none, np.flatnonzero(only_new)),
        ]
    )
    return both.take(np.lexsort((both.event, both.kind, both.contact_id)))


def _words(reasons: list[str]) -> dict[int, str]:
    return {_NONE: NONE, **dict(enumerate(reasons)), 0: PLANNED}


def _text(day: int) -> str:
    return "" if day == NO_DAY else civil.text_of(day)
