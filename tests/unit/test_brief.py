"""What a run decides beforehand travels as JSON, and nothing of it may change on the way."""

from __future__ import annotations

import datetime as dt
import json
import sys
from pathlib import Path

import pytest
import yaml

from almanac import config_rules
from almanac.config import Config, load_config
from almanac.config_rules import StateRule
from almanac.database.reading import Snapshot
from almanac.organizations.brief import run_context_of
from almanac.planning.brief import RunContext, make_run_context
from almanac.rules.states import STATE_RULES
from tests.support import agencies

AS_OF = dt.date(2027, 3, 1)


def made(config: Config) -> RunContext:
    return make_run_context(
        as_of=AS_OF, t0=AS_OF, config=config, campaign_types=[], campaign_instances=[]
    )


@pytest.mark.parametrize("seed", range(20))
def test_a_brief_is_the_same_after_a_journey_as_json(seed: int, tmp_path: Path) -> None:
    path = agencies.build(tmp_path / "agency.sqlite3", seed, contacts=10)
    config = load_config(yaml.safe_dump(agencies.config_for(seed)))
    with Snapshot(path) as snapshot:
        context = run_context_of(snapshot, config, AS_OF, AS_OF)
    assert RunContext.model_validate_json(context.model_dump_json()) == context


def test_a_run_keeps_the_rules_that_it_was_planned_by(monkeypatch: pytest.MonkeyPatch) -> None:
    calendar = "{kind: calendar_window, from: 10-15, to: 12-07, valid_from: 2027-01-01}"
    config = load_config(f"{{rule_set: statutory, state_rules: {{TX: {calendar}, CA: null}}}}")
    context = made(config)
    # the next release has another table
    monkeypatch.setattr(
        config_rules, "rules_of_set", lambda _: {"WY": (StateRule(kind="year_round"),)}
    )
    again = RunContext.read(context.model_dump_json())
    assert set(made(load_config("rule_set: statutory")).config.rules) == {"WY"}
    assert again.config.rules == context.config.rules
    assert (again.config.rules["TX"][0].ends, "CA" in again.config.rules) == ("12-07", False)
    assert again.config.digest() == config.digest()


def test_a_plan_of_an_earlier_release_has_the_rules_of_its_configuration() -> None:
    text = json.loads(made(load_config("state_rules: {CA: null}")).model_dump_json())
    del text["rules"]
    assert set(RunContext.read(json.dumps(text)).config.rules) == set(STATE_RULES) - {"CA"}


def test_a_step_does_not_need_the_library_of_holidays(monkeypatch: pytest.MonkeyPatch) -> None:
    context = made(load_config("load_balancing: {closed: {holidays: [US-CA]}}"))
    monkeypatch.setitem(sys.modules, "holidays", None)  # it cannot be imported
    assert RunContext.read(context.model_dump_json()) == context


@pytest.mark.parametrize("state", STATE_RULES)
def test_a_rule_that_was_removed_stays_removed(state: str) -> None:
    config = load_config(f"state_rules: {{{state}: null}}")
    again = Config.model_validate_json(config.model_dump_json())
    assert again == config
    assert state not in again.rules
    assert again.digest() == config.digest() != Config().digest()
