"""Suppressions as text for a terminal or a pipe."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from almanac.csv_input.rejects import Rejects
from almanac.database.suppressions import IN_FORCE, Suppression
from almanac.delivery.added_suppression import AddedSuppression, NearAddress
from almanac.delivery.suppressions import Effect, Loaded, SuppressionCount
from almanac.plurals import plural
from almanac.report.text import listed, paragraph, table

REJECTS_SHOWN = 5
COLUMNS_SHOWN = 8


def print_lines(console: Console, lines: Sequence[SuppressionCount], effect: Effect) -> None:
    """Print the counts of all suppressions."""
    total = sum(line.rows for line in lines)
    active = sum(line.rows for line in lines if line.state == IN_FORCE)
    text = f"{plural(total, 'suppression')}, {active:,} of them in force on {effect.day}"
    paragraph(console, text, indent=0)
    if lines:
        cells = [
            (x.reason or "unspecified", x.source, _messages(x.channel, x.email_types), x.state)
            for x in lines
        ]
        rows = [(*some, line.rows) for some, line in zip(cells, lines, strict=True)]
        table(console, ("reason", "source", "of", "!state", ">rows"), rows)
    print_effect(console, effect)


def print_lookup(console: Console, who: str, day: dt.date, found: Sequence[Suppression]) -> None:
    """Print whether a contact or an address is suppressed on the day, and by what."""
    active = [row for row in found if row.state == IN_FORCE]
    verdict = "suppressed" if active else "not suppressed"
    if active and not any(row.of_all_messages for row in active):
        verdict = "suppressed for some messages only"
    paragraph(console, f"{who} is {verdict} on {day}.", indent=0)
    _print_rows(console, found)


def print_added(console: Console, new: Suppression, done: AddedSuppression) -> None:
    """Print one suppression that was added, or existed already, and what it changes."""
    who = " and ".join(_names(new))
    span = f"from {new.since}" + (f" to {new.until}" if new.until else " on")
    what = f"suppressed {span if done.added else 'already'}, reason {new.reason or 'unspecified'}"
    if not new.of_all_messages:
        what += f", only {_messages_of(new)}"
    paragraph(console, f"{who}: {what}.", indent=0)
    paragraph(console, f"{_whose(new, done)} {_stops(done)}", indent=0)
    print_effect(console, done.effect)


def _whose(new: Suppression, done: AddedSuppression) -> str:
    """Return whether any contact has the address or the number, and which address may be meant."""
    what = "number" if new.phone else "id" if new.contact_id else "address"
    if done.contacts:
        return f"{plural(done.contacts, 'contact has', 'contacts have')} this {what}."
    text = f"No contact has this {what}."
    if not done.near:
        return f"{text} No {what} of a contact is like it."
    names = [each.email if isinstance(each, NearAddress) else each.phone for each in done.near]
    contacts = [each.contact for each in done.near]
    near = ", ".join(f"{name} (contact {id_})" for name, id_ in zip(names, contacts, strict=True))
    return f"{text} The nearest: {near}."


def _stops(done: AddedSuppression) -> str:
    stops = done.stops
    if not done.added:
        return "Nothing was changed."
    if not stops.messages:
        return "It stops no planned message that was not stopped before."
    messages = plural(stops.messages, "planned message")
    return f"It stops {messages} of {plural(stops.contacts, 'contact')}."


def print_same_address(console: Console, others: int) -> None:
    """Print how many contacts still get messages at the address of one suppressed by its id."""
    if others:
        verb = "has" if others == 1 else "have"
        text = (
            f"{plural(others, 'other contact')} {verb} the same address, and still get messages: "
            "suppress the address to stop these too."
        )
        paragraph(console, text, indent=0)


def print_ended(
    console: Console, day: dt.date, ended: Sequence[Suppression], active: Sequence[Suppression]
) -> None:
    """Print the suppressions that were ended, as they were before, and those still active."""
    paragraph(console, f"{plural(len(ended), 'suppression')} ended; before:", indent=0)
    _print_rows(console, ended)
    if active:
        paragraph(console, f"Still in force on {day}:", indent=0)
        _print_rows(console, active)
    else:
        text = "The next run plans the messages that they prevented."
        paragraph(console, text, indent=0)


def print_loaded(
    console: Console,
    found: Loaded,
    ignored: Sequence[str],
    rejects: Rejects,
    path: Path,
    effect: Effect,
) -> None:
    """Print what became of the rows of a file; the rejects are in the file at `path`."""
    counts = [
        ("added", found.added),
        ("ended", found.ended),
        ("unchanged", found.unchanged),
        ("rejected", len(rejects)),
    ]
    table(console, ("", ">"), counts, indent=0)
    if ignored:
        paragraph(console, f"Columns not read: {listed(ignored, COLUMNS_SHOWN)}", indent=0)
    if found.unknown_contacts:
        many = plural(found.unknown_contacts, "contact id")
        paragraph(console, f"Not in this database: {many}", indent=0)
    print_same_address(console, found.same_address)
    _print_rejects(console, rejects, path)
    print_effect(console, effect)


def print_rejects(console: Console, ignored: Sequence[str], rejects: Rejects, path: Path) -> None:
    """Print which columns and rows were not taken; the rejects are in the file at `path`."""
    if ignored:
        paragraph(console, f"Columns not read: {listed(ignored, COLUMNS_SHOWN)}", indent=0)
    _print_rejects(console, rejects, path)


def _print_rejects(console: Console, rejects: Rejects, path: Path) -> None:
    for line, why, _ in rejects.rows[:REJECTS_SHOWN]:
        paragraph(console, f"line {line}: {why}")
    if len(rejects):
        paragraph(console, f"All rejected rows, with reasons: {path}", indent=0)


def print_effect(console: Console, effect: Effect) -> None:
    """Print which planned messages the suppressions stop."""
    if not effect.messages:
        text = f"No suppressed contact has messages planned from {effect.day} on."
    else:
        text = (
            f"In all, {plural(effect.messages, 'planned message')} of "
            f"{plural(effect.contacts, 'contact')} will be skipped by the next run for what is in "
            f"force on {effect.day}; almanac due leaves them out from now on."
        )
    paragraph(console, text, indent=0)


def _print_rows(console: Console, rows: Sequence[Suppression]) -> None:
    for row in rows:
        source = f" ({row.source})" if row.source else ""
        bounds = [f"{w} {x}" for w, x in (("from", row.since), ("to", row.until)) if x]
        what = f"{row.reason or 'unspecified'}{source}, {' '.join(bounds) or 'always'}"
        what += "" if row.of_all_messages else f", only {_messages_of(row)}"
        paragraph(console, f"{row.state}: {what}: {' and '.join(_names(row))}")


def _names(row: Suppression) -> list[str]:
    contact = f"contact {row.contact_id}" if row.contact_id else ""
    return [name for name in (row.email, contact, row.phone) if name]


def _messages_of(row: Suppression) -> str:
    return _messages("sms" if row.only_texts else "", ", ".join(sorted(row.types)))


def _messages(channel: str, types: str) -> str:
    """Return which messages are suppressed, in words."""
    what = "text messages" if channel else "messages"
    return f"{what} of {types}" if types else what if channel else "all messages"
