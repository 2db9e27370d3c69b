"""Fixtures of the integration tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.tiny import Agency


@pytest.fixture
def agency(tmp_path: Path) -> Agency:
    """A tiny agency, without contacts yet."""
    return Agency(tmp_path / "agency.sqlite3")
