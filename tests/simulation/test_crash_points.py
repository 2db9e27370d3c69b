"""Every single point at which an instance may die or an answer be lost, one at a time."""

from __future__ import annotations

import pytest

from tests.support.sampling import sampled
from tests.support.simulation.crash_points import ASKS, FAULTS, points_of, survive

FEW = 1  # points of each fault in the quick tests, evenly spread, others for each fault


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("what", sampled(ASKS, 1))
def test_a_run_survives_a_fault_at_any_point(what: str, fault: str) -> None:
    points = [point for point in points_of(ASKS[what]) if point.can_meet(fault)]
    step = len(points) // FEW
    assert step
    for point in points[FAULTS.index(fault) * step // len(FAULTS) :: step]:
        survive(ASKS[what], point, fault)


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("what", ASKS)
def test_a_run_survives_a_fault_at_every_point(what: str, fault: str) -> None:
    points = [point for point in points_of(ASKS[what]) if point.can_meet(fault)]
    for point in points:
        survive(ASKS[what], point, fault)
    print(f"\n{what}: {fault} at {len(points)} points")
