"""A contact's history as text."""

from __future__ import annotations

import datetime as dt

from rich.console import Console

from almanac.history.model import ContactHistory, HistoryStep, MessageChange, MessageState
from almanac.plurals import plural
from almanac.report.text import heading, paragraph, table


def print_history(console: Console, found: ContactHistory) -> None:
    """Print what became of the messages, the latest step first."""
    now = plural(found.messages, "message")
    paragraph(console, f"Contact {found.contact_id} of {found.database}: {now} now.", indent=0)
    for step in found.steps:
        if step.changes or step.gap:
            _step(console, step)
    quiet = sum(1 for step in found.steps if not step.changes and not step.gap)
    console.print()
    if quiet:
        what = plural(quiet, "version") if found.first_version else plural(quiet, "command")
        paragraph(console, f"{what} changed none of them.", indent=0)
    before = plural(found.first_messages, "message")
    if found.first_version:
        text = f"The history begins with version {found.first_version}, which had {before}."
    elif found.steps:
        text = (
            f"The history begins before the command of {_time(found.steps[-1].at)}: {before} then. "
            "A file knows what the last Almanac commands did, not what other programs wrote."
        )
    else:
        text = "The file has kept nothing of earlier commands, so this is all that it knows."
    paragraph(console, text, indent=0)


def _step(console: Console, step: HistoryStep) -> None:
    version = f"Version {step.version}, " if step.version else ""
    heading(console, f"{version}{_time(step.at)}")
    paragraph(console, step.by)
    if step.gap and step.version:
        paragraph(
            console, f"No change set: {step.gap}. Compared with version {step.before} as a whole."
        )
    elif step.gap:
        paragraph(console, f"What it changed is not kept: {step.gap}. The history ends here.")
    rows = [(_message(each), *_words(each)) for each in step.changes]
    if rows:
        table(console, ("!", "!", ""), rows)


def _message(change: MessageChange) -> str:
    instance = f" {change.campaign_instance_id}" if change.campaign_instance_id else ""
    event = f" of {change.event_date}" if change.event_date else ""
    return f"{change.email_type}{instance}{event}"


def _words(change: MessageChange) -> tuple[str, str]:
    old, new = change.before, change.after
    if change.what == "moved" and old and new:
        return "moved", f"{old.day} to {new.day}"
    if change.what in ("status", "reason") and old and new:
        moved = f", {old.day} to {new.day}" if old.day != new.day else f", {new.day}"
        return "changed", f"{_status(old)} to {_status(new)}{moved}"
    state = new or old
    return change.what, f"{_status(state)}, {state.day}" if state else ""


def _status(state: MessageState) -> str:
    return f"{state.status or 'no status'}{f' ({state.reason})' if state.reason else ''}"


def _time(at: dt.datetime) -> str:
    return f"{at.astimezone(dt.UTC):%Y-%m-%d %H:%M} UTC"
