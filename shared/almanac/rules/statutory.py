"""The rule set `statutory`: the states' rules as dated, sourced data (statutory.yaml)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Literal

from almanac.yaml_text import read_mapping


@dataclass(frozen=True)
class StatutoryEntry:
    """One rule of the data file."""

    id: str
    state: str
    rule: dict[str, Any]  # the keys of a rule as in a configuration
    note: str  # empty: none
    confidence: Literal["primary", "secondary"]


@cache
def statutory_entries() -> tuple[StatutoryEntry, ...]:
    """Return all entries in the order of the file. Must not be changed."""
    text = resources.files("almanac.rules").joinpath("statutory.yaml").read_bytes()
    document, problems = read_mapping(text, "statutory.yaml")
    rules = document["rules"]
    if problems or not isinstance(rules, list):
        raise ValueError(f"statutory.yaml: {problems or 'no list of rules'}")
    return tuple(_entry(dict(keys)) for keys in rules)


@cache
def statutory_rules() -> dict[str, list[dict[str, Any]]]:
    """Return the rules of each state as a configuration has them. Must not be changed."""
    by_state: dict[str, list[dict[str, Any]]] = {}
    for entry in statutory_entries():
        by_state.setdefault(entry.state, []).append(entry.rule)
    return by_state


def _entry(keys: dict[str, Any]) -> StatutoryEntry:
    return StatutoryEntry(
        id=keys.pop("id"),
        state=keys.pop("state"),
        note=keys.pop("note", ""),
        confidence=keys.pop("confidence"),
        rule=keys,
    )
