"""Every single point at which an instance may die or an answer be lost, one at a time."""

from __future__ import annotations

import pytest

from tests.support.simulation.crash_points import ASKS, FAULTS, points_of, survive

EVERY = 24  # in the quick tests: one point in so many of each fault, another one for each


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("what", ASKS)
def test_a_run_survives_a_fault_at_any_point(what: str, fault: str) -> None:
    points = [point for point in points_of(ASKS[what]) if point.can_meet(fault)]
    assert points
    for point in points[FAULTS.index(fault) :: EVERY]:
        survive(ASKS[what], point, fault)


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("what", ASKS)
def test_a_run_survives_a_fault_at_every_point(what: str, fault: str) -> None:
    points = [point for point in points_of(ASKS[what]) if point.can_meet(fault)]
    for point in points:
        survive(ASKS[what], point, fault)
    print(f"\n{what}: {fault} at {len(points)} points")
