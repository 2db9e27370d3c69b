"""An explanation for people: first in a sentence, then as a timeline, then message by message."""

from __future__ import annotations

import datetime as dt

from rich.console import Console

from almanac.report.explanation import Explanation, Message, PlannedRow
from almanac.report.text import heading, listed, paragraph, table

COMMITTED_SHOWN = 12


def print_explanation(console: Console, found: Explanation) -> None:
    """The whole explanation."""
    paragraph(console, found.verdict, indent=0, style="bold")
    first = found.first_send_date
    moment = f"As of {found.as_of}" + (f", sending from {first} on" if first != found.as_of else "")
    paragraph(console, f"{moment}, by {_configuration(found)}.", indent=0)
    for note in found.notes:
        paragraph(console, note, indent=0)
    _contact(console, found)
    _timeline(console, found)
    _messages(console, found)
    if found.absent:
        heading(console, "Not due")
        table(console, ("", ""), [(a.name, a.why) for a in found.absent])
    _other_rows(console, found.other_rows, found.as_of)


def _configuration(found: Explanation) -> str:
    return f"the configuration ({found.configuration})"


def _contact(console: Console, found: Explanation) -> None:
    contact = found.contact
    heading(console, "The contact")
    rows: list[tuple[str, object]] = [
        ("state", f"{contact.state or 'unknown'} ({contact.state_source})"),
        ("rule", contact.rule),
        ("birth date", contact.birth_date or "none"),
        ("effective date", contact.effective_date or "none"),
        ("e-mail", contact.email),
    ]
    if contact.carrier.strip():
        rows.append(("carrier", contact.carrier))
    if contact.failed_underwriting:
        rows.append(("underwriting", "failed"))
    if contact.suppression:
        rows.append(("suppression", contact.suppression))
    rows += [("issue", f"{i.issue}: {i.advice} ({i.detail!r})") for i in contact.issues]
    table(console, ("!", ""), rows)


def _timeline(console: Console, found: Explanation) -> None:
    """What was sent, what is planned and skipped, and the windows, in order of days."""
    limits = found.limits
    earlier = len(found.committed) - COMMITTED_SHOWN
    events: list[tuple[dt.date, str, str, str]] = [
        (c.scheduled_send_date, "", c.status or "no status", c.email_type)
        for c in found.committed[-COMMITTED_SHOWN:]
        if c.scheduled_send_date is not None
    ]
    events += [(w.start, f"to {w.end}", "window", w.kind) for w in found.windows]
    events += [(m.day or m.ideal_date, "", _word(m), _name(m) + _tail(m)) for m in found.messages]
    events.append((found.as_of, "", "today", ""))
    heading(console, "Timeline")
    if earlier > 0:
        paragraph(console, f"({earlier} earlier messages are left out here)")
    events.sort(key=lambda event: (event[0], event[2] != "today", event[3]))
    table(console, ("!", "!", "!", ""), events)
    paragraph(
        console,
        f"At most {limits.max_emails} messages in {limits.period_days} days for a contact; "
        f"{limits.daily_cap:,} messages a day for all, {limits.ceiling:,} at the very most.",
    )


def _word(message: Message) -> str:
    return "to be planned" if message.outcome == "not in the plan yet" else message.outcome


def _name(message: Message) -> str:
    name = message.email_type
    return f"{name} '{message.campaign_name}'" if message.campaign_name else name


def _tail(message: Message) -> str:
    return f": {message.skip_reason}" if message.skip_reason else ""


def _messages(console: Console, found: Explanation) -> None:
    if not found.messages:
        return
    heading(console, "Messages")
    for message in found.messages:
        when = f" on {message.day}" if message.day else ""
        title = f"{_name(message)} for {message.event_date}: {_word(message)}{when}{_tail(message)}"
        paragraph(console, title, style="bold")
        paragraph(console, message.why, indent=4)
        if message.note:
            paragraph(console, message.note, indent=4)
        paragraph(console, _dates(message), indent=4)
        decided = f"Decided by: {message.step} (docs/semantics.md, {message.section})"
        paragraph(console, decided, indent=4, style="dim")


def _dates(message: Message) -> str:
    parts = [f"ideal {message.ideal_date}"]
    if message.start != message.ideal_date:
        parts.append(f"from {message.start} on")
    parts.append(f"deadline {message.deadline}")
    if message.lo and message.hi:
        parts.append(f"range {message.lo} to {message.hi}")
    parts.append(f"priority {message.priority}")
    return ", ".join(parts)


def _other_rows(console: Console, rows: list[PlannedRow], as_of: dt.date) -> None:
    if not rows:
        return
    heading(console, "Other planned rows in the file")
    table(console, ("!", "!", "", ""), [_other(row, as_of) for row in rows[-COMMITTED_SHOWN:]])
    if len(rows) > COMMITTED_SHOWN:
        paragraph(console, f"and {len(rows) - COMMITTED_SHOWN:,} earlier ones")


def _other(row: PlannedRow, as_of: dt.date) -> tuple[object, ...]:
    old = row.scheduled_send_date is None or row.scheduled_send_date < as_of
    fate = "history" if old else "no longer due: the next run removes it"
    what = listed([x for x in (row.status, row.skip_reason) if x], 2)
    return row.scheduled_send_date or "no date", row.email_type, what, fate
