"""What is added is added everywhere: docs/extending.md names files and tests, which exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any, get_args

from almanac.config import BUILT_IN_TYPES, TEMPLATE_KEYS, Config
from almanac.config_problems import settings_of
from almanac.config_rules import RuleKind, StateRule
from almanac.intake.events import IntakeEvent
from almanac.messaging.messages import Message
from almanac.messaging.subscriptions import SUBSCRIPTIONS
from almanac.messaging.topics import Topics
from almanac.planning.history import OTHER, classify
from almanac.planning.rule_text import one_rule_in_words
from almanac.rules.rule_table import anchor_of, cause_of
from tests import oracle
from tests.oracle.windows import KINDS
from tests.support.agencies import config_for
from tests.support.explanations import explain
from tests.support.tiny import Agency

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "extending.md").read_text("utf-8")
SEMANTICS = (ROOT / "docs" / "semantics.md").read_text("utf-8")
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text("utf-8")
PACKAGE = ROOT / "shared" / "almanac"
SEEDS = range(60)
# what the plan does not depend on, and what every agency keeps
NOT_PLANNED_BY = {"delivery", "deliverability", "webhooks"}
IN_CONFIGURATION_ONLY = {"timezone", "rule_set", "state_rules"}  # docs/configuration.md
NOT_DRAWN = {"timezone", "rule_set", "contacts.columns"}


def keys() -> set[str]:
    """The settings that planning depends on, with dots."""
    found = {".".join(map(str, path)) for path, _ in settings_of(Config)}
    return {key for key in found if key.partition(".")[0] not in NOT_PLANNED_BY}


def leaves(config: dict[str, Any], known: set[str], place: str = "") -> set[str]:
    """The known settings in a configuration that is not a whole one."""
    found = set()
    for name, value in config.items():
        if (key := f"{place}{name}") in known:
            found.add(key)
        elif isinstance(value, dict):
            found |= leaves(value, known, f"{key}.")
    return found


# --- the page -------------------------------------------------------------------------------------


def test_every_test_that_the_page_names_exists() -> None:
    named = set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE))
    assert len(named) > 20
    for file, name in named:
        tree = ast.parse((ROOT / file).read_text("utf-8"))
        there = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
        assert name in there, f"{file}::{name}"


def test_every_file_that_the_page_names_exists() -> None:
    named = set(re.findall(r"`((?:[\w.-]+/)+[\w.-]*)`", PAGE))
    lost = [name for name in named if not any((x / name).exists() for x in (ROOT, PACKAGE))]
    assert lost == []


# --- a rule kind ----------------------------------------------------------------------------------


def test_every_rule_kind_is_known_to_the_oracle_and_drawn_for_random_agencies() -> None:
    kinds = set(get_args(RuleKind))
    assert kinds == {*KINDS, "year_round"}
    drawn = set()
    for seed in SEEDS:
        for rules in (config_for(seed).get("state_rules") or {}).values():
            drawn |= {rule["kind"] for rule in (rules if isinstance(rules, list) else [rules])}
    assert kinds == drawn


def test_every_rule_kind_has_words_and_a_place_in_the_semantics() -> None:
    text = SEMANTICS.split("\n## Windows\n")[1].split("\n## ")[0]
    more = {"calendar_window": {"from": "10-15", "to": "12-07"}}
    for kind in get_args(RuleKind):
        assert f"`{kind}`" in text
        assert one_rule_in_words(StateRule.model_validate({"kind": kind, **more.get(kind, {})}))
        assert cause_of(kind) >= 0
        assert anchor_of(kind) in ("birth", "effective", None)


# --- an email type --------------------------------------------------------------------------------


def test_every_type_is_found_again_among_committed_rows() -> None:
    assert {name for name in TEMPLATE_KEYS if classify(name)[0] == OTHER} == set()


def test_every_type_that_a_contact_lacks_is_explained(tmp_path: Path) -> None:
    tiny = Agency(tmp_path / "agency.sqlite3")
    tiny.contact(1)
    assert {each.name for each in explain(tiny).absent} == {*BUILT_IN_TYPES, "followup"}


# --- a message ------------------------------------------------------------------------------------


def messages() -> set[type[Message]]:
    """Those of messaging, and what the topic of events takes."""
    return {*Message.__subclasses__(), IntakeEvent}


def test_every_message_is_described_with_its_fields() -> None:
    rows = re.findall(r"^\| (\w+) \| [^|]* \| (`[^|]*) \|$", ARCHITECTURE, re.MULTILINE)
    assert {name: re.findall(r"`(\w+)`", fields) for name, fields in rows} == {
        each.__name__: list(each.model_fields) for each in messages()
    }


def test_every_message_is_parsed_by_a_step() -> None:
    code = "\n".join(path.read_text("utf-8") for path in (PACKAGE / "runs").glob("*.py"))
    assert len(messages()) == len(SUBSCRIPTIONS)
    # put_message parses events of all kinds
    code = code.replace("put_message(", "parse(IntakeEvent,")
    assert [each.__name__ for each in messages() if f"parse({each.__name__}," not in code] == []


def test_every_topic_has_a_subscription() -> None:
    names = {name for name in vars(Topics) if isinstance(vars(Topics)[name], property)}
    topics = {getattr(Topics(), name) for name in names}
    assert topics == {Topics().dead_letters, *(each.topic for each in SUBSCRIPTIONS.values())}


# --- a setting ------------------------------------------------------------------------------------


def test_every_setting_is_read() -> None:
    code = "\n".join(path.read_text("utf-8") for path in PACKAGE.rglob("*.py"))
    unread = {key for key in keys() if not re.search(rf"\.{key.rpartition('.')[2]}\b", code)}
    assert unread == set()


def test_every_setting_is_named_where_the_semantics_say_what_it_decides() -> None:
    named = set(re.findall(r"`([a-z_.]+)`", SEMANTICS))
    missing = {key for key in keys() if not {key, key.rpartition(".")[2]} & named}
    assert missing == IN_CONFIGURATION_ONLY


def test_the_defaults_of_every_setting_are_those_of_the_oracle() -> None:
    defaults = Config().settings()
    for key in sorted(keys() - {"state_rules"}):  # compared in tests/unit/test_rules_registry.py
        ours: Any = defaults
        theirs: Any = oracle.DEFAULTS
        for part in key.split("."):
            ours, theirs = ours[part], theirs[part]
        assert ours == theirs, key


def test_every_setting_is_drawn_for_random_agencies() -> None:
    known = keys()
    drawn = set().union(*(leaves(config_for(seed), known) for seed in SEEDS))
    assert known - drawn == NOT_DRAWN
