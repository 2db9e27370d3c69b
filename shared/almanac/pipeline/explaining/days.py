"""In words: why a message has the day that the file gives it (semantics: Target to Daily cap).

The day was chosen by the run that wrote the row, with the load of all contacts. From the contact's
side one can work out what it aimed at; where it then ended up tells what happened.
"""

from __future__ import annotations

import numpy as np

from almanac import civil
from almanac.balancing.hashing import message_hashes
from almanac.pipeline.briefing import date_of_run
from almanac.pipeline.explaining.case import Case, plural
from almanac.pipeline.explaining.skips import Decision
from almanac.planning.kinds import DAILY_CAP
from almanac.report.explanation import PlannedRow


def why_that_day(case: Case, row: int, found: PlannedRow) -> Decision:
    """Why a pre-scheduled row of the file has its day."""
    drafts = case.plan.drafts
    if found.scheduled_send_date is None:
        return Decision("Target", "Target", "Its day in the file cannot be read.")
    day, ideal = civil.day_of(found.scheduled_send_date), int(drafts.ideal[row])
    kept = _kept(case, found)
    if day == ideal:
        return Decision("Target", "Target", f"On its ideal date{kept}.")
    for t0 in _first_days(case, found):
        target = _target(case, row, t0)
        if day == target and target != ideal:
            return Decision("Catch-up", "Target", _caught_up(case, row, t0) + kept + ".")
    if _is_smoothed(case, row, day):
        return Decision("Smoothing", "Smoothing", _smoothed(case, row, day) + kept + ".")
    aimed = max((t for t in _targets(case, row, found) if t < day), default=None)
    if aimed is not None:
        return Decision("Daily cap", "Daily cap", _waited(case, row, aimed, day) + kept + ".")
    why = f"It keeps the day that it has, {plural(abs(day - ideal), 'day')} from its ideal date."
    return Decision("Kept", "Target", why)


def why_no_day(case: Case, row: int, reason: str) -> Decision:
    """Why the last run found no day for a candidate."""
    sifted = case.plan.sifted
    days = f"{civil.text_of(sifted.floor[row])} to {civil.text_of(sifted.hi[row])}"
    ceiling = plural(case.limits.ceiling, "message")
    if reason == DAILY_CAP:
        why = f"Every day it may be sent on, of {days}, had reached the ceiling of {ceiling}."
    else:
        why = (
            f"On every day of {days} with room left, another campaign message of the contact "
            "stands, and two never share a day."
        )
    return Decision("Daily cap", "Daily cap", why)


def _kept(case: Case, found: PlannedRow) -> str:
    date = date_of_run(found.scheduler_run_id)
    if date is None or date >= case.brief.as_of:
        return ""
    return f", and kept since the run of {date}"


def _first_days(case: Case, found: PlannedRow) -> list[int]:
    """What T0 can have been in the run that wrote the row."""
    date = date_of_run(found.scheduler_run_id)
    if date is None or date == case.brief.as_of:
        return [case.limits.t0]
    return [civil.day_of(date), civil.day_of(date) + 1]


def _hash(case: Case, row: int) -> int:
    drafts = case.plan.drafts
    ids = case.plan.batch.contacts.id[drafts.contact[row : row + 1]]
    kind, event = drafts.kind[row : row + 1], drafts.event[row : row + 1]
    return int(message_hashes(ids, np.ascontiguousarray(kind), event, case.words.kinds)[0])


def _target(case: Case, row: int, t0: int) -> int:
    """The day that a new candidate aims at in a run with that first day, before smoothing."""
    drafts, sifted = case.plan.drafts, case.plan.sifted
    ideal, hi = int(drafts.ideal[row]), int(sifted.hi[row])
    if ideal >= t0:
        return ideal
    if case.words.is_followup[drafts.kind[row]]:
        return t0
    return t0 + _hash(case, row) % max(1, min(case.limits.catch_up_days, hi - t0 + 1))


def _caught_up(case: Case, row: int, t0: int) -> str:
    ideal = civil.text_of(case.plan.drafts.ideal[row])
    if case.words.is_followup[case.plan.drafts.kind[row]]:
        return f"Its ideal date {ideal} was past, so it goes on the first day that can be sent"
    days = plural(case.limits.catch_up_days, "day")
    return (
        f"Its ideal date {ideal} was past on {civil.text_of(t0)}; what is late is spread over "
        f"the next {days}, or up to the last day allowed"
    )


def _shift(case: Case, row: int) -> int:
    window = case.limits.smoothing_window
    return _hash(case, row) % window - window // 2


def _is_smoothed(case: Case, row: int, day: int) -> bool:
    drafts = case.plan.drafts
    if not case.words.is_effective_date[drafts.kind[row]]:
        return False
    return day == int(drafts.ideal[row]) + _shift(case, row)


def _smoothed(case: Case, row: int, day: int) -> str:
    ideal = int(case.plan.drafts.ideal[row])
    direction = "later" if day > ideal else "earlier"
    return (
        f"Moved {plural(abs(day - ideal), 'day')} {direction}: more than "
        f"{case.limits.effective_date_limit} effective-date messages had the ideal date "
        f"{civil.text_of(ideal)}"
    )


def _targets(case: Case, row: int, found: PlannedRow) -> list[int]:
    """The days that it can have aimed at."""
    targets = [_target(case, row, t0) for t0 in _first_days(case, found)]
    if case.words.is_effective_date[case.plan.drafts.kind[row]]:
        targets.append(int(case.plan.drafts.ideal[row]) + _shift(case, row))
    return targets


def _waited(case: Case, row: int, aimed: int, day: int) -> str:
    start, end = civil.text_of(aimed), civil.text_of(day)
    text = (
        f"It waited for room from {start} to {end}: the days before had reached the cap of "
        f"{plural(case.limits.cap, 'message')}"
    )
    if case.words.is_campaign[case.plan.drafts.kind[row]]:
        text += " or held another campaign message of the contact"
    if end in case.standing:
        text += f" ({plural(case.standing[end], 'message')} on {end} now)"
    return text
