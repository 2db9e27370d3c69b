"""`almanac apply`."""

from __future__ import annotations

import datetime as dt
import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import apsw
import typer

from almanac.commands.agency_arguments import agency_of
from almanac.commands.change_documents import counts_json, print_counts
from almanac.commands.exit_codes import OK
from almanac.commands.groups import new_app
from almanac.commands.options import AsJson, Database, DryRun
from almanac.commands.output import print_json
from almanac.database.change_sets.apply import (
    ConflictWords,
    apply_changes,
    check_tables,
    without_triggers,
)
from almanac.database.change_sets.rows import check_change_set
from almanac.database.undo.entries import WritingCommand
from almanac.errors import AlmanacError, InputError
from almanac.outputs import is_database
from almanac.progress import silent
from almanac.report.text import console_for, paragraph

app = new_app()

_WORDS = ConflictWords(
    gone="is not there",
    there="is there already",
    forbidden="cannot be written: another row or a constraint forbids it",
    expected="the change set expects",
)


class _DryRunEnds(Exception):
    """Rolls the transaction back."""


@app.command(
    short_help="Apply a change set to a database.",
    epilog="Example: almanac apply copy.sqlite3 206.changeset --dry-run",
)
def apply(
    database: Database,
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="A change set, as almanac store changes and almanac diff write it.",
            show_default=False,
        ),
    ],
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> int:
    """Apply a change set to another copy of a database, in one transaction, or not at all.

    It is refused, with the rows that differ, where a row is not as the change set expects it: the
    copy is not of the version that it begins with, or has it already. Triggers do not fire. almanac
    undo takes it back.
    """
    changes = _read(file)
    counts = check_change_set(changes, str(file))

    def edit(connection: apsw.Connection) -> None:
        try:
            check_tables(connection, changes)
            with without_triggers(connection):
                apply_changes(connection, changes, _WORDS, f"{file} does not fit")
        except InputError as error:
            raise InputError(f"{database}: {file} does not fit: {error}") from error
        except AlmanacError as error:
            raise AlmanacError(f"{database}: {error}; nothing was changed") from error
        if dry_run:
            raise _DryRunEnds

    with suppress(_DryRunEnds):
        agency = agency_of(database, None, None)
        agency.edit(edit, WritingCommand.APPLY, dt.datetime.now(dt.UTC), silent)
    if as_json:
        print_json(
            database=str(database), file=str(file), applied=not dry_run, tables=counts_json(counts)
        )
        return OK
    console = console_for(sys.stdout)
    done = "would be applied to" if dry_run else "is applied to"
    paragraph(console, f"{file} {done} {database}.", indent=0)
    print_counts(console, counts)
    return OK


def _read(file: Path) -> bytes:
    """Return the content of the file. Raises InputError."""
    if is_database(file):
        raise InputError(f"{file}: is a database; expected a change set, after DATABASE")
    try:
        return file.read_bytes()
    except OSError as error:
        raise InputError(f"{file}: cannot be read: {error.strerror}") from error
