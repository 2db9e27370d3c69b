"""How the messages of a contact limit each other (semantics: Sifting, steps 3 to 6)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from almanac import civil
from almanac.explain.case import Case
from almanac.explain.model import Decision, Input, MessageOnDay
from almanac.explain.windows import excluded_day
from almanac.plurals import plural
from almanac.schedule_status import SkipCode

SHOWN = 6  # messages of a full span that a sentence names


@dataclass(frozen=True)
class Counted:
    """A message that the frequency limit counts."""

    day: int
    low: int  # the first day that it may be moved to
    row: int  # of the candidate, -1 for a committed row
    message: MessageOnDay


@lru_cache(maxsize=1)  # every message of the contact asks for them
def counted_messages(case: Case) -> list[Counted]:
    """Return the counted messages of the contact, in the order of step 6.

    Without committed rows that are too old to limit any candidate.
    """
    drafts, sifted, history = case.plan.drafts, case.plan.sifted, case.plan.history.rows
    texts = {row["id"]: (row["email_type"], row["status"]) for row in case.committed}
    found: list[tuple[Counted, tuple[int, ...]]] = []
    first = int(drafts.ideal.min()) if len(drafts) else 0
    first -= case.context.config.frequency.period_days
    for at in np.flatnonzero(history.counted & (history.day >= first)):
        email_type, status = texts[int(history.row_id[at])]
        day = int(history.day[at])
        message = MessageOnDay(message=email_type, day=civil.date_of(day), status=status)
        found.append((Counted(day, day, -1, message), (0,)))
    for row in range(len(drafts)):
        # a candidate whose range is empty was counted before it was skipped
        counts = not case.reason(row) or sifted.hi[row] < sifted.start[row]
        if counts and not case.kind(row).is_followup:
            day = int(sifted.x[row])
            message = MessageOnDay(message=case.name(row), day=civil.date_of(day), status="planned")
            counted = Counted(day, int(sifted.lo[row]), row, message)
            found.append((counted, (1, *_order(case, row))))
    found.sort(key=lambda pair: (pair[0].day, pair[1]))
    return [counted for counted, _ in found]


def _order(case: Case, row: int) -> tuple[int, ...]:
    """Return the sort key of step 5, by which candidates are admitted."""
    drafts = case.plan.drafts
    columns = (drafts.ideal, drafts.kind, drafts.event)
    return (case.kind(row).priority, *(int(column[row]) for column in columns))


def limits_of(case: Case) -> dict[str, Input]:
    """Return the settings of the frequency limit."""
    frequency = case.context.config.frequency
    return {"max_emails": frequency.max_emails, "period_days": frequency.period_days}


def _most(case: Case) -> str:
    limit = case.context.config.frequency
    return f"{plural(limit.max_emails, 'message')} in {plural(limit.period_days, 'day')}"


def too_frequent(case: Case, row: int) -> Decision:
    """Return why the frequency limit skips a candidate."""
    sifted = case.plan.sifted
    if case.skip_code(row) is SkipCode.FREQUENCY and sifted.hi[row] < sifted.start[row]:
        return _no_range(case, row)
    ideal, latest = int(case.plan.drafts.ideal[row]), int(sifted.latest[row])
    first, last, within = _full_span(case, row)
    later = f", and so it would be on every day up to {civil.text_of(latest)}"
    return Decision(
        step="Frequency",
        section="Sifting",
        why=f"At most {_most(case)}: on {civil.text_of(ideal)} it would be one too many, with "
        f"{_named(within)}{later if latest > ideal else ''}.",
        inputs={
            **limits_of(case),
            "ideal date": civil.date_of(ideal),
            "latest": civil.date_of(latest),
            "span from": civil.date_of(first),
            "span to": civil.date_of(last),
            "filled by": within,
        },
    )


def waits(case: Case, row: int) -> bool:
    """Return whether the frequency limit counts a candidate on a later day than its ideal date."""
    return bool(case.plan.sifted.x[row] > case.plan.drafts.ideal[row])


def waiting(case: Case, row: int) -> Decision:
    """Return why a candidate waits for the frequency limit, and until when."""
    ideal, x = int(case.plan.drafts.ideal[row]), int(case.plan.sifted.x[row])
    first, last, within = _full_span(case, row)
    return Decision(
        step="Frequency",
        section="Sifting",
        why=f"At most {_most(case)}: on its ideal date {civil.text_of(ideal)} it would be one too "
        f"many, with {_named(within)}. It waits until {civil.text_of(x)}, the first day that the "
        "limit allows.",
        inputs={
            **limits_of(case),
            "ideal date": civil.date_of(ideal),
            "waits until": civil.date_of(x),
            "span from": civil.date_of(first),
            "span to": civil.date_of(last),
            "filled by": within,
        },
    )


def _full_span(case: Case, row: int) -> tuple[int, int, list[MessageOnDay]]:
    """Return a span with the ideal date that has no room, and the messages in it."""
    limit, ideal = case.context.config.frequency, int(case.plan.drafts.ideal[row])
    before = [
        each
        for each in counted_messages(case)
        if each.row < 0 or _order(case, each.row) < _order(case, row)
    ]
    starts = sorted({each.day for each in before if 0 <= ideal - each.day < limit.period_days})
    for first in (*starts, ideal):
        last = first + limit.period_days - 1
        within = [each.message for each in before if first <= each.day <= last]
        if len(within) >= limit.max_emails:
            break
    return first, last, within


def _named(within: list[MessageOnDay]) -> str:
    names = [
        f"{each.message}{'' if each.status == 'planned' else f' ({each.status})'} on {each.day}"
        for each in within
    ]
    more = f", {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def _no_range(case: Case, row: int) -> Decision:
    sifted = case.plan.sifted
    return Decision(
        step="Range",
        section="Sifting",
        why=f"It could be sent from {civil.text_of(sifted.start[row])} on, but to leave room for "
        f"later messages of the contact it must be sent by {civil.text_of(sifted.hi[row])}: "
        f"at most {_most(case)}.",
        inputs=_range_inputs(case, row),
    )


def range_of(case: Case, row: int) -> Decision:
    """Return the days on which a candidate may be sent, and what sets the last of them."""
    sifted = case.plan.sifted
    floor, hi = civil.text_of(sifted.floor[row]), civil.text_of(sifted.hi[row])
    days = f"from {floor} to {hi}" if floor != hi else f"on {floor} only"
    later = sets_hi(case, row)
    if later is not None:
        why = f"{later.message.message}, due on {later.message.day}, needs room: {_most(case)}"
    elif sifted.latest[row] < case.plan.drafts.deadline[row]:
        day = int(sifted.latest[row]) + 1
        why = f"{civil.text_of(day)} is excluded"
    else:
        why = "the last day is its deadline"
    return Decision(
        step="Range",
        section="Sifting",
        why=f"It may be sent {days}; {why}.",
        inputs=_range_inputs(case, row),
    )


def _range_inputs(case: Case, row: int) -> dict[str, Input]:
    sifted, drafts = case.plan.sifted, case.plan.drafts
    later, latest = sets_hi(case, row), int(sifted.latest[row])
    inputs: dict[str, Input] = {
        "start": civil.date_of(sifted.start[row]),
        "latest": civil.date_of(latest),
        "lo": civil.date_of(sifted.lo[row]),
        "hi": civil.date_of(sifted.hi[row]),
    }
    if latest < drafts.deadline[row]:
        inputs["latest set by"] = excluded_day(case, latest + 1)
    if later is not None:
        inputs |= {
            "hi set by": [later.message],
            "its lo": civil.date_of(later.low),
            **limits_of(case),
        }
    return inputs


def sets_hi(case: Case, row: int) -> Counted | None:
    """Return the later message for which the candidate must leave room, if any."""
    limit = case.context.config.frequency
    messages = counted_messages(case)
    at = next((i for i, each in enumerate(messages) if each.row == row), None)
    if at is None or at + limit.max_emails >= len(messages):
        return None
    later = messages[at + limit.max_emails]
    binding = later.low - limit.period_days < case.plan.sifted.latest[row]
    return later if binding else None


def campaign_conflict(case: Case, row: int) -> Decision:
    """Return which other campaign with the same ideal date goes first."""
    drafts = case.plan.drafts
    same = (drafts.ideal == drafts.ideal[row]) & case.kind_table.is_campaign[drafts.kind]
    # of those that reached this step only the winner passed it
    rows = [
        int(r) for r in np.flatnonzero(same) if case.skip_code(int(r)) in (None, SkipCode.FREQUENCY)
    ]
    mine, ideal = case.kind(row), civil.date_of(drafts.ideal[row])
    inputs: dict[str, Input] = {
        "ideal date": ideal,
        "priority": mine.priority,
        "instance": mine.instance,
    }
    winner = "another campaign"
    if rows:
        first, winner = case.kind(rows[0]), case.name(rows[0])
        inputs |= {
            "winner": winner,
            "winner's priority": first.priority,
            "winner's instance": first.instance,
        }
    return Decision(
        step="Campaign conflicts",
        section="Sifting",
        why=f"Of the contact's campaign messages with the ideal date {ideal} only one is sent, "
        f"and {winner} goes first.",
        inputs=inputs,
    )
