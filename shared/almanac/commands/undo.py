"""`almanac undo`."""

from __future__ import annotations

import datetime as dt
from functools import partial
from typing import Annotated

import typer
from rich.console import Console

from almanac.commands.agency_arguments import agency_of
from almanac.commands.exit_codes import OK, warned
from almanac.commands.groups import new_app
from almanac.commands.options import AsJson, MaybeDatabase, MaybeOrg, Store
from almanac.commands.output import print_result
from almanac.database.undo.entries import WritingCommand
from almanac.organizations.agency_database import FileDatabase, StoreDatabase
from almanac.organizations.undo import UndoableCommand, UndoList, Undone, undo, undo_list
from almanac.plurals import plural
from almanac.report.text import listed, paragraph, table
from almanac.runs.rollback import EarlierVersions, WentBack, earlier_versions, go_back_one

app = new_app()

_SHOWN = 4  # tables in a line
_MARKED = "What was marked counts as not sent again, so that almanac due hands it out again."


@app.command(
    name="undo",
    short_help="Put back what the last command changed.",
    epilog="Example: almanac undo agency.sqlite3",
)
def undo_(
    database: MaybeDatabase = None,
    list_: Annotated[
        bool, typer.Option("--list", help="Show what can be undone, the newest first.")
    ] = False,
    org: MaybeOrg = None,
    store: Store = None,
    as_json: AsJson = False,
) -> int:
    """Put back what the last Almanac command changed in a file, or go back a version in a store.

    Called again, it undoes the command before; what was undone is not kept. It is refused, with
    the rows that differ, where another program has changed what the command left.
    """
    agency = agency_of(database, org, store)
    if isinstance(agency, StoreDatabase):
        return _in_store(agency, list_, as_json)
    assert isinstance(agency, FileDatabase)
    if list_:
        print_result(undo_list(agency.path), as_json, _print_list)
    else:
        print_result(undo(agency.path, agency.cache), as_json, _print_undone)
    return OK


def _print_list(console: Console, found: UndoList) -> None:
    if not found.commands:
        paragraph(console, f"Nothing to undo in {found.database}.", indent=0)
        return
    rows = [
        (
            f"{each.command} {each.detail}".strip(),
            each.done_at,
            f"cannot be undone: {each.refused}" if each.refused else _rows(each),
        )
        for each in found.commands
    ]
    table(console, ("command", "!at (UTC)", "rows"), rows, indent=0)


def _print_undone(console: Console, found: Undone) -> None:
    say = partial(paragraph, console, indent=0)
    say(f"Undone in {found.database}: {found.undone.words}.")
    for each in found.undone.rows:
        parts = (
            (each.added, "taken away"),
            (each.changed, "changed back"),
            (each.deleted, "put back"),
        )
        words = ", ".join(f"{plural(count, 'row')} {what}" for count, what in parts if count)
        paragraph(console, f"{each.table}: {words}")
    if found.undone.command == WritingCommand.MARK:
        say(_MARKED)
    if found.next is None:
        say("There is nothing more to undo.")
    else:
        say(f"almanac undo would put back next: {found.next.words}.")


def _rows(command: UndoableCommand) -> str:
    """Return the rows that a command changed, in words."""
    tables = []
    for each in command.rows:
        parts = ((each.added, "added"), (each.changed, "changed"), (each.deleted, "deleted"))
        words = ", ".join(f"{count:,} {what}" for count, what in parts if count)
        tables.append(f"{each.table} {words}")
    return listed(tables, _SHOWN) if tables else "tables or columns only"


def _in_store(agency: StoreDatabase, list_: bool, as_json: bool) -> int:
    if list_:
        print_result(earlier_versions(agency.store, agency.org), as_json, _print_versions)
    else:
        now = dt.datetime.now(dt.UTC)
        print_result(go_back_one(agency.store, agency.org, now, warned), as_json, _print_back)
    return OK


def _print_versions(console: Console, found: EarlierVersions) -> None:
    rows = [
        (
            "*" if each.in_force else "",
            each.version,
            f"{each.committed_at.astimezone(dt.UTC):%Y-%m-%d %H:%M}",
            each.planned,
            each.run_id,
        )
        for each in found.versions
    ]
    table(console, ("", ">version", "!committed (UTC)", ">planned", "run"), rows, indent=0)


def _print_back(console: Console, found: WentBack) -> None:
    say = partial(paragraph, console, indent=0)
    say(
        f"Organization {found.org_id}: version {found.version} (run {found.run_id}) is current "
        f"again, in place of {found.before} (run {found.undone})."
    )
    if found.replaced_by is not None:
        say(f"Version {found.replaced_by} has replaced it since and is current.")
    if found.undone.startswith(f"{WritingCommand.MARK.word}-"):
        say(_MARKED)
    if found.waiting:
        waiting = plural(found.waiting, "campaign change waits", "campaign changes wait")
        say(f"{waiting} for a run: undo changes nothing of that.")
    say("config.yaml is of no version: almanac config restore puts back an earlier one.")
