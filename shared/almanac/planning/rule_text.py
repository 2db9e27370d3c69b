"""State rules in words."""

from __future__ import annotations

import datetime as dt

from almanac.config import Config
from almanac.config_rules import StateRule

ANCHORS = {
    "birthday_window": "birthday",
    "effective_date_window": "policy anniversary",
}


def span_in_words(rule: StateRule, ahead: int) -> str:
    """Return the days that a rule with windows excludes; ahead: days added before each window."""
    anchor = ANCHORS[rule.kind]
    if rule.use_month_start:
        anchor = f"first of the month of the {anchor}"
    text = f"{rule.before} days before the {anchor} to {rule.after} days after it"
    if rule.before == 0:
        text = f"the {anchor} and the {rule.after} days after it"
    return f"{text}, and {ahead} days ahead of that" if ahead else text


def rule_in_words(state: str, config: Config) -> str:
    """Return what the state's rule excludes; '' without a rule."""
    if state not in config.rules:
        return ""
    rule = config.rules[state][0]
    if rule.kind == "year_round":
        return "all year"
    text = span_in_words(rule, config.timing.pre_window_days)
    if rule.year_round_from_age is not None:
        text += f"; all year from the age of {rule.year_round_from_age}"
    return text


def one_rule_in_words(rule: StateRule) -> str:
    """Return what one rule excludes while it is law, without the days ahead of its windows."""
    if rule.kind == "year_round":
        return "all year"
    if rule.kind == "calendar_window":
        return f"{_month_day(rule.begins)} to {_month_day(rule.ends)}"
    anchor = "first of the birth month" if rule.use_month_start else ANCHORS[rule.kind]
    text = f"{anchor} to {rule.after} days after it"
    if rule.before:
        text = f"{rule.before} days before the {anchor} to {rule.after} after it"
    if rule.year_round_from_age is not None:
        text += f"; all year from the age of {rule.year_round_from_age}"
    return text


def _month_day(text: str | None) -> str:
    """Return a day of the year such as 15 October."""
    assert text is not None
    day = dt.date(2000, int(text[:2]), int(text[3:]))
    return f"{day.day} {day:%B}"
