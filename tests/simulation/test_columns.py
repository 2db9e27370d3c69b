"""A run whose parent has its planned rows in columns, and a fault at any call about them."""

from __future__ import annotations

import pytest

from tests.support.simulation.column_points import column_points, survive_with_columns
from tests.support.simulation.crash_points import FAULTS


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
def test_a_run_with_columns_survives_a_fault_at_every_call_about_them(fault: str) -> None:
    points = [point for point in column_points() if point.can_meet(fault)]
    assert points
    for point in points:
        survive_with_columns(point, fault)
    print(f"\ncolumns: {fault} at {len(points)} points")
