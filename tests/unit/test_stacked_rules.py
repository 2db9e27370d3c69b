"""Several dated rules of a state for one contact, by random stacks of rules, against the oracle."""

from __future__ import annotations

import datetime as dt
import json
import random
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pytest

from almanac import civil
from almanac.config import load_config
from almanac.frames import NO_DAY
from almanac.rules.merged_windows import windows_ending_in
from almanac.rules.rule_table import RuleTable
from almanac.rules.states import USPS_STATES
from almanac.rules.windows import (
    Exclusions,
    causes,
    exclusion_reason,
    first_clear_day,
    last_clear_day,
)
from tests import oracle
from tests.support.agency_runs import stacked_rules
from tests.support.sampling import sampled

TODAY = dt.date(2027, 12, 1)
REACH = 420  # days on either side
LONG_AGO = civil.day_of(dt.date(2000, 1, 1))  # windows that go on for decades are cut somewhere


@dataclass
class Stack:
    """A contact of a state with some rules."""

    seed: int

    def __post_init__(self) -> None:
        rng = random.Random(f"stack {self.seed}")
        self.rules = stacked_rules(rng, TODAY)
        self.early = rng.choice([0, 1, 30, 60])
        birth = dt.date(2027 - rng.choice([30, 60, 65, 66, 76]), 1, 1)
        births = [birth + dt.timedelta(days=rng.randrange(365)), dt.date(1952, 2, 29), None]
        self.birth = rng.choice(births)
        self.effective = rng.choice([dt.date(2020, 2, 29), TODAY - dt.timedelta(days=1000), None])

    @property
    def days(self) -> list[dt.date]:
        return [TODAY + dt.timedelta(days=n) for n in range(-REACH, REACH + 1)]

    @cached_property
    def reasons(self) -> list[str | None]:
        """What the oracle says of each day."""
        return [self.oracle(oracle.excluded, day) for day in self.days]

    def oracle(self, function: Any, *days: dt.date) -> Any:
        return function({"TX": self.rules}, self.early, "TX", self.birth, self.effective, *days)

    def exclusions(self, rows: int) -> Exclusions:
        """Return the exclusions of as many contacts like this one."""
        given = {"state_rules": {"TX": self.rules}, "timing": {"pre_window_days": self.early}}
        table = RuleTable(load_config(json.dumps(given)))
        dates = [
            np.full(rows, NO_DAY if day is None else civil.day_of(day), np.int32)
            for day in (self.birth, self.effective)
        ]
        return table.exclusions(np.full(rows, USPS_STATES.index("TX"), np.int32), *dates)


@pytest.fixture(scope="module", params=sampled(range(400), 6))
def stack(request: pytest.FixtureRequest) -> Stack:
    return Stack(request.param)


def numbers(days: list[dt.date]) -> np.ndarray[Any, np.dtype[np.int32]]:
    return np.array([civil.day_of(day) for day in days], np.int32)


def test_each_day_has_the_reason_of_the_oracle(stack: Stack) -> None:
    found = causes(stack.exclusions(len(stack.days)), numbers(stack.days))
    words = [exclusion_reason(int(one), "TX").text if one else None for one in found]
    assert dict(zip(stack.days, words, strict=True)) == dict(
        zip(stack.days, stack.reasons, strict=True)
    )


def test_no_excluded_day_lies_between_a_clear_day_and_its_last_and_first_clear_day(
    stack: Stack,
) -> None:
    clear = [day for day, reason in zip(stack.days, stack.reasons, strict=True) if reason is None]
    start = numbers(clear)
    exclusions = stack.exclusions(len(clear))
    far = np.full(len(clear), civil.day_of(stack.days[-1]), np.int32)
    near = np.full(len(clear), civil.day_of(stack.days[0]), np.int32)
    shut = numbers(
        [day for day, reason in zip(stack.days, stack.reasons, strict=True) if reason is not None]
    )
    after = [int(min(shut[shut > day], default=far[0] + 1)) - 1 for day in start]
    before = [int(max(shut[shut < day], default=near[0] - 1)) + 1 for day in start]
    assert last_clear_day(exclusions, start, far).tolist() == after
    assert first_clear_day(exclusions, start, near).tolist() == before
    soon = np.minimum(start + 5, far).astype(np.int32)
    assert last_clear_day(exclusions, start, soon).tolist() == np.minimum(after, soon).tolist()


def test_windows_that_overlap_or_touch_are_one_window_to_the_last_end(stack: Stack) -> None:
    first, last = stack.days[0], stack.days[-1]
    found = windows_ending_in(stack.exclusions(2), civil.day_of(first), civil.day_of(last))
    spans = zip(found.row.tolist(), found.start, found.end, strict=True)
    mine = sorted(
        (row, civil.date_of(max(start, LONG_AGO)), civil.date_of(end)) for row, start, end in spans
    )
    windows = stack.oracle(oracle.windows, first, last)
    theirs = [(max(w[0], civil.date_of(LONG_AGO)), w[1]) for w in windows if first <= w[1] <= last]
    assert mine == [(row, *window) for row in (0, 1) for window in theirs]
