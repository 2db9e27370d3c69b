"""Windows of every state, over eight years, against the oracle: for contacts of the days on which
leap years and months make a difference, and in slow tests of every day of a leap year."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from almanac import civil
from almanac.config import Config, load_config
from almanac.frames import NO_DAY, Days
from almanac.rules.merged_windows import windows_ending_in
from almanac.rules.rule_table import RuleTable
from almanac.rules.states import STATE_RULES, USPS_STATES
from almanac.rules.windows import (
    NOT_EXCLUDED,
    Exclusions,
    causes,
    exclusion_reason,
    first_anniversary,
    first_clear_day,
    last_clear_day,
    rows_with_windows,
)
from scripts.snapshot_windows import FOLDER, snapshots
from tests import oracle
from tests.support.sampling import sampled

FIRST, LAST = dt.date(2024, 1, 1), dt.date(2031, 12, 31)
MARGIN = 800  # days about the eight years in which the nearest excluded day is looked for
ANCHORS = [dt.date(1952, 1, 1) + dt.timedelta(days=n) for n in range(366)]
# The days on which leap years, New Year and the starts of months make a difference.
EDGES = [
    ANCHORS[n]
    for n in sorted(
        {0, 27, 30, 31, 57, 58, 59, 60, 61, 181, 182, 334, 364, 365, *range(3, 366, 24)}
    )
]
FAR = 10**6

# Rules that no state has today, each with a way in which it is not like those.
VARIANTS: dict[str, dict[str, Any]] = {
    "age within the eight years": {"kind": "birthday_window", "after": 30, "age": 76},
    "age and the effective date": {"kind": "effective_date_window", "before": 9, "age": 75},
    "age only": {"kind": "birthday_window", "after": 0, "age": 73, "pre": 0},
    "age long ago": {"kind": "birthday_window", "after": 5, "age": 40},
    "a single day": {"kind": "birthday_window", "pre": 0},
    "month start, before and after": {
        "kind": "birthday_window", "before": 31, "after": 10, "use_month_start": True
    },
    "month start of the effective date": {
        "kind": "effective_date_window", "before": 1, "after": 45, "use_month_start": True
    },
    "a year less a day": {"kind": "birthday_window", "after": 303},
    "exactly a year": {"kind": "birthday_window", "after": 304},
    "exactly a leap year": {"kind": "effective_date_window", "before": 100, "after": 205},
    "longer than a year, mostly before": {"kind": "birthday_window", "before": 366, "after": 10},
    "longer than a year, mostly after": {"kind": "birthday_window", "before": 2, "after": 366},
    "two years long": {"kind": "effective_date_window", "before": 366, "after": 366, "pre": 366},
}  # fmt: skip


@dataclass(frozen=True)
class Case:
    """A rule in force in a state, with a contact for each of the anchors."""

    state: str
    config: Config
    anchors: list[dt.date]

    @property
    def by_birth(self) -> bool:
        return self.config.rules[self.state][0].kind == "birthday_window"

    @property
    def effective(self) -> list[dt.date | None]:
        """Effective dates; where they do not matter they fall on another day than the birth."""
        shift = dt.timedelta(days=100)
        return [a + shift if self.by_birth else a for a in self.anchors]

    @property
    def birth(self) -> list[dt.date | None]:
        if self.by_birth or self.config.rules[self.state][0].year_round_from_age is not None:
            return list(self.anchors)
        return [None] * len(self.anchors)

    def exclusions(self) -> Exclusions:
        state = np.full(len(self.anchors), USPS_STATES.index(self.state), np.int32)
        table = RuleTable(self.config)
        return table.exclusions(state, numbers(self.birth), numbers(self.effective))

    def oracle(self, row: int, function: Any, *days: dt.date) -> Any:
        """What a function of the oracle says about a contact."""
        rules = {
            state: rule.model_dump(exclude_none=True)
            for state, (rule,) in self.config.rules.items()
        }
        early = self.config.timing.pre_window_days
        return function(rules, early, self.state, self.birth[row], self.effective[row], *days)

    def windows(self, row: int, first: dt.date, last: dt.date) -> list[tuple[dt.date, dt.date]]:
        found: list[tuple[dt.date, dt.date]] = self.oracle(row, oracle.windows, first, last)
        return found

    def excluded(self) -> npt.NDArray[np.bool_]:
        """[contact, day since FIRST - MARGIN]: the days excluded by window or age, by the oracle's
        windows; the whole of them where the rule is year-round."""
        origin = FIRST - dt.timedelta(days=MARGIN)
        end = LAST + dt.timedelta(days=MARGIN)
        grid = np.zeros((len(self.anchors), (end - origin).days + 1), np.bool_)
        rule = self.config.rules[self.state][0]
        grid[:] = rule.kind == "year_round"
        for row, birth in enumerate(self.birth):
            for a, b in self.windows(row, origin, end):
                grid[row, max(0, (a - origin).days) : (b - origin).days + 1] = True
            if rule.year_round_from_age is not None and birth is not None:
                day = oracle.anniversary(birth, birth.year + rule.year_round_from_age)
                grid[row, max(0, (day - origin).days) :] = True
        return grid


def numbers(dates: list[dt.date | None]) -> Days:
    return np.array([NO_DAY if d is None else civil.day_of(d) for d in dates], np.int32)


def case_of(name: str, anchors: list[dt.date]) -> Case:
    if name in STATE_RULES:
        return Case(name, Config(), anchors)
    rule = dict(VARIANTS[name])
    timing = {"pre_window_days": rule.pop("pre", 60)}
    rule["year_round_from_age"] = rule.pop("age", None)
    config = load_config(json.dumps({"state_rules": {"TX": rule}, "timing": timing}))
    return Case("TX", config, anchors)


NAMES = [*STATE_RULES, *VARIANTS]


@pytest.fixture(
    scope="module",
    params=[
        *(pytest.param((name, EDGES), id=name) for name in NAMES),
        *(
            pytest.param((name, ANCHORS), id=f"{name}, every day", marks=pytest.mark.slow)
            for name in NAMES
        ),
    ],
)
def grids(request: pytest.FixtureRequest) -> tuple[Case, npt.NDArray[np.bool_]]:
    case = case_of(*request.param)
    return case, case.excluded()


def every_day(case: Case) -> tuple[Exclusions, Days, npt.NDArray[np.intp]]:
    """A row for each contact and day of the eight years; the contact's number is the last."""
    days = np.arange(civil.day_of(FIRST), civil.day_of(LAST) + 1, dtype=np.int32)
    row = np.repeat(np.arange(len(case.anchors)), len(days))
    return case.exclusions().take(row), np.tile(days, len(case.anchors)), row


def inner(grid: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The part of a grid that is within the eight years, as one vector."""
    return grid[:, MARGIN:-MARGIN].ravel()


def test_exactly_the_days_in_windows_are_excluded(
    grids: tuple[Case, npt.NDArray[np.bool_]],
) -> None:
    case, excluded = grids
    exclusions, days, row = every_day(case)
    wrong = np.flatnonzero((causes(exclusions, days) != NOT_EXCLUDED) != inner(excluded))
    assert [(case.anchors[row[n]], civil.text_of(days[n])) for n in wrong[:5]] == []


def test_the_last_clear_day_is_the_one_before_the_next_excluded_day(
    grids: tuple[Case, npt.NDArray[np.bool_]],
) -> None:
    case, excluded = grids
    exclusions, days, row = every_day(case)
    place = np.where(excluded, np.arange(excluded.shape[1]), FAR)
    following = np.minimum.accumulate(place[:, ::-1], axis=1)[:, ::-1]
    origin = civil.day_of(FIRST) - MARGIN
    ahead = (np.arange(len(days)) * 37 + row) % 500  # from no day to more than a year
    deadline = (days + ahead).astype(np.int32)
    expected = np.minimum(deadline, inner(following) + origin - 1)
    clear = np.flatnonzero(~inner(excluded))
    found = last_clear_day(exclusions.take(clear), days[clear], deadline[clear])
    wrong = np.flatnonzero(found != expected[clear])
    assert [(case.anchors[row[clear[n]]], civil.text_of(days[clear[n]])) for n in wrong[:5]] == []


def test_the_first_clear_day_is_the_one_after_the_last_excluded_day(
    grids: tuple[Case, npt.NDArray[np.bool_]],
) -> None:
    case, excluded = grids
    exclusions, days, row = every_day(case)
    place = np.where(excluded, np.arange(excluded.shape[1]), -FAR)
    preceding = np.maximum.accumulate(place, axis=1)
    origin = civil.day_of(FIRST) - MARGIN
    behind = (np.arange(len(days)) * 41 + row) % 500
    first = (days - behind).astype(np.int32)
    expected = np.maximum(first, inner(preceding) + origin + 1)
    clear = np.flatnonzero(~inner(excluded))
    found = first_clear_day(exclusions.take(clear), days[clear], first[clear])
    wrong = np.flatnonzero(found != expected[clear])
    assert [(case.anchors[row[clear[n]]], civil.text_of(days[clear[n]])) for n in wrong[:5]] == []


def test_windows_that_overlap_or_touch_are_one(
    grids: tuple[Case, npt.NDArray[np.bool_]],
) -> None:
    case, _ = grids
    exclusions = case.exclusions()
    found = windows_ending_in(exclusions, civil.day_of(FIRST), civil.day_of(LAST))
    mine: dict[int, list[tuple[dt.date, dt.date]]] = {row: [] for row in range(len(case.anchors))}
    for row, start, end in zip(found.row, found.start, found.end, strict=True):
        mine[int(row)].append((civil.date_of(start), civil.date_of(end)))
    for row, windows in mine.items():
        theirs = case.windows(row, FIRST, LAST)
        assert sorted(windows) == [each for each in theirs if FIRST <= each[1] <= LAST]


@pytest.mark.parametrize("name", [*sampled(STATE_RULES, 2), *sampled(VARIANTS, 1)])
def test_the_words_for_an_excluded_day_are_those_of_the_oracle(name: str) -> None:
    case = case_of(name, EDGES)
    for row, anchor in enumerate(EDGES):
        edges = {FIRST, LAST, dt.date(2028, 2, 29)}
        for start, end in case.windows(row, FIRST, LAST):
            edges |= {day + dt.timedelta(days=n) for day in (start, end) for n in (-1, 0, 1)}
        for year in (2025, 2027, 2028):
            birthday = oracle.anniversary(anchor, year)
            edges |= {birthday, birthday - dt.timedelta(days=1)}
        days = sorted(edges)
        mine = case.exclusions().take(np.full(len(days), row))
        found = causes(mine, np.array([civil.day_of(day) for day in days], np.int32)).tolist()
        for day, cause in zip(days, found, strict=True):
            words = exclusion_reason(cause, case.state).text if cause else None
            assert words == case.oracle(row, oracle.excluded, day), (anchor, day)


def test_states_without_a_rule_and_unknown_states_have_no_windows() -> None:
    codes = [n for n, state in enumerate(USPS_STATES) if state not in STATE_RULES] + [-1]
    state = np.array(codes, np.int32)
    day = np.full(len(codes), civil.day_of(dt.date(1952, 2, 29)), np.int32)
    exclusions = RuleTable(Config()).exclusions(state, day, day)
    assert len(codes) == len(USPS_STATES) - len(STATE_RULES) + 1
    assert len(rows_with_windows(exclusions)) == 0
    for date in (dt.date(2026, 2, 28), dt.date(2028, 2, 29)):
        days = np.full(len(codes), civil.day_of(date), np.int32)
        assert causes(exclusions, days).tolist() == [NOT_EXCLUDED] * len(codes)
        later = days + np.int32(1000)
        assert (last_clear_day(exclusions, days, later) == later).all()
        assert (first_clear_day(exclusions, later, days) == days).all()


@pytest.mark.parametrize("state", sorted(STATE_RULES))
def test_a_contact_without_the_date_has_no_windows(state: str) -> None:
    kind = STATE_RULES[state]["kind"]
    codes = np.array([USPS_STATES.index(state)], np.int32)
    there = np.array([civil.day_of(dt.date(1950, 6, 1))], np.int32)
    birth = there if kind == "effective_date_window" else np.array([NO_DAY], np.int32)
    effective = there if kind == "birthday_window" else np.array([NO_DAY], np.int32)
    exclusions = RuleTable(Config()).exclusions(codes, birth, effective)
    year_round = kind == "year_round"
    for day in range(civil.day_of(FIRST), civil.day_of(FIRST) + 366):
        assert bool(causes(exclusions, np.array([day], np.int32))[0]) is year_round


def test_the_first_anniversary_on_or_after_a_day() -> None:
    month_days = civil.month_day_of(numbers(list(ANCHORS)))
    for threshold in (dt.date(2027, 12, 31), dt.date(2028, 2, 28), dt.date(2028, 2, 29)):
        for not_before in (2020, 2028, 2030):
            found = first_anniversary(
                month_days,
                civil.day_of(threshold),
                np.full(len(ANCHORS), not_before, np.int32),
            )
            years = range(max(not_before, threshold.year), 2032)
            expected = [
                next(d for y in years if (d := oracle.anniversary(a, y)) >= threshold)
                for a in ANCHORS
            ]
            assert [civil.date_of(day) for day in found] == expected


def test_the_snapshots_of_all_windows_are_up_to_date() -> None:
    stored = {path.name: path.read_text("utf-8") for path in FOLDER.glob("*.json")}
    made = snapshots(Config())
    assert stored.keys() == made.keys()
    changed = [name for name in made if stored[name] != made[name]]
    assert changed == [], "a rule has changed: look at the diff that `make snapshots` makes"


def test_every_state_is_in_the_snapshots_once() -> None:
    states = [path.stem for path in FOLDER.glob("??.json")]
    without = json.loads((FOLDER / "states_without_a_rule.json").read_text("utf-8"))
    assert sorted([*states, *without]) == sorted(USPS_STATES)
