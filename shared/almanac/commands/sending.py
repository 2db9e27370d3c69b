"""`almanac due` and `almanac mark`: what a sender takes, and what it hands back."""

from __future__ import annotations

import datetime as dt
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TextIO, get_args

from rich.console import Console

from almanac.commands.arguments import read_date
from almanac.commands.endings import OK
from almanac.commands.place import place_and_file, place_of
from almanac.commands.progress import progress_bars
from almanac.csv_input import STDIN, read_text, rejects_path
from almanac.database.opening import map_errors
from almanac.delivery.feedback import Marked, apply
from almanac.delivery.feedback_file import parse
from almanac.delivery.outbox import DueMessages, Format, hand_out
from almanac.errors import DatabaseBusy, InputError
from almanac.organizations.agency_database import AgencyDatabase, T
from almanac.outputs import check_out, partial_of
from almanac.plurals import plural
from almanac.report.text import console_for, paragraph, table

SHOWN = 5


def due(
    database: Path | None,
    org: str | None,
    store: str | None,
    on: str | None,
    format_: str,
    columns: str,
    claimed: bool,
    out: Path | None,
    wait: int,
    as_json: bool,
) -> int:
    """Writes the messages of a day."""
    out = None if out == Path("-") else out
    if out is not None:
        check_out(out, "--out")
    agency = place_of(database, org, store)
    if format_ not in get_args(Format):
        raise InputError(f"--format: {format_!r} is neither jsonl nor csv")
    chosen: Format = "csv" if format_ == "csv" else "jsonl"
    zone = waiting(agency, wait, lambda: agency.config().zone)
    today = dt.datetime.now(zone).date()
    day = read_date(on, "--on") if on is not None else today
    names = columns.split(",")

    def write(file: TextIO) -> DueMessages:
        with agency.open(whole=True) as source, map_errors(source.path):
            return hand_out(source.connection, day, today, claimed, names, chosen, file)

    def take() -> DueMessages:
        if out is None:
            # whoever reads at leisure, and marks what it has read, must not find the file held
            with tempfile.TemporaryFile("w+", encoding="utf-8", newline="") as spool:
                found = write(spool)
                spool.seek(0)
                shutil.copyfileobj(spool, sys.stdout)
            return found
        # a sender must never take half a file for the whole
        with partial_of(out, "--out") as partial:
            with partial.open("w", encoding="utf-8", newline="") as file:
                found = write(file)
            partial.replace(out)
            return found

    found = waiting(agency, wait, take)
    if as_json:
        print(found.model_dump_json(), file=sys.stderr if out is None else sys.stdout)
    else:
        _tell_due(console_for(sys.stderr), found, claimed)
    return OK


def _tell_due(console: Console, found: DueMessages, claimed: bool) -> None:
    what = "claimed until" if claimed else "due on"
    paragraph(console, f"{plural(found.messages, 'message')} {what} {found.day}", indent=0)
    for reason, count in found.left_out.items():
        paragraph(console, f"left out: {count:,} ({reason})")
    if found.earlier:
        text = f"{found.earlier:,} planned for earlier days: the next run finds them another day"
        paragraph(console, text)


def mark(
    names: list[Path],
    org: str | None,
    store: str | None,
    no_suppress: bool,
    rejects: Path | None,
    wait: int,
    as_json: bool,
) -> int:
    """Takes back what became of messages."""
    agency, file = place_and_file(names, org, store)
    path = rejects_path(file, rejects)
    now = dt.datetime.now(dt.UTC)
    zone = waiting(agency, wait, lambda: agency.config().zone)
    name = "standard input" if file == STDIN else str(file)
    parsed = parse(read_text(file), name, zone, now)
    with progress_bars() as progress:
        found, refused = waiting(
            agency,
            wait,
            lambda: agency.edit(
                lambda connection: apply(connection, parsed, zone, now, not no_suppress),
                "mark",
                now,
                progress,
            ),
        )
    if as_json:
        print(found.model_dump_json())
    else:
        _tell_marked(console_for(sys.stdout), found, path)
    refused.write(path)  # last: where it fails, what was changed is told
    return OK


def _tell_marked(console: Console, found: Marked, rejects: Path) -> None:
    counts = [*found.changed.items(), ("unchanged", found.unchanged)]
    counts.append(("refused", len(found.refused)))
    table(console, ("", ">"), counts, indent=0)
    if found.suppressed:
        many = plural(found.suppressed, "address", "addresses")
        paragraph(console, f"Suppressed from now on: {many}", indent=0)
    for each in found.refused[:SHOWN]:
        row = "" if each.id is None else f", row {each.id}"
        paragraph(console, f"line {each.line}{row}: {each.why}")
    if found.refused:
        paragraph(console, f"All refused lines, each with why: {rejects}", indent=0)


def waiting(agency: AgencyDatabase, seconds: int, work: Callable[[], T]) -> T:
    """What the work gives, tried again for so long while another program holds the file."""
    until = time.monotonic() + seconds
    told = False
    while True:
        try:
            return work()
        except DatabaseBusy:
            if time.monotonic() >= until:
                raise
            if not told:
                text = f"Waiting for another program that holds {agency.name}"
                print(f"{text} ({seconds} seconds at most)", file=sys.stderr, flush=True)
                told = True
