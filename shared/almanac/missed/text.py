"""Who misses a message, and what another configuration would change, as text."""

from __future__ import annotations

from rich.console import Console

from almanac.missed.missed import Missed
from almanac.missed.what_if import MissedWhatIf
from almanac.plurals import plural
from almanac.report.text import heading, paragraph, table
from almanac.report.what_if_answer import changes_in_words


def print_missed(console: Console, found: Missed) -> None:
    """Print the counts by reason, each with the sentence about its first contact."""
    counts = found.counts
    gets = counts.contacts - counts.without
    paragraph(
        console,
        f"{found.asked.words}, as of {found.as_of}: of {plural(counts.contacts, 'contact')} "
        f"{counts.without:,} miss a message, and {gets:,} have it or get it.",
        indent=0,
    )
    if found.last_run is None:
        paragraph(console, "No run has planned this database yet: no day is chosen.", indent=0)
    if not counts.messages:
        return
    heading(console, "Missed messages by reason")
    ranked = sorted(counts.messages.items(), key=lambda each: (-each[1], each[0]))
    table(console, (">", "", ""), [(count, reason, "") for reason, count in ranked])
    heading(console, "Why, for the first contact of each reason")
    for reason, _ in ranked:
        example = counts.examples[reason]
        paragraph(console, f"{reason}: contact {example.contact_id}: {example.sentence}")


def print_missed_what_if(console: Console, found: MissedWhatIf) -> None:
    """Print what becomes of the messages, and the reasons that change."""
    days = ""
    if found.first_day is not None and found.last_day is not None:
        until = "" if found.first_day == found.last_day else f" to {found.last_day}"
        days = f" ({'on' if not until else 'from'} {found.first_day}{until})"
    paragraph(
        console,
        f"{changes_in_words(found.settings)}: of {found.asked}, as of {found.as_of}, "
        f"{plural(found.gained, 'more message')} would be planned{days}, and {found.lost:,} no "
        f"longer; {found.earlier:,} would be earlier, {found.later:,} later, and {found.same:,} "
        "on the same day.",
        indent=0,
    )
    if found.changes:
        heading(console, "What changes")
        rows = [(each.messages, each.before, "->", each.after) for each in found.changes]
        table(console, (">messages", "now", "", "then"), rows)
    paragraph(console, "Nothing was written.", indent=0)
