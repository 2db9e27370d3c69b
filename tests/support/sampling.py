"""Which part of many similar cases `make test` runs; `make simulate` runs the rest."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from _pytest.mark import ParameterSet


def sampled(cases: Iterable[Any], quick: int) -> list[ParameterSet]:
    """Return all cases as parameters; all but `quick` of them, evenly spread, are slow.

    A case that is a tuple gives several parameters, as in pytest.mark.parametrize.
    """
    every = [case if isinstance(case, tuple) else (case,) for case in cases]
    step = len(every) // quick
    # every case of a step in turn: what depends on a seed's remainder is sampled too
    kept = {number * step + number % step for number in range(quick)}
    return [
        pytest.param(*case, marks=() if number in kept else pytest.mark.slow)
        for number, case in enumerate(every)
    ]


def shares(every: int) -> pytest.MarkDecorator:
    """Parametrize `every`: 1 for all points (slow), and a step for a sample of them."""
    return pytest.mark.parametrize(
        "every",
        [pytest.param(every, id="sample"), pytest.param(1, id="all", marks=pytest.mark.slow)],
    )
