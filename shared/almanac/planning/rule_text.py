"""State rules in words."""

from __future__ import annotations

import datetime as dt
from typing import assert_never

from almanac.config import Config
from almanac.config_rules import StateRule

ANCHORS = {
    "birthday_window": "birthday",
    "effective_date_window": "policy anniversary",
    "calendar_window": "calendar",
}


def span_in_words(rule: StateRule, ahead: int) -> str:
    """Return the days that a rule with windows excludes; ahead: days added before each window."""
    if rule.begins is not None and rule.ends is not None:
        text = f"{_month_day(rule.begins)} to {_month_day(rule.ends)}"
    else:
        anchor = ANCHORS[rule.kind]
        if rule.use_month_start:
            anchor = f"first of the month of the {anchor}"
        text = f"{rule.before} days before the {anchor} to {rule.after} days after it"
        if rule.before == 0:
            text = f"the {anchor} and the {rule.after} days after it"
    return f"{text}, and {ahead} days ahead of that" if ahead else text


def _exact_words(rule: StateRule, ahead: int) -> str:
    """Return what one rule excludes while it is law; ahead: days added before each window."""
    match rule.kind:
        case "year_round":
            text = "all year"
        case "birthday_window" | "effective_date_window" | "calendar_window":
            text = span_in_words(rule, ahead)
        case _:
            assert_never(rule.kind)
    if rule.year_round_from_age is not None and rule.kind != "year_round":
        text += f"; all year from the age of {rule.year_round_from_age}"
    return text


def one_rule_in_words(rule: StateRule) -> str:
    """Return what one rule excludes while it is law, without the days ahead of its windows."""
    match rule.kind:
        case "year_round":
            return "all year"
        case "calendar_window":
            return span_in_words(rule, 0)
        case "birthday_window" | "effective_date_window":
            pass
        case _:
            assert_never(rule.kind)
    anchor = "first of the birth month" if rule.use_month_start else ANCHORS[rule.kind]
    text = f"{anchor} to {rule.after} days after it"
    if rule.before:
        text = f"{rule.before} days before the {anchor} to {rule.after} after it"
    if rule.year_round_from_age is not None:
        text += f"; all year from the age of {rule.year_round_from_age}"
    return text


def limits_in_words(rule: StateRule) -> str:
    """Return for which ages and on which dates a rule holds, such as `from 2027-01-01 on, from the
    age of 65`; '' without limits."""
    limits = []
    match rule.valid_from, rule.valid_to:
        case dt.date() as first, dt.date() as last:
            limits.append(f"from {first} to {last}")
        case dt.date() as first, None:
            limits.append(f"from {first} on")
        case None, dt.date() as last:
            limits.append(f"until {last}")
    match (rule.age.min, rule.age.max) if rule.age else (None, None):
        case int(least), int(greatest):
            limits.append(f"at the ages of {least} to {greatest}")
        case int(least), None:
            limits.append(f"from the age of {least}")
        case None, int(greatest):
            limits.append(f"up to the age of {greatest}")
    return ", ".join(limits)


def rule_with_limits(rule: StateRule) -> str:
    """Return what one rule excludes, with its ages and dates, without days ahead of windows."""
    limits = limits_in_words(rule)
    return f"{one_rule_in_words(rule)} ({limits})" if limits else one_rule_in_words(rule)


def ahead_of(rule: StateRule, config: Config) -> int:
    """Return by how many days the windows of a rule start earlier than it says."""
    own = rule.pre_window_days
    return config.timing.pre_window_days if own is None else own


def rule_in_words(state: str, config: Config, sources: bool = False) -> str:
    """Return what the state's rules exclude, with sources if that is asked for; '' without one."""
    parts = []
    for rule in config.rules.get(state, ()):
        text = _exact_words(rule, ahead_of(rule, config))
        limits = limits_in_words(rule)
        text += f" ({limits})" if limits else ""
        if sources and rule.source is not None:
            text += f" [{rule.source.in_words()}]"
        parts.append(text)
    return "; ".join(parts)


def _month_day(text: str) -> str:
    """Return a day of the year such as 15 October."""
    day = dt.date(2000, int(text[:2]), int(text[3:]))
    return f"{day.day} {day:%B}"
