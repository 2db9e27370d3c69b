"""In words: why the rules skip a candidate before any day is chosen (semantics: Campaigns to
Sifting)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from almanac import civil
from almanac.pipeline.explaining.case import Case, plural
from almanac.planning.kinds import (
    CAMPAIGN_CONFLICT,
    FREQUENCY,
    OUTSIDE_DATES,
    OUTSIDE_TARGETING,
    UNDERWRITING_CAMPAIGN,
    UNDERWRITING_GLOBAL,
)
from almanac.rules.windows import AGE, YEAR_ROUND, causes

SHOWN = 6  # messages of a crowded span that are named


@dataclass(frozen=True)
class Decision:
    """The step that decided on a candidate, the section of docs/semantics.md, and why."""

    step: str
    section: str
    why: str


def why_skipped(case: Case, row: int) -> Decision:
    """Why the candidate, which has a reason, is skipped."""
    reason = case.reason(row)
    explain = _WORDS.get(reason)
    if explain is not None:
        return explain(case, row)
    if reason.startswith("Suppressed: "):
        why = f"The contact is suppressed ({reason.removeprefix('Suppressed: ')}): nothing is sent."
        return Decision("Suppression", "Contacts", why)
    return _excluded(case, row)


def _excluded(case: Case, row: int) -> Decision:
    drafts, sifted = case.plan.drafts, case.plan.sifted
    what, day = "ideal date", int(drafts.ideal[row])
    cause = _cause(case, day)
    if not cause:
        what, day = "first possible day", int(sifted.start[row])
        cause = _cause(case, day)
    text = civil.text_of(day)
    window = case.window(day)
    if cause == YEAR_ROUND:
        why = f"{case.state} is excluded all year, {text} like any other day."
    elif cause == AGE:
        since = civil.text_of(case.exclusions.age_from[0])
        why = f"From {since} on {case.state} excludes the contact by age; its {what} is {text}."
    elif window is not None:
        why = f"Its {what} {text} lies in the window {window[0]} to {window[1]} of {case.state}."
    else:
        why = f"Its {what} {text} is excluded."
    if window is not None and cause not in (YEAR_ROUND, AGE):
        why += f" No other day is tried{_makes_up(case, window[1])}."
    return Decision("Exclusion", "Windows", why)


def _makes_up(case: Case, end: dt.date) -> str:
    """The make-up message of a window, if there is one."""
    drafts, code = case.plan.drafts, case.words.kind("post_window")
    if ((drafts.kind == code) & (drafts.event == civil.day_of(end))).any():
        return f": the post_window message after {end} makes up for it"
    if end >= case.brief.horizon and case.brief.config.organization.enable_post_window_emails:
        return f": what makes up for it comes after {end}, later than is planned for now"
    return ""


def _cause(case: Case, day: int) -> int:
    return int(causes(case.exclusions, np.array([day], np.int32))[0])


def _targeting(case: Case, row: int) -> Decision:
    instance = case.instances[case.kind(row).instance]
    wishes = []
    if instance.target_states is not None and case.state not in instance.target_states:
        wishes.append(
            f"is for {', '.join(instance.target_states)}, the contact is in "
            f"{case.state or 'no known state'}"
        )
    carrier = case.plan.batch.carriers[int(case.plan.batch.contacts.carrier[0])]
    if instance.target_carriers is not None and carrier not in instance.target_carriers:
        wishes.append(
            f"is for {', '.join(instance.target_carriers)}, the contact's carrier is "
            f"{carrier or 'not known'}"
        )
    return Decision("Targeting", "Campaigns", f"The campaign {' and '.join(wishes)}.")


def _dates(case: Case, row: int) -> Decision:
    drafts = case.plan.drafts
    instance = case.instances[case.kind(row).instance]
    why = (
        f"It would be due on {civil.text_of(drafts.ideal[row])}, and may be sent until "
        f"{civil.text_of(drafts.deadline[row])} only"
    )
    if instance.active_end is not None:
        why += f": the campaign ends on {instance.active_end}"
    return Decision("Campaign dates", "Campaigns", why + ".")


def _underwriting_global(case: Case, row: int) -> Decision:
    why = (
        "The contact has failed underwriting, and the configuration excludes such contacts "
        "(organization.exclude_failed_underwriting_global)."
    )
    section = "Campaigns" if case.kind(row).instance else "Candidates"
    return Decision("Failed underwriting", section, why)


def _underwriting_campaign(case: Case, row: int) -> Decision:
    why = "The contact has failed underwriting, and the campaign excludes such contacts."
    return Decision("Failed underwriting", "Campaigns", why)


def _conflict(case: Case, row: int) -> Decision:
    drafts, sifted = case.plan.drafts, case.plan.sifted
    same = (drafts.ideal == drafts.ideal[row]) & case.words.is_campaign[drafts.kind]
    rows = [int(r) for r in np.flatnonzero(same & (np.arange(len(drafts)) != row))]
    conflict = case.words.reason(CAMPAIGN_CONFLICT)
    best = [r for r in rows if int(sifted.reason[r]) != conflict]
    best.sort(key=lambda r: (case.kind(r).priority, case.kind(r).instance, int(drafts.event[r])))
    winner = f"{case.name(best[0])} goes first" if best else "another campaign goes first"
    why = (
        f"Of the contact's campaign messages with the ideal date "
        f"{civil.text_of(drafts.ideal[row])} only one is sent, and {winner}."
    )
    return Decision("Campaign conflicts", "Sifting", why)


def _frequency(case: Case, row: int) -> Decision:
    drafts, sifted = case.plan.drafts, case.plan.sifted
    limit = case.brief.config.frequency
    most = f"{plural(limit.max_emails, 'message')} in {plural(limit.period_days, 'day')}"
    if sifted.hi[row] < sifted.start[row]:
        why = (
            f"It could go from {civil.text_of(sifted.start[row])} on, but to leave room for the "
            f"contact's later messages it would have to go by {civil.text_of(sifted.hi[row])}: "
            f"at most {most}."
        )
        return Decision("Range", "Sifting", why)
    others = ", ".join(_neighbours(case, row))
    why = f"At most {most}: on {civil.text_of(drafts.ideal[row])} it would be one too many"
    return Decision("Frequency", "Sifting", f"{why}, beside {others}.")


def _neighbours(case: Case, row: int) -> list[str]:
    """The messages that stand near the candidate's ideal date, in order of their days."""
    drafts, sifted, history = case.plan.drafts, case.plan.sifted, case.plan.history.rows
    near = case.brief.config.frequency.period_days
    ideal = int(drafts.ideal[row])
    types = {r["id"]: f"{r['email_type']} ({r['status']})" for r in case.data.committed.to_pylist()}
    found = [
        (int(history.day[r]), types[int(history.row_id[r])])
        for r in np.flatnonzero(history.counted)
        if abs(int(history.day[r]) - ideal) < near
    ]
    # what a later step has skipped stood here all the same
    stood = (sifted.reason == 0) | (sifted.hi < sifted.start)
    stood &= ~case.words.is_followup[drafts.kind]
    found += [
        (int(drafts.ideal[r]), case.name(int(r)))
        for r in np.flatnonzero(stood)
        if abs(int(drafts.ideal[r]) - ideal) < near
    ]
    names = [f"{name} on {civil.text_of(day)}" for day, name in sorted(found)]
    return names[:SHOWN] + ([f"{len(names) - SHOWN} more"] if len(names) > SHOWN else [])


_WORDS: dict[str, Callable[[Case, int], Decision]] = {
    OUTSIDE_TARGETING: _targeting,
    OUTSIDE_DATES: _dates,
    UNDERWRITING_GLOBAL: _underwriting_global,
    UNDERWRITING_CAMPAIGN: _underwriting_campaign,
    CAMPAIGN_CONFLICT: _conflict,
    FREQUENCY: _frequency,
}
