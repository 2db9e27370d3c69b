"""Why a message has the day that the database gives it (semantics: Target to Daily cap).

The run that wrote the row chose the day with the occupancy of all contacts' messages. The target
follows from the contact alone, and comparing it with the day shows what the run did.
"""

from __future__ import annotations

import numpy as np

from almanac import civil
from almanac.balancing.hashing import message_hashes
from almanac.explain.case import Case
from almanac.explain.frequency import waits
from almanac.explain.model import Decision, Input, PlannedRow
from almanac.names import date_of_run
from almanac.plurals import plural
from almanac.schedule_status import SkipCode

LOADS_SHOWN = 10  # most days of a span for which the messages are counted


def why_that_day(case: Case, row: int, found: PlannedRow) -> Decision:
    """Return why a PRE_SCHEDULED row of the database has its day."""
    drafts = case.plan.drafts
    if found.scheduled_send_date is None:
        why = "Its day in the database cannot be read."
        return Decision(step="Target", section="Target", why=why)
    day, ideal = civil.day_of(found.scheduled_send_date), int(drafts.ideal[row])
    kept = _kept(case, found)
    inputs = _dates(case, row, found)
    x = int(case.plan.sifted.x[row])
    if day == ideal:
        why = f"On its ideal date{kept}."
        return Decision(step="Target", section="Target", why=why, inputs=inputs)
    if day == x:
        why = f"On the first day that the frequency limit allows{kept}."
        inputs["first day by the limit"] = found.scheduled_send_date
        return Decision(step="Target", section="Target", why=why, inputs=inputs)
    for t0 in _first_days(case, found):
        target = _target(case, row, t0)
        if day == target and target != ideal:
            return _caught_up(case, row, t0, kept, inputs)
    if _is_smoothed(case, row, day):
        return _smoothed(case, row, day, kept, inputs)
    aimed = max((t for t in _targets(case, row, found) if t < day), default=None)
    if aimed is not None:
        return _waited(case, row, aimed, day, kept, inputs)
    why = f"It keeps its day, {plural(abs(day - ideal), 'day')} from its ideal date."
    return Decision(step="Kept", section="Target", why=why, inputs=inputs)


def why_no_day(case: Case, row: int, code: SkipCode) -> Decision:
    """Return why the last run found no day for a candidate."""
    sifted = case.plan.sifted
    last = int(sifted.hi[row])
    first = min(_target(case, row, case.limits.t0), last)
    days = f"{civil.text_of(first)} to {civil.text_of(last)}"
    if code is SkipCode.NO_SENDING_DAY:
        return Decision(
            step="Closed days",
            section="Closed days",
            why=f"Every day on which it may be sent, {days}, is closed.",
            inputs={"closed": _closed_between(case, first, last)},
        )
    ceiling = plural(case.limits.ceiling, "message")
    if code is SkipCode.DAILY_CAP:
        why = (
            f"It was not admitted: messages that go first, by priority and then by deadline, took "
            f"the room of the days {days}, up to the ceiling of {ceiling}."
        )
    elif code is not SkipCode.CAMPAIGN_CONFLICT:
        raise ValueError(f"{code}: no day is missing for it")
    else:
        why = (
            f"On every day from {days} with room, the contact has another campaign message, and "
            "two never share a day."
        )
    return Decision(
        step="Daily cap",
        section="Daily cap",
        why=why,
        inputs=caps_of(case) | {"load now": loads_between(case, first, last)},
    )


def caps_of(case: Case) -> dict[str, Input]:
    """Return the limits of a day."""
    return {"daily cap": case.limits.cap, "ceiling": case.limits.ceiling}


def closed_on(case: Case, day: int) -> Decision | None:
    """Return that nothing is sent on the day, if it is closed."""
    if day not in case.limits.closed:
        return None
    date = civil.date_of(day)
    setting = case.context.config.load_balancing.closed.why(date)
    return Decision(
        step="Closed days",
        section="Closed days",
        why=f"Nothing is sent on that day: it is closed ({setting}).",
        inputs={"closed by": setting},
    )


def _closed_between(case: Case, first: int, last: int) -> str:
    """Return the first few closed days of a span, empty if there are none."""
    days = [civil.text_of(day) for day in range(first, last + 1) if day in case.limits.closed]
    return ", ".join(days[:LOADS_SHOWN]) + (", ..." if len(days) > LOADS_SHOWN else "")


def loads_between(case: Case, first: int, last: int) -> Input:
    """Return how many messages the days of a span have now; None if that is not known.

    Of a long span, or in a store, only the first and the last day.
    """
    days = list(range(first, last + 1))
    if not case.occupancy.near or len(days) > LOADS_SHOWN:
        days = sorted({first, last})
    loads = {civil.date_of(day): case.occupancy.on(civil.text_of(day)) for day in days}
    known = {day: load for day, load in loads.items() if load is not None}
    return known or None


def _dates(case: Case, row: int, found: PlannedRow) -> dict[str, Input]:
    inputs: dict[str, Input] = {
        "ideal date": civil.date_of(case.plan.drafts.ideal[row]),
        "day": found.scheduled_send_date,
    }
    if found.scheduler_run_id:
        inputs["run"] = found.scheduler_run_id
    return inputs


def _kept(case: Case, found: PlannedRow) -> str:
    date = date_of_run(found.scheduler_run_id)
    if date is None or date >= case.context.as_of:
        return ""
    return f", and kept since the run of {date}"


def _first_days(case: Case, found: PlannedRow) -> list[int]:
    """Return the possible T0 of the run that wrote the row."""
    date = date_of_run(found.scheduler_run_id)
    if date is None or date == case.context.as_of:
        return [case.limits.t0]
    return [civil.day_of(date), civil.day_of(date) + 1]


def _hash(case: Case, row: int) -> int:
    drafts = case.plan.drafts
    ids = case.plan.batch.contacts.id[drafts.contact[row : row + 1]]
    kind, event = drafts.kind[row : row + 1], drafts.event[row : row + 1]
    return int(message_hashes(ids, np.ascontiguousarray(kind), event, case.kind_table.kinds)[0])


def _spread(case: Case, row: int, t0: int) -> int:
    """Return the number of days over which late messages are spread."""
    return max(1, min(case.limits.catch_up_days, int(case.plan.sifted.hi[row]) - t0 + 1))


def _target(case: Case, row: int, t0: int) -> int:
    """Return the target of a new candidate in a run with that T0, before smoothing."""
    x = int(case.plan.sifted.x[row])
    if x >= t0:
        return x
    if case.kind(row).is_followup:
        return t0
    return t0 + _hash(case, row) % _spread(case, row, t0)


def _caught_up(case: Case, row: int, t0: int, kept: str, inputs: dict[str, Input]) -> Decision:
    ideal, first = civil.text_of(case.plan.drafts.ideal[row]), civil.date_of(t0)
    if case.kind(row).is_followup:
        why = f"Its ideal date {ideal} was past, so it is sent on the first send date"
    else:
        days = plural(case.limits.catch_up_days, "day")
        why = (
            f"Its ideal date {ideal} was past on {first}; late messages are spread over the next "
            f"{days}, or up to the last allowed day"
        )
        inputs = inputs | {
            "catch_up_spread_days": case.limits.catch_up_days,
            "hi": civil.date_of(case.plan.sifted.hi[row]),
            f"h mod {_spread(case, row, t0)}": _hash(case, row) % _spread(case, row, t0),
        }
    return Decision(
        step="Catch-up", section="Target", why=f"{why}{kept}.", inputs=inputs | {"T0": first}
    )


def _shift(case: Case, row: int) -> int:
    window = case.limits.smoothing_window
    return _hash(case, row) % window - window // 2


def _is_smoothed(case: Case, row: int, day: int) -> bool:
    if not case.kind(row).is_effective_date or waits(case, row):
        return False
    return day == int(case.plan.drafts.ideal[row]) + _shift(case, row)


def _smoothed(case: Case, row: int, day: int, kept: str, inputs: dict[str, Input]) -> Decision:
    ideal, window = int(case.plan.drafts.ideal[row]), case.limits.smoothing_window
    direction = "later" if day > ideal else "earlier"
    half = window // 2
    around = (civil.text_of(each) for each in (ideal, ideal - half, ideal + half))
    return Decision(
        step="Smoothing",
        section="Smoothing",
        why=f"Moved {plural(abs(day - ideal), 'day')} {direction}: more than "
        f"{case.limits.effective_date_limit} effective-date messages had the ideal date "
        f"{civil.text_of(ideal)}{kept}.",
        inputs=inputs
        | {
            "limit": case.limits.effective_date_limit,
            "with that ideal date now": case.occupancy.effective_dates(*around),
            "ed_smoothing_window_days": window,
            "moved by": day - ideal,
        },
    )


def _targets(case: Case, row: int, found: PlannedRow) -> list[int]:
    """Return the possible targets of the message."""
    targets = [_target(case, row, t0) for t0 in _first_days(case, found)]
    if case.kind(row).is_effective_date:
        targets.append(int(case.plan.drafts.ideal[row]) + _shift(case, row))
    return targets


def _waited(
    case: Case, row: int, aimed: int, day: int, kept: str, inputs: dict[str, Input]
) -> Decision:
    start, end = civil.text_of(aimed), civil.text_of(day)
    closed = _closed_between(case, aimed, day - 1)
    inputs = inputs | {"aimed at": civil.date_of(aimed)}
    if closed:
        inputs["closed"] = closed
    if case.limits.closed.issuperset(range(aimed, day)):
        until = "is closed" if day == aimed + 1 else f"to {civil.text_of(day - 1)} are closed"
        why = f"{start} {until}, and {end} is the next day on which messages are sent{kept}."
        return Decision(step="Closed days", section="Closed days", why=why, inputs=inputs)
    why = (
        f"It waited for room from {start} to {end}: on the days before that, messages that must be "
        f"sent earlier or go first took the room up to the cap of "
        f"{plural(case.limits.cap, 'message')}"
    )
    if case.kind(row).is_campaign:
        why += " or had another campaign message of the contact"
    if closed:
        why += ", or the days are closed"
    load = case.occupancy.on(end)
    if load is not None:
        why += f" ({plural(load, 'message')} on {end} now)"
        if load > case.limits.cap:
            why += ". Its day is above the cap, since otherwise some message would find no day"
    inputs |= caps_of(case)
    inputs["load now"] = loads_between(case, aimed, day)
    return Decision(step="Daily cap", section="Daily cap", why=f"{why}{kept}.", inputs=inputs)
