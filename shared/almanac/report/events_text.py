"""The events that a run applied, as text."""

from __future__ import annotations

from rich.console import Console

from almanac.report.events import ALL_REFUSED, RunEvents, refused_table
from almanac.report.text import heading, paragraph, table


def print_events(console: Console, events: RunEvents) -> None:
    """Print how many were applied and refused, examples, and what cannot be read."""
    if not events:
        return
    heading(console, "Events")
    rows = [(kind, count, events.entries.get(kind, 0)) for kind, count in events.applied.items()]
    if rows:
        table(console, ("", ">events", ">entries applied"), rows)
    if events.refused:
        paragraph(console, f"{events.refused_in_words}. {ALL_REFUSED}")
        table(console, ("!event", ">index", "why"), refused_table(events).rows)
    for line in events.stays:
        paragraph(console, f"{line}.")
