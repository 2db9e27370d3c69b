"""What another configuration would change: the comparison of two plans of one snapshot."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from pydantic import BaseModel, JsonValue, computed_field

if TYPE_CHECKING:
    from almanac.config import Config

# the fates of a message: with the new configuration, then with the old one
FATES_IN_WORDS = {
    "same day": "planned for the same day",
    "earlier": "planned for an earlier day",
    "later": "planned for a later day",
    "planned again": "planned, was skipped",
    "added": "planned, did not exist",
    "skipped anew": "skipped, was planned",
    "removed": "does not exist, was planned",
}

Counts = Mapping[str, Mapping[str, int]]


class Pair(BaseModel):
    """A number with the old and with the new configuration."""

    old: int
    new: int

    @computed_field  # type: ignore[prop-decorator]
    @property
    def difference(self) -> int:
        return self.new - self.old


class Setting(BaseModel):
    """A key of the configuration that differs; null for a state without a rule."""

    key: str  # such as timing.birthday_days_before
    old: JsonValue
    new: JsonValue


class Day(BaseModel):
    """The messages of a day; planned: those that differ, by email type."""

    total: Pair
    planned: dict[str, Pair]


class WhatIf(BaseModel):
    """How the plan with the new configuration differs from the plan with the old one."""

    answer: str = ""  # in one sentence
    old: str  # where the old configuration comes from, as text
    new: str
    settings: list[Setting]
    first_send_date_old: dt.date
    first_send_date_new: dt.date
    planned: dict[str, Pair]  # by email type
    skipped: dict[str, dict[str, Pair]]  # by reason, then email type
    daily_cap: Pair
    ceiling: Pair
    busiest_old: list[tuple[str, int]]  # days with the most messages, busiest first
    busiest_new: list[tuple[str, int]]
    days_at_cap: Pair
    days_above_ceiling: Pair
    closed_days: Pair = Pair(old=0, new=0)
    days: dict[str, Day]  # every day with a message in either plan
    fates: dict[str, dict[str, int]]  # by fate (FATES_IN_WORDS), then email type
    reasons: dict[str, dict[str, int]]  # of `planned again` and `skipped anew`: by skip reason

    @computed_field  # type: ignore[prop-decorator]
    @property
    def weeks_that_differ(self) -> dict[dt.date, Pair]:
        """Return the messages of the weeks that have more or fewer, by their Monday."""
        return {monday: pair for monday, pair in self.weeks() if pair.difference}

    @property
    def planned_total(self) -> Pair:
        return _sum(self.planned)

    @property
    def skipped_total(self) -> Pair:
        return _sum({reason: _sum(types) for reason, types in self.skipped.items()})

    def differing_days(self) -> list[str]:
        """Return the days whose messages differ, the largest difference first."""
        by_day = {
            day: sum(abs(pair.difference) for pair in found.planned.values())
            for day, found in self.days.items()
        }
        return sorted((day for day in by_day if by_day[day]), key=lambda day: (-by_day[day], day))

    def weeks(self) -> list[tuple[dt.date, Pair]]:
        """Return the messages of each week by its Monday, from the first with any to the last."""
        totals: dict[dt.date, tuple[int, int]] = {}
        for text, day in self.days.items():
            date = dt.date.fromisoformat(text)
            monday = date - dt.timedelta(days=date.weekday())
            old, new = totals.get(monday, (0, 0))
            totals[monday] = (old + day.total.old, new + day.total.new)
        if not totals:
            return []
        first, last = min(totals), max(totals)
        mondays = (first + dt.timedelta(days=n) for n in range(0, (last - first).days + 1, 7))
        return [(monday, _pair(*totals.get(monday, (0, 0)))) for monday in mondays]


def differing_settings(old: Config, new: Config) -> list[Setting]:
    """Return the keys in which two configurations differ, in the order of a configuration."""
    return list(_differing("", old.settings(), new.settings()))


def _differing(key: str, old: JsonValue, new: JsonValue) -> Iterator[Setting]:
    if isinstance(old, dict) and isinstance(new, dict):
        for name in new | old:
            below = f"{key}.{name}" if key else name
            yield from _differing(below, old.get(name), new.get(name))
    elif old != new:
        yield Setting(key=key, old=old, new=new)


def _pair(old: int, new: int) -> Pair:
    return Pair(old=old, new=new)


def _pairs(old: Mapping[str, int], new: Mapping[str, int]) -> dict[str, Pair]:
    names = sorted(old.keys() | new.keys())
    return {name: _pair(old.get(name, 0), new.get(name, 0)) for name in names}


def _sum(pairs: Mapping[str, Pair]) -> Pair:
    return _pair(sum(p.old for p in pairs.values()), sum(p.new for p in pairs.values()))


def in_words(value: JsonValue) -> str:
    """Return a value as in YAML on one line, without the keys of a rule that have defaults."""
    match value:
        case None:
            return "none"
        case bool():
            return "true" if value else "false"
        case dict():
            given = {name: each for name, each in value.items() if each not in (None, False, 0)}
            return ", ".join(f"{name}: {in_words(each)}" for name, each in given.items())
        case list():
            between = "; " if any(isinstance(each, dict) for each in value) else ", "
            return between.join(map(in_words, value)) or "none"
    return str(value)
