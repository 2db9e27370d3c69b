"""The answers of an explanation in one sentence, short enough for the telephone."""

from __future__ import annotations

from almanac.explain.case import lowered
from almanac.explain.model import DayExplanation, DayHistory, Explanation
from almanac.names import date_of_run
from almanac.plurals import plural
from almanac.schedule_status import PLANNED_STATUSES


def verdict(found: Explanation) -> str:
    """Return what the contact gets up to the horizon."""
    who = f"Contact {found.contact_id}"
    if not found.contact.eligible:
        return f"{who} gets nothing: {found.contact.why_not}."
    sent = [m for m in found.messages if m.outcome != "skipped"]
    skipped = [m for m in found.messages if m.outcome == "skipped"]
    if not found.messages:
        return f"{who} gets nothing: no message is due up to {found.horizon}."
    if not sent:
        reasons = list(dict.fromkeys(str(m.skip_reason) for m in skipped))
        number = "its one message is" if len(skipped) == 1 else f"all {len(skipped)} messages are"
        return f"{who} gets nothing: {number} skipped ({'; '.join(reasons)})."
    number = plural(len(sent), "message")
    also = f"; {plural(len(skipped), 'other')} skipped" if skipped else ""
    first = f" The next is {sent[0].name} on {sent[0].day}." if sent[0].day else ""
    return f"{who} gets {number} up to {found.horizon}{also}.{first}"


def notes(found: Explanation) -> list[str]:
    """Return what the reader must know to understand the rest."""
    result = []
    if found.last_run is None:
        result.append("No run has planned this database yet: no day is chosen.")
    elif date_of_run(found.last_run) not in (None, found.as_of):
        result.append(
            f"The last run of the database was {found.last_run}; this explanation is as of "
            f"{found.as_of}."
        )
    if any(m.note for m in found.messages):
        result.append(
            "The plan in the database differs from what the rules say now: see the messages."
        )
    return result


def day_verdict(found: Explanation, on: DayExplanation, email_type: str | None) -> str:
    """Return what the contact gets on the day, or why nothing."""
    contact = f"contact {found.contact_id}"
    if on.history is not None:
        return _past_verdict(found, on, on.history)
    planned = [each.name for each in on.messages if each.answer == "planned"]
    has = [f"{row.email_type} ({row.status or 'no status'})" for row in on.committed]
    gets = [f"gets {' and '.join(planned)}"] if planned else []
    gets += [f"has {' and '.join(has)}"] if has else []
    if gets:
        return f"On {on.day} {contact} {' and '.join(gets)}."
    nothing = f"does not get {email_type}" if email_type else "gets nothing"
    return f"C{contact[1:]} {nothing} on {on.day}: {_why_nothing(found, on)}"


def _past_verdict(found: Explanation, on: DayExplanation, history: DayHistory) -> str:
    """Return what is recorded of a past day."""
    contact = f"contact {found.contact_id}"
    has = [f"{each.email_type} ({each.what})" for each in history.messages]
    got = [
        f"{each.email_type} ({each.what})"
        for each in history.messages
        if each.status not in PLANNED_STATUSES
    ]
    if got:
        return f"On {on.day} {contact} has {' and '.join(got)}."
    nothing = f"C{contact[1:]} got nothing on {on.day}, as far as is recorded"
    return f"{nothing}: {' and '.join(has) or _around(found, on, 'no row has that day')}."


def _why_nothing(found: Explanation, on: DayExplanation) -> str:
    """Return the reason that is common to all messages, or that of the nearest one."""
    if not found.contact.eligible:
        return f"{found.contact.why_not}."
    possible = [each for each in on.messages if each.answer != "not allowed"]
    if possible:
        # the first sentence is enough here; the reason for the other day follows below
        first = lowered(possible[0].why.partition(". ")[0].rstrip("."))
        return f"{first}." if len(on.messages) == 1 else f"{possible[0].name}: {first}."
    reasons = {each.why for each in on.messages}
    if len(reasons) == 1:
        return lowered(reasons.pop())
    if not on.messages:
        alone = len(on.absent) == 1
        return f"{on.absent[0].why if alone else f'no message is due up to {found.horizon}'}."
    due = [m.name for m in found.messages if m.ideal_date == on.day]
    if on.excluded:
        wanted = f" ({' and '.join(due)} would be due)" if due else ""
        return f"{on.excluded.why.replace(str(on.day), 'the day', 1)}{wanted}."
    if due:
        return next(f"{a.name}: {lowered(a.why)}" for a in on.messages if a.name == due[0])
    return _nothing_due(found, on)


def _nothing_due(found: Explanation, on: DayExplanation) -> str:
    """Return the messages before and after the day."""
    why = "no message is due on that day"
    if on.day > found.horizon:
        why = f"the plan goes up to {found.horizon}, and later messages are not decided yet"
    return f"{_around(found, on, why)}."


def _around(found: Explanation, on: DayExplanation, why: str) -> str:
    """Return a reason, with the messages before and after the day."""
    days = sorted((m.day, m.name) for m in found.messages if m.day)
    days += [
        (row.scheduled_send_date, row.email_type)
        for row in (found.committed if on.history is not None else [])
        if row.scheduled_send_date is not None
    ]
    days.sort()
    before = [f"{name} on {day}" for day, name in days if day < on.day][-1:]
    after = [f"{name} on {day}" for day, name in days if day > on.day][:1]
    around = [f"the last before is {x}" for x in before] + [f"the next is {x}" for x in after]
    return "; ".join([why, ", ".join(around)]) if around else why
