"""Exclusion windows of a contact (semantics: Windows)."""

from datetime import date
from typing import Any

from .dates import anniversary, plus

Rule = dict[str, Any]
Rules = dict[str, Any]  # by state a rule, a list of rules or None
Window = tuple[date, date]

LONG = 30  # years after which windows that go on and on are cut
KINDS = {
    "birthday_window": "Birthday exclusion window",
    "effective_date_window": "Effective date exclusion window",
    "calendar_window": "Calendar exclusion window",
}


def rules_of(state_rules: Rules, state: str | None) -> list[Rule]:
    """The rules of a state, one by one."""
    found = state_rules.get(state or "") or []
    return [found] if isinstance(found, dict) else found


def age(birth: date, day: date) -> int:
    """Completed years of life on a day."""
    return day.year - birth.year - (day < anniversary(birth, day.year))


def _date(value: date | str) -> date:
    return date.fromisoformat(value) if isinstance(value, str) else value


def _is_law(rule: Rule, day: date) -> bool:
    first, last = rule.get("valid_from") or date.min, rule.get("valid_to") or date.max
    return _date(first) <= day <= _date(last)


def _holds_for(rule: Rule, birth: date | None, day: date) -> bool:
    """Whether the contact's age on a day is one that the rule holds for."""
    band = rule.get("age") or {}
    if birth is None:
        return True
    least, greatest = band.get("min"), band.get("max")
    years = age(birth, day)
    return (least is None or years >= least) and (greatest is None or years <= greatest)


def _day_of(month_day: str, year: int) -> date:
    month, day = (int(part) for part in month_day.split("-"))
    return anniversary(date(2000, month, day), year)


def _core(
    rule: Rule, birth: date | None, effective: date | None, year: int
) -> tuple[date, date, date] | None:
    """Base, first and last day that a rule names for a year, whether it is law then or not."""
    if rule["kind"] == "year_round":
        return None
    if rule["kind"] == "calendar_window":
        base = _day_of(rule["from"], year)
        ends = [_day_of(rule["to"], each) for each in (year, min(year + 1, 9999))]
        return base, base, next((end for end in ends if end >= base), date.max)
    anchor = birth if rule["kind"] == "birthday_window" else effective
    if anchor is None:
        return None
    base = anniversary(anchor, year)
    if rule.get("use_month_start"):
        base = base.replace(day=1)
    return base, plus(base, -rule.get("before", 0)), plus(base, rule.get("after", 0))


def _window(
    rule: Rule, early: int, birth: date | None, effective: date | None, year: int
) -> Window | None:
    """The window of one rule and year, if there is one that counts."""
    core = _core(rule, birth, effective, year)
    if core is None:
        return None
    base, first, last = core
    first = max(first, _date(rule.get("valid_from") or date.min))
    last = min(last, _date(rule.get("valid_to") or date.max))
    if first > last or not _holds_for(rule, birth, base):
        return None
    own = rule.get("pre_window_days")
    return plus(first, -(early if own is None else own)), last


def _joined(found: list[Window]) -> list[Window]:
    """Windows that overlap or touch made one."""
    joined: list[Window] = []
    for start, end in sorted(found):
        if joined and start <= plus(joined[-1][1], 1):
            joined[-1] = joined[-1][0], max(joined[-1][1], end)
        else:
            joined.append((start, end))
    return joined


def windows(
    state_rules: Rules,
    pre_window_days: int,
    state: str | None,
    birth: date | None,
    effective: date | None,
    first: date,
    last: date,
) -> list[Window]:
    """Every window (start, end) that shares a day with [first, last], in order."""
    rules = rules_of(state_rules, state)
    reach = [max(rule.get("before", 0), rule.get("after", 0)) for rule in rules]
    # Generous: a window is looked at whatever year it belongs to, and tested by its own days.
    margin = max(reach, default=0) // 365 + pre_window_days // 365 + 4
    low, high = first.year - margin, last.year + margin
    while True:
        years = range(max(1, low), min(9999, high) + 1)
        each = [
            _window(rule, pre_window_days, birth, effective, year)
            for rule in rules
            for year in years
        ]
        found = [
            (start, end)
            for start, end in _joined([one for one in each if one is not None])
            if start <= last and end >= first
        ]
        # one that begins or ends near the first or last of these years may go on beyond them
        whole = not found or (
            (found[0][0].year > low + margin or low < first.year - LONG)
            and (found[-1][1].year < high - margin or high > last.year + LONG)
        )
        if whole:
            return found
        low, high = 2 * low - high, 2 * high - low


def excluded(
    state_rules: Rules,
    pre_window_days: int,
    state: str | None,
    birth: date | None,
    effective: date | None,
    day: date,
) -> str | None:
    """Why nothing that respects windows may be sent to the contact on a day, or None."""
    rules = rules_of(state_rules, state)
    valid = [rule for rule in rules if _is_law(rule, day)]
    if any(rule["kind"] == "year_round" and _holds_for(rule, birth, day) for rule in valid):
        return f"Year-round exclusion for {state}"
    limits = [rule.get("year_round_from_age") for rule in valid]
    if birth is not None and any(x is not None and age(birth, day) >= x for x in limits):
        return f"Age exclusion for {state}"
    for kind, name in KINDS.items():
        for rule in rules:
            margin = max(rule.get("before", 0), rule.get("after", 0)) // 365 + 3
            for year in range(max(1, day.year - margin), min(9999, day.year + margin) + 1):
                window = _window(rule, pre_window_days, birth, effective, year)
                if rule["kind"] == kind and window and window[0] <= day <= window[1]:
                    return f"{name} for {state}"
    return None
