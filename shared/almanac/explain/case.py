"""One contact, planned by the rules of a run: what all parts of an explanation look at."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from almanac import civil
from almanac.balancing.load import Limits
from almanac.database.catalog import Record
from almanac.database.occupancy import DayOccupancy
from almanac.explain.model import PlannedRow
from almanac.frames import NO_DAY, Kind, ShardData
from almanac.planning.brief import Instance, RunContext
from almanac.planning.kinds import KindTable
from almanac.planning.plan import ContactPlan
from almanac.rules.states import USPS_STATES
from almanac.rules.windows import Exclusions, causes, window_in_year
from almanac.schedule_status import SkipCode, SkipReason

# a window and the days before it last two years at the most
_YEARS_ABOUT = 3


@dataclass(frozen=True)
class Case:
    """The rows of one contact and the plan of it; frames have its rows only."""

    context: RunContext
    kind_table: KindTable
    plan: ContactPlan
    data: ShardData
    limits: Limits
    loads: DayOccupancy
    suppressions: list[Record]  # of the contact, in the order of the table
    rows: list[PlannedRow | None]  # by candidate: the row of the database with its identity

    @property
    def eligible(self) -> bool:
        """Whether the contact can get messages at all."""
        return len(self.plan.batch.contacts) > 0

    @property
    def state(self) -> str | None:
        """USPS code of an eligible contact."""
        code = int(self.plan.batch.contacts.state[0])
        return USPS_STATES[code] if code >= 0 else None

    @property
    def exclusions(self) -> Exclusions:
        """Its one row of exclusions."""
        return self.plan.batch.exclusions

    @cached_property
    def committed(self) -> list[Record]:
        """The rows that the sender owns."""
        rows: list[Record] = self.data.committed.to_pylist()
        return rows

    @cached_property
    def instances(self) -> dict[int, Instance]:
        """Campaign instances by id."""
        return {instance.id: instance for instance in self.context.instances}

    def kind(self, row: int) -> Kind:
        """What kind of message a candidate is."""
        return self.kind_table.kinds[int(self.plan.drafts.kind[row])]

    def name(self, row: int) -> str:
        """A candidate's type, with its campaign's name."""
        return named(self.kind(row), self.instances)

    def respects_windows(self, row: int) -> bool:
        """Whether exclusion windows apply to a candidate."""
        return bool(self.kind_table.respects_windows[self.plan.drafts.kind[row]])

    def cause(self, day: int) -> int:
        """Why the day is excluded for the contact: a cause of `rules.windows`, 0 if it is not."""
        return int(causes(self.exclusions, np.array([day], np.int32))[0])

    def reason(self, row: int) -> SkipReason | None:
        """Return why the rules skip a candidate; None if they do not."""
        return self.kind_table.skip_reasons[int(self.plan.sifted.reason[row])]

    def skip_code(self, row: int) -> SkipCode | None:
        """Return the code of the candidate's skip reason."""
        reason = self.reason(row)
        return reason.code if reason else None

    def window(self, day: int) -> tuple[dt.date, dt.date] | None:
        """The window that contains the day, if any."""
        date = civil.date_of(day)
        return next((w for w in self.windows_about(date.year) if w[0] <= date <= w[1]), None)

    def windows_about(self, year: int) -> list[tuple[dt.date, dt.date]]:
        """All windows that share a day with the year, and some more, in the order of years."""
        years = range(year - _YEARS_ABOUT, year + _YEARS_ABOUT + 1)
        return [window for each in years if (window := self.window_of(each))]

    def window_of(self, year: int) -> tuple[dt.date, dt.date] | None:
        """The window that belongs to the anniversary in a year, if the contact has windows."""
        if not self.eligible or int(self.exclusions.anchor[0]) < 0:
            return None
        start, end = window_in_year(self.exclusions, year)
        first, last = civil.day_of(dt.date.min), civil.day_of(dt.date.max)
        if end[0] < first or start[0] > last:
            return None  # of a year that is no date's
        return civil.date_of(max(first, int(start[0]))), civil.date_of(min(last, int(end[0])))


def named(kind: Kind, instances: dict[int, Instance]) -> str:
    """The type of a message, with the campaign that it belongs to."""
    if not kind.instance:
        return kind.email_type
    return f"{kind.email_type} '{instances[kind.instance].name}'"


def date_or_none(day: int) -> dt.date | None:
    """The date of a day number, None for no date."""
    return None if day == NO_DAY else civil.date_of(day)


def lowered(sentence: str) -> str:
    """A sentence as it stands behind a colon: a plain word in front loses its capital."""
    first = sentence.split(" ", 1)[0]
    return sentence[:1].lower() + sentence[1:] if first.isalpha() and first.istitle() else sentence
