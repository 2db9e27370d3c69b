"""What a run decides beforehand travels as JSON, and nothing of it may change on the way."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
import yaml

from almanac.config import Config, load_config
from almanac.database.reading import Snapshot
from almanac.organizations.brief import run_context_of
from almanac.planning.brief import RunContext
from almanac.rules.states import STATE_RULES
from tests.support import agencies

AS_OF = dt.date(2027, 3, 1)


@pytest.mark.parametrize("seed", range(20))
def test_a_brief_is_the_same_after_a_journey_as_json(seed: int, tmp_path: Path) -> None:
    path = agencies.build(tmp_path / "agency.sqlite3", seed, contacts=10)
    config = load_config(yaml.safe_dump(agencies.config_for(seed)))
    with Snapshot(path) as snapshot:
        context = run_context_of(snapshot, config, AS_OF, AS_OF)
    assert RunContext.model_validate_json(context.model_dump_json()) == context


@pytest.mark.parametrize("state", STATE_RULES)
def test_a_rule_that_was_removed_stays_removed(state: str) -> None:
    config = load_config(f"state_rules: {{{state}: null}}")
    again = Config.model_validate_json(config.model_dump_json())
    assert again == config
    assert state not in again.rules
    assert again.digest() == config.digest() != Config().digest()
