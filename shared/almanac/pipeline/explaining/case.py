"""One contact, planned by the rules of a run: what all parts of an explanation look at."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import cached_property

from almanac import civil
from almanac.balancing.load import Limits
from almanac.frames import NO_DAY, Kind
from almanac.planning.brief import Brief, Instance
from almanac.planning.kinds import Vocabulary
from almanac.planning.plan import ContactPlan, ShardData
from almanac.report.explanation import PlannedRow
from almanac.rules.states import USPS_STATES
from almanac.rules.windows import Exclusions, window_in_year

# a window and the days before it last two years at the most
_YEARS_ABOUT = 3


@dataclass(frozen=True)
class Case:
    """The rows of one contact and the plan of it; frames have its rows only."""

    brief: Brief
    words: Vocabulary
    plan: ContactPlan
    data: ShardData
    limits: Limits
    standing: dict[str, int]  # messages by day, of the days that matter
    rows: list[PlannedRow | None]  # by candidate: the row of the file with its identity

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
    def instances(self) -> dict[int, Instance]:
        """Campaign instances by id."""
        return {instance.id: instance for instance in self.brief.instances}

    def kind(self, row: int) -> Kind:
        """What kind of message a candidate is."""
        return self.words.kinds[int(self.plan.drafts.kind[row])]

    def name(self, row: int) -> str:
        """A candidate's type, with its campaign's name."""
        return named(self.kind(row), self.instances)

    def reason(self, row: int) -> str:
        """Why the rules skip a candidate; empty if they do not."""
        return self.words.reasons[int(self.plan.sifted.reason[row])]

    def window(self, day: int) -> tuple[dt.date, dt.date] | None:
        """The window that contains the day, if any."""
        year = civil.date_of(day).year
        for each in range(year - _YEARS_ABOUT, year + _YEARS_ABOUT + 1):
            span = self.window_of(each)
            if span and span[0] <= civil.date_of(day) <= span[1]:
                return span
        return None

    def window_of(self, year: int) -> tuple[dt.date, dt.date] | None:
        """The window that belongs to the anniversary in a year, if the contact has windows."""
        if not self.eligible or int(self.exclusions.anchor[0]) < 0:
            return None
        start, end = window_in_year(self.exclusions, year)
        return civil.date_of(int(start[0])), civil.date_of(int(end[0]))


def named(kind: Kind, instances: dict[int, Instance]) -> str:
    """The type of a message, with the campaign that it belongs to."""
    if not kind.instance:
        return kind.email_type
    return f"{kind.email_type} '{instances[kind.instance].name}'"


def date_or_none(day: int) -> dt.date | None:
    """The date of a day number, None for no date."""
    return None if day == NO_DAY else civil.date_of(day)


def plural(count: int, noun: str) -> str:
    """`1 day`, `2 days`."""
    return f"{count:,} {noun}" + ("" if count == 1 else "s")
