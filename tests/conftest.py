"""Settings that hold for all tests."""

from __future__ import annotations

from hypothesis import settings

# no deadline: a slow machine is not a wrong program
settings.register_profile("almanac", deadline=None, print_blob=True)
settings.load_profile("almanac")
