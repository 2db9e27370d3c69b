"""A push that meets a fault reports what became of it, whoever acts before it reads back."""

from __future__ import annotations

import pytest

from tests.support.simulation.pushes import FAULTS, push_at_every_call


@pytest.mark.parametrize("fault", FAULTS)
def test_a_push_succeeds_if_and_only_if_it_took_effect(fault: str) -> None:
    assert push_at_every_call(fault) >= 2
