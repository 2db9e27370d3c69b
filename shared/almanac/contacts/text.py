"""Days and contacts as text: tables of the first rows, and how many more there are."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console

from almanac.contacts.day import DayCount, DayRow
from almanac.contacts.find import FoundContact, FoundContacts
from almanac.plurals import plural
from almanac.report.text import paragraph, table
from almanac.schedule_status import Status

if TYPE_CHECKING:  # what lists contacts reads columns, which a day does without
    from almanac.contacts.listing import ListedContact

PLANNED = "planned"
_DAY_COLUMNS = ("!time", "!contact", "name", "to", "message", "channel", "status")


def print_day(console: Console, count: DayCount, rows: Sequence[DayRow], today: dt.date) -> None:
    """Print who gets what on a day: `rows` are the first of its messages."""
    paragraph(console, f"{_day_in_words(count.date, today)}: {_messages(count)}", 0, "bold")
    if count.closed:
        paragraph(console, f"closed ({count.closed}): nothing is sent")
    if rows:
        table(console, _DAY_COLUMNS, map(_day_cells, rows), whole_lines=True)
    if count.messages > len(rows):
        paragraph(console, f"and {count.messages - len(rows):,} more")


def print_week(console: Console, counts: Sequence[DayCount], today: dt.date) -> None:
    """Print the counts of the days."""
    rows = [
        (
            f"{count.date:%a}",
            f"{count.date}{_near(count.date, today)}",
            count.planned,
            _statuses(count),
            f"closed: {count.closed}" if count.closed else "",
        )
        for count in counts
    ]
    table(console, ("!", "!day", f">{PLANNED}", "with the sender", ""), rows, indent=0)


def print_found(console: Console, found: FoundContacts) -> None:
    """Print the contacts that were found, and whether there are others."""
    number = plural(len(found.contacts), "contact")
    how = {"id": "by id", "index": "by an index of addresses"}.get(found.by, "all were scanned")
    if not found.complete:
        how = f"the first by id; contacts up to row {found.reached:,} were scanned"
    paragraph(console, f"{number} for {found.text!r} ({how})", 0, "bold")
    if found.contacts:
        columns = ("!id", "name", "address", "phone", "state", "zip", "status")
        table(console, columns, map(contact_cells, found.contacts), whole_lines=True)
    if not found.complete:
        paragraph(console, "There may be others: --limit shows more, a longer text fewer.")


def print_listed(console: Console, rows: Sequence[ListedContact], more: int) -> None:
    """Print the first of the contacts that are listed, and how many more there are."""
    paragraph(console, plural(len(rows) + more, "row"), 0, "bold")
    columns = [
        "!id",
        "name",
        "address",
        "phone",
        "state",
        "zip",
        "message",
        "date",
        "status",
        "detail",
    ]
    cells = [(str(row.id), row.name, *row[3:7], row.message, row.date, *row[10:]) for row in rows]
    filled = [at for at in range(len(columns)) if at < 6 or any(row[at] for row in cells)]
    if cells:
        chosen = [[row[at] for at in filled] for row in cells]
        table(console, [columns[at] for at in filled], chosen, whole_lines=True)
    if more:
        paragraph(console, f"and {more:,} more")


def contact_cells(contact: FoundContact) -> tuple[object, ...]:
    """Return the cells of a contact in a table."""
    where = (contact.state, contact.zip_code, contact.status)
    return (str(contact.id), contact.name, contact.email, contact.phone, *where)


def message_name(row: DayRow) -> str:
    """Return the type of a message, with the name of its campaign."""
    return f"{row.email_type} '{row.campaign}'" if row.campaign else row.email_type


def _day_cells(row: DayRow) -> tuple[object, ...]:
    status = PLANNED if row.status == Status.PRE_SCHEDULED else row.status or "no status"
    state = f"{status}, but: {row.note}" if row.note else status
    who = (str(row.contact_id), row.name, row.email)
    return (row.time, *who, message_name(row), row.channel, state)


def _day_in_words(day: dt.date, today: dt.date) -> str:
    return f"{day:%A} {day}{_near(day, today)}"


def _near(day: dt.date, today: dt.date) -> str:
    name = {-1: "yesterday", 0: "today", 1: "tomorrow"}.get((day - today).days)
    return f" ({name})" if name else ""


def _messages(count: DayCount) -> str:
    parts = [f"{count.planned:,} {PLANNED}"] if count.planned else []
    statuses = _statuses(count)
    parts += [statuses] if statuses else []
    number = plural(count.messages, "message")
    return f"{number} ({', '.join(parts)})" if parts else "no messages"


def _statuses(count: DayCount) -> str:
    return ", ".join(f"{n:,} {name or 'without a status'}" for name, n in count.of_sender.items())
