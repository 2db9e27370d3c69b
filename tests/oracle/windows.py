"""Exclusion windows of a contact (semantics: Windows)."""

from datetime import date
from typing import Any

from .dates import anniversary, plus

Rules = dict[str, dict[str, Any]]


def _anchor(rule: dict[str, Any], birth: date | None, effective: date | None) -> date | None:
    kinds = {"birthday_window": birth, "effective_date_window": effective, "year_round": None}
    return kinds[rule["kind"]]


def windows(
    state_rules: Rules,
    pre_window_days: int,
    state: str | None,
    birth: date | None,
    effective: date | None,
    first: date,
    last: date,
) -> list[tuple[date, date]]:
    """Every window (start, end) that shares a day with [first, last], in the order of years."""
    rule = state_rules.get(state or "")
    anchor = _anchor(rule, birth, effective) if rule else None
    if rule is None or anchor is None:
        return []
    before = rule.get("before", 0) + pre_window_days
    after = rule.get("after", 0)
    # Generous: a window is looked at whatever year it belongs to, and tested by its own days.
    margin = max(before, after) // 365 + 2
    found = []
    for year in range(max(1, first.year - margin), min(9999, last.year + margin) + 1):
        base = anniversary(anchor, year)
        if rule.get("use_month_start"):
            base = base.replace(day=1)
        start, end = plus(base, -before), plus(base, after)
        if start <= last and end >= first:
            found.append((start, end))
    return found


def age(birth: date, day: date) -> int:
    """Completed years of life on a day."""
    return day.year - birth.year - (day < anniversary(birth, day.year))


def excluded(
    state_rules: Rules,
    pre_window_days: int,
    state: str | None,
    birth: date | None,
    effective: date | None,
    day: date,
) -> str | None:
    """Why nothing that respects windows may be sent to the contact on a day, or None."""
    rule = state_rules.get(state or "")
    if rule is None:
        return None
    if rule["kind"] == "year_round":
        return f"Year-round exclusion for {state}"
    limit = rule.get("year_round_from_age")
    if limit is not None and birth is not None and age(birth, day) >= limit:
        return f"Age exclusion for {state}"
    if windows(state_rules, pre_window_days, state, birth, effective, day, day):
        name = "Birthday" if rule["kind"] == "birthday_window" else "Effective date"
        return f"{name} exclusion window for {state}"
    return None
