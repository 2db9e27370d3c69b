"""Settings that hold for all tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import structlog
from hypothesis import settings

# no deadline: a slow machine is not a wrong program
settings.register_profile("almanac", deadline=None, print_blob=True)
settings.load_profile("almanac")


@pytest.fixture(autouse=True)
def _logs_go_nowhere_afterwards() -> Iterator[None]:
    """Whoever has logs written to a stream does so for one test: the next has another stream."""
    yield
    structlog.reset_defaults()
