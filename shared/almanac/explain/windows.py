"""The days that a state's rule excludes for the contact, and why (semantics: Windows)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import assert_never

import numpy as np

from almanac import civil
from almanac.config_rules import StateRule
from almanac.explain.case import Case, Span
from almanac.explain.model import Decision, ExcludedSpan, Input, WindowSpan
from almanac.frames import NO_DAY
from almanac.planning.brief import RunContext
from almanac.planning.rule_text import ANCHORS, ahead_of
from almanac.rules.rule_table import cause_of
from almanac.rules.windows import (
    AGE,
    YEAR_ROUND,
    DaySpan,
    RuleSlot,
    causes,
    exclusion_reason,
)


def window_spans(case: Case) -> list[WindowSpan]:
    """Return the windows of the year of as_of and of the next, and an earlier one not yet over."""
    as_of = case.context.as_of
    years = range(as_of.year - 1, as_of.year + 2)
    first, last = as_of - dt.timedelta(days=3 * 366), as_of + dt.timedelta(days=3 * 366)
    return [
        WindowSpan(
            year=window.base.year,
            start=window.start,
            end=window.end,
            kind=f"{ANCHORS[window.rule.kind]} window of {case.state}",
            rule=window.rule.id,
            source=window.rule.source.in_words() if window.rule.source else None,
        )
        for window in case.rule_windows(civil.day_of(first), civil.day_of(last))
        if window.base.year in years and (window.base.year >= as_of.year or window.end >= as_of)
    ]


def excluded_spans(case: Case, first: dt.date, last: dt.date) -> list[ExcludedSpan]:
    """Return the excluded days of [first, last] as spans, in order."""
    if not case.eligible:
        return []
    days = np.arange(civil.day_of(first), civil.day_of(last) + 1, dtype=np.int32)
    found = causes(case.exclusions.take(np.zeros(len(days), np.intp)), days)
    bounds = np.flatnonzero(np.diff(found)) + 1
    return [
        ExcludedSpan(
            start=civil.date_of(days[start]),
            end=civil.date_of(days[stop - 1]),
            reason=exclusion_reason(int(found[start]), case.state or "").text,
        )
        for start, stop in zip([0, *bounds], [*bounds, len(days)], strict=True)
        if found[start]
    ]


def excluded_day(case: Case, day: int) -> str:
    """Return why an excluded day is excluded, with the days of the window."""
    text, cause, window = civil.text_of(day), case.cause(day), case.window(day)
    if cause == YEAR_ROUND:
        return all_year(case.state, text)
    if cause == AGE:
        since = civil.text_of(_aged(case, day)[0])
        return f"{text} is excluded: from {since} on, {case.state} excludes the contact by age"
    if window is None:
        return f"{text} is excluded"
    return _lies_in(case.state, text, window)


def all_year(state: str | None, day: str) -> str:
    """Return that a state is excluded all year, without a full stop."""
    return f"{state} is excluded all year, including {day}"


def in_window(
    context: RunContext, state: str | None, what: str, day: str, window: Span, *, made_up: bool
) -> str:
    """Return that a candidate is skipped since its day lies in a window, as a sentence.

    made_up: the plan has the message after the window.
    """
    lies = f"Its {what} {_lies_in(state, day, window)}. No other day is tried"
    end = window[1]
    if made_up:
        return f"{lies}: the post_window message after {end} makes up for it."
    if end >= context.horizon and context.config.organization.enable_post_window_emails:
        return f"{lies}: the message that makes up for it is due after {end}, beyond the horizon."
    return f"{lies}."


def _lies_in(state: str | None, day: str, window: Span) -> str:
    return f"{day} lies in the window {window[0]} to {window[1]} of {state}"


def excluded_inputs(case: Case, day: int) -> dict[str, Input]:
    """Return what the exclusion of the day is based on: the rule, its dates and its source."""
    cause = case.cause(day)
    inputs: dict[str, Input] = {"state": case.state}
    if not cause:
        return inputs
    if cause == YEAR_ROUND:
        slot = next(n for n, each in enumerate(_slots(case)) if _holds(each.closed, day))
        return inputs | {"rule": "year_round"} | _of_rule(case.rules[slot])
    if cause == AGE:
        since, slot = _aged(case, day)
        rule = case.rules[slot]
        return (
            inputs
            | {
                "rule": "year_round_from_age",
                "birth date": _date(int(case.plan.batch.contacts.birth[0])),
                "year_round_from_age": rule.year_round_from_age,
                "excluded from": civil.date_of(since),
            }
            | _of_rule(rule)
        )
    return inputs | _of_window(case, day, cause)


def _of_window(case: Case, day: int, cause: int) -> dict[str, Input]:
    """Return the rule in whose window the day lies, and the window: of the kind that is named."""
    window = next(w for w in case.rule_windows(day, day) if cause_of(w.rule.kind) == cause)
    rule, merged, contacts = window.rule, case.window(day), case.plan.batch.contacts
    inputs: dict[str, Input] = {"rule": rule.kind}
    match rule.kind:
        case "birthday_window":
            inputs["anchor"] = _date(int(contacts.birth[0]))
        case "effective_date_window":
            inputs["anchor"] = _date(int(contacts.effective[0]))
        case "calendar_window":
            inputs |= {"from": rule.begins, "to": rule.ends}
        case "year_round":
            raise AssertionError("a year_round rule has no window")
        case _:
            assert_never(rule.kind)
    if rule.kind != "calendar_window":
        inputs["anniversary"] = window.base
        if rule.use_month_start:
            inputs["use_month_start"] = True
        inputs |= {"before": rule.before, "after": rule.after}
    inputs["pre_window_days"] = ahead_of(rule, case.context.config)
    inputs |= {"window start": window.start, "window end": window.end}
    if merged is not None and merged != (window.start, window.end):
        inputs |= {"joined with others from": merged[0], "to the end of": merged[1]}
    return inputs | _of_rule(rule)


def _of_rule(rule: StateRule) -> dict[str, Input]:
    """Return which rule it is, when and for whom it holds, and where it is written."""
    facts: dict[str, Input] = {
        "rule id": rule.id,
        "valid_from": rule.valid_from,
        "valid_to": rule.valid_to,
        "age.min": rule.age.min if rule.age else None,
        "age.max": rule.age.max if rule.age else None,
        "source": rule.source.in_words() if rule.source else None,
    }
    return {name: value for name, value in facts.items() if value is not None}


def _slots(case: Case) -> Sequence[RuleSlot]:
    return case.exclusions.slots[: len(case.rules)]


def _holds(span: DaySpan | None, day: int) -> bool:
    return span is not None and int(span.first[0]) <= day <= int(span.last[0])


def _aged(case: Case, day: int) -> tuple[int, int]:
    """Return since when the day is excluded by age, and by which of the state's rules."""
    return next(
        (int(slot.aged.first[0]), number)
        for number, slot in enumerate(_slots(case))
        if slot.aged is not None and _holds(slot.aged, day)
    )


def exclusion(case: Case, row: int) -> Decision:
    """Return why a candidate is skipped whose ideal date, or else its start, is excluded."""
    drafts, sifted = case.plan.drafts, case.plan.sifted
    what, day = "ideal date", int(drafts.ideal[row])
    if not case.cause(day):
        what, day = "first possible day", int(sifted.start[row])
    cause, window = case.cause(day), case.window(day)
    if cause not in (YEAR_ROUND, AGE) and window is not None:
        made_up = _is_made_up(case, window[1])
        why = in_window(case.context, case.state, what, civil.text_of(day), window, made_up=made_up)
    else:
        why = f"{'' if cause == YEAR_ROUND else f'Its {what} '}{excluded_day(case, day)}."
    return Decision(
        step="Exclusion",
        section="Windows",
        why=why,
        inputs={**excluded_inputs(case, day), what: civil.date_of(day)},
    )


def _is_made_up(case: Case, end: dt.date) -> bool:
    """Return whether the plan has the message after the window that ends on the day."""
    drafts, code = case.plan.drafts, case.kind_table.kind("post_window")
    return bool(((drafts.kind == code) & (drafts.event == civil.day_of(end))).any())


def _date(day: int) -> dt.date | None:
    return None if day == NO_DAY else civil.date_of(day)
