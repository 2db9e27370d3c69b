"""The rule set `statutory`: its entries are whole, and say what was found of each state's rule."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from almanac.rules.states import STATE_RULES, USPS_STATES
from almanac.rules.statutory import StatutoryEntry, statutory_entries, statutory_rules

KINDS = ("birthday_window", "effective_date_window", "calendar_window", "year_round")
WINDOW_KEYS = {
    "birthday_window": {"before", "after", "use_month_start"},
    "effective_date_window": {"before", "after"},
    "calendar_window": {"from", "to"},
    "year_round": set(),
}
ANY_KEYS = {"kind", "valid_from", "valid_to", "age", "pre_window_days", "source"}

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


def as_found(entry: StatutoryEntry) -> str:
    """An entry as a line of FOUND."""
    rule = entry.rule
    kind = rule["kind"].removesuffix("_window")
    days = "-"
    if kind == "calendar":
        days = f"{rule['from']}/{rule['to']}"
    elif kind != "year_round":
        days = f"{rule['before']}/{rule['after']}"
    age = rule.get("age")
    ages = "-" if age is None else f"{age.get('min', '')}-{age.get('max', '')}"
    kind = "month" if rule.get("use_month_start") else kind
    return f"{entry.state} {kind} {days} {rule.get('valid_from', '-')} {ages} {entry.confidence}"


def test_the_entries_are_what_was_found() -> None:
    lines = [line.strip() for line in FOUND.strip().splitlines()]
    assert sorted(as_found(entry) for entry in statutory_entries()) == sorted(lines)


@pytest.mark.parametrize("entry", statutory_entries(), ids=lambda entry: entry.id)
def test_every_entry_is_whole(entry: StatutoryEntry) -> None:
    rule: dict[str, Any] = entry.rule
    assert entry.id.startswith(f"{entry.state.lower()}-")
    assert entry.state in USPS_STATES
    assert rule.keys() <= ANY_KEYS | WINDOW_KEYS[rule["kind"]]
    assert entry.confidence in ("primary", "secondary")
    assert isinstance(entry.note, str)
    assert rule["source"].keys() <= {"cite", "url", "verified"}
    assert rule["source"]["cite"]
    assert dt.date.fromisoformat(rule["source"]["verified"]) >= dt.date(2026, 11, 28)
    begin = dt.date.fromisoformat(rule.get("valid_from", "1901-01-01"))
    assert begin <= dt.date.fromisoformat(rule.get("valid_to", "9999-12-31"))


def test_ids_are_unique_and_states_in_order() -> None:
    entries = statutory_entries()
    assert len({entry.id for entry in entries}) == len(entries)
    assert [entry.state for entry in entries] == sorted(entry.state for entry in entries)


def test_every_state_of_the_standard_set_has_a_rule() -> None:
    assert statutory_rules().keys() >= STATE_RULES.keys()


def test_the_rules_of_a_state_are_those_of_its_entries() -> None:
    (virginia,) = statutory_rules()["VA"]
    assert virginia["after"] == 60
    assert "note" not in virginia
    assert statutory_rules() is statutory_rules()
