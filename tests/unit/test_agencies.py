"""The odd agencies: the same for the same seed, of every schema, and as odd as they claim."""

import sqlite3
from collections import Counter
from pathlib import Path

import pytest

from almanac.config import TEMPLATE_KEYS
from tests.oracle import plan
from tests.support.agencies import as_of_for, build, config_for
from tests.support.agency_tables import SCHEMAS


def dump(path: Path) -> list[str]:
    database = sqlite3.connect(path)
    try:
        return list(database.iterdump())
    finally:
        database.close()


@pytest.mark.parametrize("schema", SCHEMAS)
def test_a_seed_always_gives_the_same_agency(tmp_path: Path, schema: str) -> None:
    first = build(tmp_path / "first.sqlite3", 3, 12, schema=schema)
    second = build(tmp_path / "second.sqlite3", 3, 12, schema=schema)
    assert dump(first) == dump(second)
    assert dump(first) != dump(build(second, 4, 12, schema=schema))


@pytest.mark.slow
def test_seeds_meet_nearly_every_rule(tmp_path: Path) -> None:
    reasons: Counter[str] = Counter()
    types: set[str] = set()
    kept = 0
    for seed in range(60):
        as_of, config = as_of_for(seed), config_for(seed)
        schema = ("old", "new")[seed % 2]
        path = build(tmp_path / "agency.sqlite3", seed, schema=schema)
        found = plan(path, as_of, as_of, config)
        reasons.update((row.skip_reason or "none").split(" for ")[0] for row in found.rows)
        kept += sum(row.kept for row in found.rows)
        types |= {row.email_type for row in found.rows}
    assert kept > 0
    assert types >= set(TEMPLATE_KEYS)
    assert {
        "none",
        "Age exclusion",
        "Birthday exclusion window",
        "Campaign priority conflict",
        "Daily volume cap",
        "Effective date exclusion window",
        "Failed underwriting - campaign exclusion",
        "Failed underwriting - global exclusion",
        "Frequency limit exceeded",
        "Outside campaign dates",
        "Outside campaign targeting",
        "Suppressed: complaint",
        "Year-round exclusion",
    } <= set(reasons)
