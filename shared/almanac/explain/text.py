"""An explanation as text: the answer in a sentence, the year drawn and listed, then the decisions
on each message."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.text import Text

from almanac.explain.model import (
    Absence,
    DayAnswer,
    DayExplanation,
    DayHistory,
    Decision,
    ExplainedMessage,
    Explanation,
    Input,
    MessageOnDay,
    PlannedRow,
)
from almanac.explain.timeline import draw
from almanac.plurals import plural
from almanac.report.text import INDENT, heading, listed, paragraph, shown, table

COMMITTED_SHOWN = 12
ANSWERS = {
    "planned": "planned",
    "not allowed": "not on that day",
    "no room": "no room",
    "allowed": "possible",
}


def print_explanation(console: Console, found: Explanation) -> None:
    """Print the whole explanation, or the answer for one day."""
    on = found.on
    paragraph(console, on.verdict if on else found.verdict, indent=0, style="bold")
    paragraph(
        console,
        f"As of {found.as_of} ({found.as_of_from}); first send date {found.first_send_date}; "
        f"configuration: {found.configuration}.",
        indent=0,
    )
    for note in found.notes:
        paragraph(console, note, indent=0)
    if on is not None:
        _day(console, found, on)
        _year(console, found)
        if on.history is None:
            _absent(console, on.absent)
        return
    _year(console, found)
    _timeline(console, found)
    _contact(console, found)
    _messages(console, found)
    _absent(console, found.absent)
    _other_rows(console, found.other_rows, found.as_of)


def _year(console: Console, found: Explanation) -> None:
    """Print the year as a drawing."""
    heading(console, "The year")
    plain = not (console.encoding or "").lower().startswith("utf")
    for line in draw(found, console.width - INDENT, plain):
        console.print(Text(shown(f"{' ' * INDENT}{line}")), soft_wrap=True)


def _timeline(console: Console, found: Explanation) -> None:
    """Print committed, planned and skipped messages and the windows, in order of days."""
    limits = found.limits
    earlier = len(found.committed) - COMMITTED_SHOWN
    events: list[tuple[dt.date, str, str, str]] = [
        (c.scheduled_send_date, "", c.status or "no status", c.email_type)
        for c in found.committed[-COMMITTED_SHOWN:]
        if c.scheduled_send_date is not None
    ]
    events += [
        (w.start, f"to {w.end}", "window", f"{w.kind} [{w.source}]" if w.source else w.kind)
        for w in found.windows
    ]
    events += [(m.day or m.ideal_date, "", _word(m), m.name + _tail(m)) for m in found.messages]
    events.append((found.as_of, "", "today", ""))
    heading(console, "Timeline")
    if earlier > 0:
        paragraph(
            console, f"({plural(earlier, 'earlier message is', 'earlier messages are')} not shown)"
        )
    events.sort(key=lambda event: (event[0], event[2] != "today", event[3]))
    table(console, ("!", "!", "!", ""), events)
    paragraph(
        console,
        f"At most {limits.max_emails} messages in {limits.period_days} days per contact; daily cap "
        f"{limits.daily_cap:,} messages, ceiling {limits.ceiling:,}.",
    )


def _contact(console: Console, found: Explanation) -> None:
    contact = found.contact
    heading(console, "The contact")
    rows: list[tuple[str, object]] = [
        ("state", f"{contact.state or 'unknown'} ({contact.state_source})"),
        ("rule", contact.rule),
        ("hours", contact.hours),
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
    rows += [("suppressed", f"{each.takes}: {each.row}") for each in contact.suppressions]
    rows += [("issue", f"{i.issue}: {i.advice} ({i.detail!r})") for i in contact.issues]
    table(console, ("!", ""), rows)


def _word(message: ExplainedMessage) -> str:
    return "to be planned" if message.outcome == "not in the plan yet" else message.outcome


def _tail(message: ExplainedMessage) -> str:
    return f": {message.skip_reason}" if message.skip_reason else ""


def _messages(console: Console, found: Explanation) -> None:
    if not found.messages:
        return
    heading(console, "Messages and decisions (sections of docs/semantics.md)")
    for message in found.messages:
        when = f" on {message.day}" if message.day else ""
        title = f"{message.name} for {message.event_date}: {_word(message)}{when}{_tail(message)}"
        paragraph(console, title, style="bold")
        paragraph(console, message.last.why, indent=4)
        if message.note:
            paragraph(console, message.note, indent=4)
        if message.outcome != "skipped":
            paragraph(console, _text_message(message), indent=4)
        for decision in message.decisions[:-1]:
            paragraph(console, decision.why, indent=4)
        table(console, ("!", "", ""), map(_decision, message.decisions), indent=4)


def _text_message(message: ExplainedMessage) -> str:
    if message.no_text_message is None:
        return f"A text message goes along ({message.sms_template})."
    return f"No text message: {message.no_text_message}."


def _decision(decision: Decision) -> tuple[str, str, str]:
    return decision.step, f"[{decision.section}]", in_words(decision.inputs)


def in_words(inputs: Mapping[str, Input]) -> str:
    """Return what a decision is based on, in one line."""
    return "; ".join(f"{name} = {_value(value)}" for name, value in inputs.items())


def _value(value: Input) -> str:
    if value is None or value == []:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(_message_on_day, value))
    if isinstance(value, dict):
        return ", ".join(f"{count:,} on {day}" for day, count in value.items())
    return str(value)


def _message_on_day(each: MessageOnDay) -> str:
    status = "" if each.status in ("planned", "kept back") else f" ({each.status})"
    return f"{each.message}{status} on {each.day}"


def _day(console: Console, found: Explanation, on: DayExplanation) -> None:
    """Print the answer for one day, message by message."""
    if on.history is not None:
        _history(console, on, on.history)
        return
    heading(console, f"On {on.day} (sections of docs/semantics.md)")
    rows = [("excluded", f"{on.excluded.why}" if on.excluded else "no")]
    if on.closed:
        rows.append(("closed", on.closed.why))
    if on.load is not None:
        limits = found.limits
        rows.append(
            (
                "all messages",
                f"{on.load:,} now; daily cap {limits.daily_cap:,}, ceiling {limits.ceiling:,}",
            )
        )
    rows += [
        ("sender", f"{row.email_type} (row {row.row_id}, {row.status or 'no status'})")
        for row in on.committed
    ]
    table(console, ("!", ""), rows)
    alike: dict[tuple[str, str], list[DayAnswer]] = {}
    for answer in on.messages:
        alike.setdefault((ANSWERS[answer.answer], answer.why), []).append(answer)
    for (word, why), answers in alike.items():
        names = ", ".join(f"{answer.name} for {answer.event_date}" for answer in answers)
        paragraph(console, f"{names}: {word}", style="bold")
        paragraph(console, why, indent=4)
        table(console, ("!", "", ""), [_decision(answers[0])], indent=4)


def _history(console: Console, on: DayExplanation, history: DayHistory) -> None:
    """Print what is recorded of a past day, and what cannot be known."""
    heading(console, f"On {on.day}, from history")
    rows = [("run", history.run)]
    for each in history.messages:
        rows.append((each.email_type, f"{each.what} (row {each.row_id})"))
        rows += [("", f"reported: {mark}") for mark in each.marks]
    table(console, ("!", ""), rows)
    heading(console, "By the rules as they are now")
    rows = [("excluded", on.excluded.why if on.excluded else "no")]
    rows += [("closed", on.closed.why)] if on.closed else []
    table(console, ("!", ""), rows)
    heading(console, "Not known")
    for sentence in history.unknown:
        paragraph(console, sentence)


def _absent(console: Console, absent: Sequence[Absence]) -> None:
    if absent:
        heading(console, "Not due")
        table(console, ("", ""), [(each.name, each.why) for each in absent])


def _other_rows(console: Console, rows: Sequence[PlannedRow], as_of: dt.date) -> None:
    if not rows:
        return
    heading(console, "Other planned rows in the database")
    table(console, ("!", "!", "", ""), [_other(row, as_of) for row in rows[-COMMITTED_SHOWN:]])
    if len(rows) > COMMITTED_SHOWN:
        paragraph(console, f"and {len(rows) - COMMITTED_SHOWN:,} earlier ones")


def _other(row: PlannedRow, as_of: dt.date) -> tuple[object, ...]:
    old = row.scheduled_send_date is None or row.scheduled_send_date < as_of
    fate = "history" if old else "no longer due: the next run removes it"
    what = listed([x for x in (row.status, row.skip_reason) if x], 2)
    return row.scheduled_send_date or "no date", row.email_type, what, fate
