"""The days that a state's rule excludes for the contact, and why (semantics: Windows)."""

from __future__ import annotations

import datetime as dt

import numpy as np

from almanac import civil
from almanac.config_rules import StateRule
from almanac.explain.case import Case
from almanac.explain.model import Decision, ExcludedSpan, Input, WindowSpan
from almanac.frames import NO_DAY
from almanac.planning.rule_text import ANCHORS
from almanac.rules.windows import AGE, YEAR_ROUND, causes, exclusion_reason


def window_spans(case: Case) -> list[WindowSpan]:
    """Return the windows of the year of as_of and of the next, and an earlier one not yet over."""
    year = case.context.as_of.year
    rule = _rule(case)
    if rule is None or rule.kind == "year_round":
        return []
    spans = []
    for each in (year - 1, year, year + 1):
        window = case.window_of(each)
        if window and (each >= year or window[1] >= case.context.as_of):
            kind = f"{ANCHORS[rule.kind]} window of {case.state}"
            spans.append(WindowSpan(year=each, start=window[0], end=window[1], kind=kind))
    return spans


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
        return f"{case.state} is excluded all year, including {text}"
    if cause == AGE:
        since = civil.text_of(case.exclusions.age_from[0])
        return f"{text} is excluded: from {since} on, {case.state} excludes the contact by age"
    if window is None:
        return f"{text} is excluded"
    return f"{text} lies in the window {window[0]} to {window[1]} of {case.state}"


def excluded_inputs(case: Case, day: int) -> dict[str, Input]:
    """Return what the exclusion of the day is based on."""
    cause, window, rule = case.cause(day), case.window(day), _rule(case)
    inputs: dict[str, Input] = {"state": case.state}
    if rule is None:
        return inputs
    contacts = case.plan.batch.contacts
    if cause in (YEAR_ROUND, AGE) or window is None:
        inputs["rule"] = "year_round" if cause == YEAR_ROUND else "year_round_from_age"
        if cause == AGE:
            inputs |= {
                "birth date": _date(int(contacts.birth[0])),
                "year_round_from_age": rule.year_round_from_age,
                "excluded from": civil.date_of(case.exclusions.age_from[0]),
            }
        return inputs
    anchor = contacts.birth if rule.kind == "birthday_window" else contacts.effective
    inputs |= {
        "rule": rule.kind,
        "anchor": _date(int(anchor[0])),
        "anniversary": window[1] - dt.timedelta(days=rule.after),
    }
    if rule.use_month_start:
        inputs["use_month_start"] = True
    return inputs | {
        "before": rule.before,
        "after": rule.after,
        "pre_window_days": case.context.config.timing.pre_window_days,
        "window start": window[0],
        "window end": window[1],
    }


def exclusion(case: Case, row: int) -> Decision:
    """Return why a candidate is skipped whose ideal date, or else its start, is excluded."""
    drafts, sifted = case.plan.drafts, case.plan.sifted
    what, day = "ideal date", int(drafts.ideal[row])
    if not case.cause(day):
        what, day = "first possible day", int(sifted.start[row])
    cause, window = case.cause(day), case.window(day)
    why = excluded_day(case, day)
    if cause not in (YEAR_ROUND, AGE):
        why = f"Its {what} {why}"
        if window is not None:
            why += f". No other day is tried{_makes_up(case, window[1])}"
    elif cause == AGE:
        why = f"Its {what} {why}"
    return Decision(
        step="Exclusion",
        section="Windows",
        why=f"{why}.",
        inputs={**excluded_inputs(case, day), what: civil.date_of(day)},
    )


def _makes_up(case: Case, end: dt.date) -> str:
    """Return the part of a sentence on the post-window message, if there is one."""
    drafts, code = case.plan.drafts, case.kind_table.kind("post_window")
    if ((drafts.kind == code) & (drafts.event == civil.day_of(end))).any():
        return f": the post_window message after {end} makes up for it"
    if end >= case.context.horizon and case.context.config.organization.enable_post_window_emails:
        return f": the message that makes up for it is due after {end}, beyond the horizon"
    return ""


def _rule(case: Case) -> StateRule | None:
    if not case.eligible or case.state is None:
        return None
    rules = case.context.config.rules.get(case.state)
    return rules[0] if rules else None


def _date(day: int) -> dt.date | None:
    return None if day == NO_DAY else civil.date_of(day)
