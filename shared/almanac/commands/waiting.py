"""What commands put into the inbox of an organization in a store, and what they say of it."""

from __future__ import annotations

import datetime as dt
import sys
from collections.abc import Sequence
from typing import Any

from rich.console import Console

from almanac.commands.exit_codes import OK, warned
from almanac.commands.output import print_json
from almanac.config_contacts import ContactColumns
from almanac.csv_input.source import InputFile
from almanac.database.contact_reader import ContactReader
from almanac.database.opening import map_errors
from almanac.database.suppressions import COLUMNS as SUPPRESSION_COLUMNS
from almanac.database.suppressions import Suppression
from almanac.database.undo.entries import WritingCommand
from almanac.delivery import suppressions
from almanac.delivery.feedback_file import COLUMNS, ParsedMarks, read_marks
from almanac.delivery.suppressions import Named
from almanac.errors import RequestError
from almanac.intake import inbox
from almanac.intake.events import valid_entries
from almanac.intake.submission import Entry, Submitted, submit
from almanac.organizations.agency_database import AgencyDatabase, StoreDatabase
from almanac.plurals import plural
from almanac.report.text import console_for, paragraph

_MARK = tuple(name for name in COLUMNS.names if name != "at")


def put_marks(
    agency: StoreDatabase, file: InputFile, pairs: Sequence[str], now: dt.datetime
) -> tuple[Submitted, ParsedMarks]:
    """Put the marks of a file into the inbox; its other lines are refused. As `read_marks`."""
    rows: list[dict[str, Any]] = []
    parsed = read_marks(file, pairs, agency.config().zone, now, rows)
    given = [
        {name: row[name] for name in _MARK if row.get(name) not in (None, "")}
        | {"at": mark.at.isoformat()}
        for mark, row in zip(parsed.marks, rows, strict=True)
    ]
    kept, refused = valid_entries("deliveries", given)
    for each in refused:
        mark = parsed.marks[each.index or 0]
        parsed.refuse(mark.line, mark.row_id, each.why, mark.cells)
    parsed.rejects.rows.sort(key=lambda reject: reject[0])
    parsed.refused.sort(key=lambda each: each.line)
    entries = [given[index] for index, _ in kept]
    return put(agency, "deliveries", entries, WritingCommand.MARK, now), parsed


def put(
    agency: StoreDatabase,
    kind: str,
    entries: Sequence[Entry],
    command: WritingCommand,
    now: dt.datetime,
) -> Submitted:
    """Put entries into the inbox of the organization, as `submit`."""
    return submit(agency.store, agency.org, kind, entries, word=command.word, now=now)


def suppression_entry(new: Suppression) -> Entry:
    """Return the entry that adds a suppression."""
    given = dict(zip(SUPPRESSION_COLUMNS, new, strict=False))
    return {name: value for name, value in given.items() if value}


def add_in_store(
    agency: StoreDatabase, new: Suppression, settings: ContactColumns, as_json: bool
) -> int:
    """Put the suppression into the inbox; raise RequestError for a contact that does not exist."""
    if new.contact_id:
        with agency.open() as opened, map_errors(opened.path):
            if not ContactReader(opened.connection, settings).with_id(new.contact_id):
                raise RequestError(f"contact {new.contact_id}: does not exist")
    command, entries = WritingCommand.SUPPRESSION_ADD, [suppression_entry(new)]
    done = put(agency, "suppressions", entries, command, dt.datetime.now(dt.UTC))
    if as_json:
        record = suppressions.record(new)
        print_json(suppression=record, waiting=done.entries, event_id=done.event_id)
    else:
        print_waiting(console_for(sys.stdout), agency.org, done, "suppression")
    return OK


def end_in_store(
    agency: StoreDatabase, who: Named, reason: str | None, day: dt.date, as_json: bool
) -> int:
    """Put the end of suppressions into the inbox; day: the first one without them."""
    named = {"email": who.email, "contact_id": who.contact, "phone": who.phone, "reason": reason}
    entry = {"action": "end", "until": str(day - dt.timedelta(days=1))}
    entry |= {key: str(value) for key, value in named.items() if value}
    command, now = WritingCommand.SUPPRESSION_END, dt.datetime.now(dt.UTC)
    done = put(agency, "suppressions", [entry], command, now)
    if as_json:
        print_json(first_day_without=day, waiting=done.entries, event_id=done.event_id)
    else:
        console = console_for(sys.stdout)
        print_waiting(console, agency.org, done, "end of a suppression")
    return OK


def print_waiting(console: Console, org: str, done: Submitted, one: str) -> None:
    """Print that entries wait; one: what each is."""
    waits = plural(done.entries, f"{one} waits", f"{one}s wait")
    text = f"{waits} in the inbox of organization {org}: the next run applies "
    them = "it" if done.entries == 1 else "them"
    text += f"{them}, and almanac due respects {them} at once."
    paragraph(console, text, indent=0)


def warn_of_waiting(agency: AgencyDatabase) -> None:
    """Say on standard error that there are events which the current version does not have."""
    if isinstance(agency, StoreDatabase) and (
        there := len(inbox.waiting(agency.store, agency.org))
    ):
        objects = plural(there, "object waits", "objects wait")
        warned(f"{agency.name}: {objects} in the inbox: what it holds is not in this list yet")
