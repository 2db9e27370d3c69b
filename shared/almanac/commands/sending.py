"""`almanac due` and `almanac mark`: what a sender takes, and what it reports back."""

from __future__ import annotations

import datetime as dt
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, TextIO, get_args

import apsw
import typer
from rich.console import Console

from almanac.commands.agency_arguments import agency_and_file, agency_of
from almanac.commands.arguments import file_or_stdout
from almanac.commands.dates import read_date, today_in
from almanac.commands.exit_codes import OK
from almanac.commands.groups import new_app
from almanac.commands.imports import Strict, import_code
from almanac.commands.options import (
    AsJson,
    Cache,
    DatabaseAndFile,
    Day,
    Map,
    MaybeDatabase,
    MaybeOrg,
    Rejects,
    Store,
    Wait,
)
from almanac.commands.output import print_json, print_result
from almanac.commands.progress import progress_bars
from almanac.config import Config
from almanac.csv_input.rejects import rejects_path
from almanac.csv_input.source import input_file
from almanac.database.opening import map_errors
from almanac.database.undo.entries import WritingCommand
from almanac.delivery.feedback import Marked, apply
from almanac.delivery.feedback_file import RefusedLine, read_marks
from almanac.delivery.outbox import DueMessages, Format, hand_out
from almanac.errors import DatabaseBusy, InputError
from almanac.intake.day_view import day_view
from almanac.organizations.agency_database import AgencyDatabase, FileDatabase, StoreDatabase, T
from almanac.outputs import write_out
from almanac.plurals import plural
from almanac.report.text import console_for, paragraph, table

app = new_app()

REFUSED_SHOWN = 5


@app.command(
    epilog="Example: almanac due agency.sqlite3 --on 2026-11-23 --columns first_name "
    "--out due.jsonl",
)
def due(
    database: MaybeDatabase = None,
    on: Day = None,
    format_: Annotated[
        str, typer.Option("--format", metavar="jsonl|csv", help="JSON lines or CSV.")
    ] = "jsonl",
    columns: Annotated[
        str,
        typer.Option(
            metavar="NAMES", help="Columns of contacts to write too: first_name,last_name."
        ),
    ] = "",
    claimed: Annotated[
        bool,
        typer.Option(
            "--claimed",
            help="Instead, messages of this day or earlier that are claimed and not yet marked.",
        ),
    ] = False,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The file to write; standard output.")
    ] = None,
    wait: Wait = 120,
    org: MaybeOrg = None,
    store: Store = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the counts as one JSON object.")
    ] = False,
) -> int:
    """Write the messages that a sender sends on a day, one a line, in the order of sending.

    These are the messages planned for exactly this day, without those of contacts who are
    suppressed, missing or no longer active: they are counted on standard error. The database does
    not change: see almanac mark.
    """
    out, agency = file_or_stdout(out), agency_of(database, org, store)
    if format_ not in get_args(Format):
        raise InputError(f"--format: {format_!r} is neither jsonl nor csv")
    config = retry_while_busy(agency, wait, agency.config)
    today = today_in(config.zone)
    day = read_date(on, "--on", lambda: today) if on is not None else today

    def write(file: TextIO) -> DueMessages:
        with day_of(agency, day, config, claimed) as (connection, earlier):
            return hand_out(
                *(connection, day, today, claimed, columns.split(",")),
                config=config,
                format_="csv" if format_ == "csv" else "jsonl",
                out=file,
                earlier=earlier,
            )

    found = retry_while_busy(agency, wait, lambda: write_out(out, "--out", write))
    if as_json:
        print(found.model_dump_json(), file=sys.stderr if out is None else sys.stdout)
    else:
        _print_due(console_for(sys.stderr), found, claimed)
    return OK


@contextmanager
def day_of(
    agency: AgencyDatabase, day: dt.date, config: Config, claimed: bool
) -> Iterator[tuple[apsw.Connection, int | None]]:
    """Open what has the messages of a day; of a store, with what waits for the next run.

    Also return how many messages are planned for earlier days, None if that is to be counted.
    """
    if isinstance(agency, StoreDatabase):
        with day_view(agency, day, config, dt.datetime.now(dt.UTC), claimed=claimed) as view:
            yield view.connection, view.earlier
        return
    with agency.open() as source, map_errors(source.path):
        yield source.connection, None


def _print_due(console: Console, found: DueMessages, claimed: bool) -> None:
    what = "claimed until" if claimed else "due on"
    paragraph(console, f"{plural(found.messages, 'message')} {what} {found.day}", indent=0)
    for reason, count in found.left_out.items():
        paragraph(console, f"left out: {count:,} ({reason})")
    if found.without_text:
        paragraph(
            console,
            f"without their text message, which the contact must not get: {found.without_text:,}",
        )
    if found.without_hours:
        text = "without their text message, for which no hour of the day is allowed"
        paragraph(console, f"{text}: {found.without_hours:,}")
    if found.earlier:
        text = f"{found.earlier:,} planned for earlier days: the next run finds them another day"
        paragraph(console, text)


@app.command(epilog="Example: almanac mark agency.sqlite3 sent.jsonl")
def mark(
    names: DatabaseAndFile,
    no_suppress: Annotated[
        bool, typer.Option("--no-suppress", help="Add no suppressions for bounces and complaints.")
    ] = False,
    rejects: Rejects = None,
    map_: Map = None,
    strict: Strict = False,
    wait: Wait = 120,
    cache: Cache = None,
    org: MaybeOrg = None,
    store: Store = None,
    as_json: AsJson = False,
) -> int:
    """Record what became of messages: claimed (processing), sent, delivered, failed, bounced.

    The file is CSV, JSON lines or a JSON array. A line has the id of the row and its status. It may
    have at, message_id, detail, and contact_id and scheduled_send_date, which must match the row.
    Lines that contradict the row are refused, each with its reason; all others are written in one
    transaction. Marking is idempotent. An address that bounced or complained is suppressed.
    With --org the marks wait in the inbox for the next run, and almanac due respects them at once.
    """
    agency, file = agency_and_file(names, org, store, cache)
    path = rejects_path(file, rejects)
    now = dt.datetime.now(dt.UTC)
    if isinstance(agency, StoreDatabase):
        if no_suppress:
            raise InputError("--no-suppress: only with DATABASE: a run suppresses what bounced")
        return _mark_in_store(agency, file, map_ or [], path, strict, as_json)
    if isinstance(agency, FileDatabase) and agency.cache is not None:
        agency.cache.check()
    config = retry_while_busy(agency, wait, agency.config)
    with input_file(file) as source:
        parsed = read_marks(source, map_ or [], config.zone, now)
    with progress_bars() as progress:
        found, refused = retry_while_busy(
            agency,
            wait,
            lambda: agency.edit(
                lambda connection: apply(connection, parsed, config, now, not no_suppress),
                WritingCommand.MARK,
                now,
                progress,
            ),
        )
    print_result(found, as_json, lambda console, found: _print_marked(console, found, path))
    refused.write(path)  # last: if it fails, the changes have been reported
    taken = sum(found.changed.values()) + found.unchanged
    return import_code(file, taken, len(found.refused), strict, path)


def _mark_in_store(
    agency: StoreDatabase, file: Path, pairs: list[str], path: Path, strict: bool, as_json: bool
) -> int:
    from almanac.commands.waiting import print_waiting, put_marks

    with input_file(file) as source:
        done, parsed = put_marks(agency, source, pairs, dt.datetime.now(dt.UTC))
    if as_json:
        print_json(waiting=done.entries, event_id=done.event_id, refused=parsed.refused)
    else:
        console = console_for(sys.stdout)
        print_waiting(console, agency.org, done, "mark")
        _print_refused(console, parsed.refused, path)
    parsed.rejects.write(path)
    return import_code(file, done.entries, len(parsed.refused), strict, path)


def _print_marked(console: Console, found: Marked, rejects: Path) -> None:
    counts = [*found.changed.items(), ("unchanged", found.unchanged)]
    counts.append(("refused", len(found.refused)))
    table(console, ("", ">"), counts, indent=0)
    if found.suppressed:
        many = plural(found.suppressed, "address", "addresses")
        paragraph(console, f"Suppressed from now on: {many}", indent=0)
    _print_refused(console, found.refused, rejects)


def _print_refused(console: Console, refused: Sequence[RefusedLine], rejects: Path) -> None:
    for each in refused[:REFUSED_SHOWN]:
        row = "" if each.id is None else f", row {each.id}"
        paragraph(console, f"line {each.line}{row}: {each.why}")
    if refused:
        paragraph(console, f"All refused lines, with reasons: {rejects}", indent=0)


def retry_while_busy(agency: AgencyDatabase, seconds: int, work: Callable[[], T]) -> T:
    """Return what the work returns; retry it for some seconds while the file is locked.

    Raises DatabaseBusy after that.
    """
    until = time.monotonic() + seconds
    announced = False
    while True:
        try:
            return work()
        except DatabaseBusy:
            if time.monotonic() >= until:
                raise
            if not announced:
                text = f"Waiting for another program that holds {agency.name}"
                print(f"{text} ({seconds} seconds at most)", file=sys.stderr, flush=True)
                announced = True
