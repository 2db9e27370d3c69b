"""`almanac suppression import` and `export`."""

from __future__ import annotations

import datetime as dt
import sys
from functools import partial
from pathlib import Path
from typing import Annotated

import apsw
import typer

from almanac.commands.agency_arguments import agency_and_file, agency_of
from almanac.commands.arguments import file_or_stdout
from almanac.commands.dates import read_date, today_in
from almanac.commands.exit_codes import OK
from almanac.commands.imports import Strict, import_code
from almanac.commands.options import (
    AsJson,
    DatabaseAndFile,
    Map,
    MaybeDatabase,
    MaybeOrg,
    Rejects,
    Store,
)
from almanac.commands.output import print_json
from almanac.commands.progress import progress_bars
from almanac.commands.waiting import print_waiting, put, suppression_entry, warn_of_waiting
from almanac.config_contacts import ContactColumns
from almanac.csv_input.rejects import rejects_path
from almanac.csv_input.source import input_file
from almanac.database.opening import map_errors
from almanac.database.suppression_lookups import known_types
from almanac.database.undo.entries import WritingCommand
from almanac.delivery import suppressions, suppressions_text
from almanac.delivery.suppression_file import ParsedSuppressions, read_suppressions
from almanac.errors import InputError
from almanac.organizations.agency_database import AgencyDatabase, Edit, StoreDatabase, T
from almanac.outputs import write_text
from almanac.plurals import plural
from almanac.report.text import console_for, paragraph

On = Annotated[str | None, typer.Option("--on", metavar="DATE", help="The day that counts; today.")]


def import_(
    names: DatabaseAndFile,
    rejects: Rejects = None,
    map_: Map = None,
    strict: Strict = False,
    on: On = None,
    org: MaybeOrg = None,
    store: Store = None,
    as_json: AsJson = False,
) -> int:
    """Add the suppressions of a CSV file; importing the same file again changes nothing.

    Its header has email, contact_id or phone, and may have reason, source, since, until, channel
    and email_types. An existing suppression without an end gets the end in the file; one that has
    ended stays ended.
    All valid rows are written in one transaction; invalid ones go to another file, by line, with
    the reason.
    """
    agency, file = agency_and_file(names, org, store)
    day, settings = day_and_columns(agency, on)
    path = rejects_path(file, rejects)
    with agency.open() as opened, map_errors(opened.path):
        known = known_types(opened.connection)
    with input_file(file) as source:
        parsed = read_suppressions(source, map_ or [], known)
    parsed.rejects.write(path)  # first: if it fails, nothing has changed
    if isinstance(agency, StoreDatabase):
        taken = _import_in_store(agency, parsed, path, as_json)
        return import_code(file, taken, len(parsed.rejects), strict, path)

    def edit(connection: apsw.Connection) -> tuple[suppressions.Loaded, suppressions.Effect]:
        loaded = suppressions.load(connection, parsed, day, settings)
        return loaded, suppressions.effect(connection, day, settings)

    found, effect = edit_suppressions(agency, edit, WritingCommand.SUPPRESSION_IMPORT)
    if as_json:
        print_json(
            **found.model_dump(),
            rejected=len(parsed.rejects),
            rejects=str(path) if len(parsed.rejects) else None,
            ignored_columns=parsed.ignored,
            effect=effect,
        )
    else:
        console = console_for(sys.stdout)
        suppressions_text.print_loaded(console, found, parsed.ignored, parsed.rejects, path, effect)
    taken = found.added + found.ended + found.unchanged
    return import_code(file, taken, len(parsed.rejects), strict, path)


def _import_in_store(
    agency: StoreDatabase, parsed: ParsedSuppressions, path: Path, as_json: bool
) -> int:
    """Put the rows of a file into the inbox, and return how many there are."""
    entries = [suppression_entry(row) for row in parsed.rows]
    command, now = WritingCommand.SUPPRESSION_IMPORT, dt.datetime.now(dt.UTC)
    done = put(agency, "suppressions", entries, command, now)
    if as_json:
        print_json(
            waiting=done.entries,
            event_id=done.event_id,
            rejected=len(parsed.rejects),
            rejects=str(path) if len(parsed.rejects) else None,
            ignored_columns=parsed.ignored,
        )
        return done.entries
    console = console_for(sys.stdout)
    print_waiting(console, agency.org, done, "suppression")
    suppressions_text.print_rejects(console, parsed.ignored, parsed.rejects, path)
    return done.entries


def export(
    database: MaybeDatabase = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The file to write; standard output.")
    ] = None,
    org: MaybeOrg = None,
    store: Store = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object; only with --out.")
    ] = False,
) -> int:
    """Write all suppressions, also the ended ones, as CSV that import reads."""
    out = file_or_stdout(out)
    if as_json and out is None:
        raise InputError("--json: expected --out FILE with it, since the CSV takes standard output")
    agency = agency_of(database, org, store)
    warn_of_waiting(agency)
    with agency.open() as source, map_errors(source.path):
        if out is None:
            suppressions.export(source.connection, sys.stdout)
            return OK
        count = write_text(out, "--out", partial(suppressions.export, source.connection))
    if as_json:
        print_json(rows=count, out=str(out))
    else:
        text = f"{plural(count, 'suppression')} of {agency.name}: {out}"
        paragraph(console_for(sys.stdout), text, indent=0)
    return OK


def edit_suppressions(agency: AgencyDatabase, edit: Edit[T], command: WritingCommand) -> T:
    """Change the suppressions in one transaction; in a store that publishes a version."""
    with progress_bars() as progress:
        return agency.edit(edit, command, dt.datetime.now(dt.UTC), progress)


def day_and_columns(agency: AgencyDatabase, on: str | None) -> tuple[dt.date, ContactColumns]:
    """Return the given day, else the organization's today, and how contacts are read."""
    config = agency.config()
    today = today_in(config.zone)
    return read_date(on, "--on", lambda: today) if on else today, config.contacts
