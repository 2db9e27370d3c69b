"""`almanac intake`: events from a file, into a database or the inbox of a store."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

import typer
from rich.console import Console

from almanac.commands.agency_arguments import agency_and_file
from almanac.commands.groups import new_app
from almanac.commands.imports import Strict, import_code
from almanac.commands.options import AsJson, DatabaseAndFile, MaybeOrg, Rejects, Store
from almanac.commands.output import print_result
from almanac.commands.progress import progress_bars
from almanac.csv_input.rejects import rejects_path
from almanac.csv_input.source import input_file
from almanac.intake.event_file import read_events
from almanac.plurals import plural
from almanac.report.events import REFUSED_LATER
from almanac.report.text import heading, paragraph, table
from almanac.runs.file_intake import IntakeDone, take_events

app = new_app()


@app.command(epilog="Example: almanac intake agency.sqlite3 clicks.jsonl --kind activity")
def intake(
    names: DatabaseAndFile,
    kind: Annotated[
        str | None,
        typer.Option(
            metavar="KIND",
            help="What entries without an event are: deliveries, activity, suppressions, contacts, "
            "targets or campaigns.",
        ),
    ] = None,
    rejects: Rejects = None,
    strict: Strict = False,
    org: MaybeOrg = None,
    store: Store = None,
    as_json: AsJson = False,
) -> int:
    """Take in events, or entries of one kind, from JSON lines, a JSON array or one object.

    An event is an object with kind and entries, and perhaps event_id, under which it is taken once,
    and replan. Into a database they go at once, in one transaction; in a store they wait in the
    inbox for the next run, and due leaves out at once what they claim. Entries that cannot be taken
    go to another file, by line and index, with the reason.
    """
    agency, name = agency_and_file(names, org, store)
    path, now = rejects_path(name, rejects), dt.datetime.now(dt.UTC)
    with input_file(name) as file:
        found = read_events(file, org, kind, now)
        with progress_bars() as progress:
            done = take_events(agency, file.name, found, now, progress)
    found.rejects.write(path)
    if found.rejects:
        done = done.model_copy(update={"rejects_file": str(path)})
    print_result(done, as_json, _print_done)
    return import_code(name, done.taken, done.rejected, strict, path)


def _print_done(console: Console, done: IntakeDone) -> None:
    waiting = done.outcome == "waiting"
    what = plural(sum(done.events.values()), "event")
    where = "in the inbox, for the next run" if waiting else "applied"
    paragraph(console, f"{done.database}: {what} {where}.", indent=0, style="bold")
    rows = [(f"entries: {kind}", count) for kind, count in done.entries.items()]
    rows += [("new contacts", done.contacts_added)] if done.contacts_added else []
    rows += [("events applied before", done.done_before)] if done.done_before else []
    table(console, ("", ">"), [*rows, ("refused", done.rejected)])
    if done.examples:
        heading(console, f"Refused, all of them in {done.rejects_file}")
        lines = [
            (str(each.line), "" if each.index is None else str(each.index), each.why)
            for each in done.examples
        ]
        table(console, (">line", ">index", "why"), lines)
    if waiting and done.events:
        paragraph(console, REFUSED_LATER, indent=0)
    for run in done.replanned:
        changes = ", ".join(f"{count:,} {word}" for word, count in run.changes.items() if count)
        text = f"Replanned: {plural(run.contacts, 'contact')}; messages: {changes or 'none'}."
        paragraph(console, text, indent=0)
    for run_id in done.run_ids:
        paragraph(console, f"Requested the run {run_id}.", indent=0)
