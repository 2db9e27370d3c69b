"""The rule set `statutory`: its entries are whole, and say what was found of each state's rule."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from almanac.rules.states import STATE_RULES, USPS_STATES
from almanac.rules.statutory import statutory_rules

WINDOW_KEYS: dict[str, set[str]] = {
    "birthday_window": {"before", "after", "use_month_start"},
    "effective_date_window": {"before", "after"},
    "calendar_window": {"from", "to"},
    "year_round": set(),
}
ANY_KEYS = {
    *("kind", "valid_from", "valid_to", "age", "pre_window_days", "source"),
    *("id", "note", "confidence"),
}

# What was found on 28 November 2026: state, kind, days, first day, age, source seen.
FOUND = """
    CA birthday 0/60 2020-07-01 - secondary
    ID birthday 0/63 2022-03-01 - primary
    IL birthday 0/45 2022-01-01 65-75 primary
    IN birthday 0/60 2026-01-01 65- secondary
    KY birthday 0/60 2024-01-01 - secondary
    LA birthday 0/63 2022-08-01 - primary
    MD birthday 0/30 2023-07-01 - primary
    NV month 0/60 2022-01-01 - primary
    OK birthday 0/60 2023-08-31 - primary
    OR birthday 30/30 - - primary
    UT birthday 0/60 2025-05-07 - secondary
    VA birthday 0/60 2025-07-01 - primary
    WY birthday 0/63 2025-06-04 - secondary
    DE birthday 30/30 2026-01-01 - primary
    NM month 0/60 2027-01-01 65- primary
    MO effective_date 30/30 - - primary
    RI calendar 10-15/12-07 2025-07-02 - secondary
    MN calendar 10-15/12-07 2026-08-01 65-70 primary
    ME year_round - - - primary
    VT year_round - - - secondary
    CT year_round - - - secondary
    NY year_round - - - secondary
    MA year_round - - - primary
    WA year_round - - - primary
"""


ENTRIES = [(state, rule) for state, rules in statutory_rules().items() for rule in rules]


def as_found(state: str, rule: dict[str, Any]) -> str:
    """A rule as a line of FOUND."""
    kind = rule["kind"].removesuffix("_window")
    days = "-"
    if kind == "calendar":
        days = f"{rule['from']}/{rule['to']}"
    elif kind != "year_round":
        days = f"{rule['before']}/{rule['after']}"
    age = rule.get("age")
    ages = "-" if age is None else f"{age.get('min', '')}-{age.get('max', '')}"
    kind = "month" if rule.get("use_month_start") else kind
    return f"{state} {kind} {days} {rule.get('valid_from', '-')} {ages} {rule['confidence']}"


def test_the_rules_are_what_was_found() -> None:
    lines = [line.strip() for line in FOUND.strip().splitlines()]
    assert sorted(as_found(state, rule) for state, rule in ENTRIES) == sorted(lines)


@pytest.mark.parametrize(("state", "rule"), ENTRIES, ids=[rule["id"] for _, rule in ENTRIES])
def test_every_rule_is_whole(state: str, rule: dict[str, Any]) -> None:
    assert state in USPS_STATES
    assert rule["id"].startswith(f"{state.lower()}-")
    assert rule.keys() <= ANY_KEYS | WINDOW_KEYS[rule["kind"]]
    assert rule["confidence"] in ("primary", "secondary")
    assert rule["source"].keys() <= {"cite", "url", "verified"}
    assert rule["source"]["cite"]
    assert dt.date.fromisoformat(rule["source"]["verified"]) >= dt.date(2026, 11, 28)
    begin = dt.date.fromisoformat(rule.get("valid_from", "1901-01-01"))
    assert begin <= dt.date.fromisoformat(rule.get("valid_to", "9999-12-31"))


def test_ids_are_unique_and_states_in_order() -> None:
    assert len({rule["id"] for _, rule in ENTRIES}) == len(ENTRIES)
    states = list(statutory_rules())
    assert states == sorted(states)


def test_every_state_of_the_standard_set_has_a_rule() -> None:
    assert statutory_rules().keys() >= STATE_RULES.keys()


def test_the_data_is_read_once() -> None:
    assert statutory_rules() is statutory_rules()
