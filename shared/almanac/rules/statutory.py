"""The rule set `statutory`: the states' rules as dated, sourced data (statutory.yaml)."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Any

from almanac.yaml_text import read_mapping


@cache
def statutory_rules() -> dict[str, list[dict[str, Any]]]:
    """Return the rules of each state, with the keys of a rule, and id, note and confidence.

    The result must not be changed.
    """
    text = resources.files("almanac.rules").joinpath("statutory.yaml").read_bytes()
    document, problems = read_mapping(text, "statutory.yaml")
    rules = document["rules"]
    if problems or not isinstance(rules, list):
        raise ValueError(f"statutory.yaml: {problems or 'no list of rules'}")
    by_state: dict[str, list[dict[str, Any]]] = {}
    for keys in rules:
        rule = dict(keys)
        by_state.setdefault(rule.pop("state"), []).append(rule)
    return by_state
