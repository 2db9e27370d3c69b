"""Undo on odd agencies: after two runs and two undos every table is what it was."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from almanac.errors import DatabaseError
from almanac.organizations.undo import undo
from tests.support import agencies
from tests.support.agency_tables import SCHEMAS
from tests.support.agreement import run
from tests.support.undo_calls import tables


def differences(seed: int, path: Path) -> list[str]:
    """The tables that are not as before, after each of two undos."""
    as_of, config = agencies.as_of_for(seed), agencies.config_for(seed)
    states = [tables(path)]
    try:
        run(path, as_of, as_of, config)
    except DatabaseError:  # two planned rows of one message
        return []
    states.append(tables(path))
    later = as_of + dt.timedelta(days=3)
    run(path, later, later, config)
    found = []
    for state in reversed(states):
        undo(path)
        now = tables(path)
        found += [name for name in state.keys() | now.keys() if state.get(name) != now.get(name)]
    return found


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, 100, 20))
def test_undo_puts_back_every_table_of_an_odd_agency(first: int, tmp_path: Path) -> None:
    for seed in range(first, first + 20):
        schema = SCHEMAS[seed % len(SCHEMAS)]
        path = agencies.build(tmp_path / f"{seed}.sqlite3", seed, 30, schema=schema)
        assert differences(seed, path) == [], f"seed {seed}"
