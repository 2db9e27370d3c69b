"""Put back what the last command changed in a file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import apsw
from pydantic import BaseModel

from almanac.database.opening import map_errors, open_database
from almanac.database.undo.apply import rows_changed, undo_last
from almanac.database.undo.entries import UndoEntry, commands, entries
from almanac.errors import AlmanacError, RequestError
from almanac.organizations.agency_database import edit_file
from almanac.organizations.cache_folder import CacheFolder


class ChangedTable(BaseModel):
    """The rows of a table that a command added, changed and deleted."""

    table: str
    added: int
    changed: int
    deleted: int


class UndoableCommand(BaseModel):
    """A command that changed a file."""

    command: str  # without `almanac`
    detail: str
    done_at: str  # UTC
    refused: str  # why it cannot be undone; '' if it can
    rows: list[ChangedTable]

    @property
    def words(self) -> str:
        """Return what was done, and when."""
        return f"{' '.join(filter(None, (self.command, self.detail)))} of {self.done_at} UTC"


class UndoList(BaseModel):
    """The commands that can be undone, the newest first."""

    database: str
    commands: list[UndoableCommand]


class Undone(BaseModel):
    """The command that was put back, and the one that undo would put back next."""

    database: str
    undone: UndoableCommand
    next: UndoableCommand | None


def undo_list(path: Path) -> UndoList:
    """Return what can be undone, the newest first. Raises DatabaseError, DatabaseBusy."""
    connection = open_database(path, writable=False)
    try:
        with map_errors(path):
            return UndoList(database=str(path), commands=_commands(connection))
    finally:
        connection.close()


def undo(path: Path, cache: CacheFolder | None = None) -> Undone:
    """Put back what the last command changed, in one transaction, or nothing.

    Raises RequestError (nothing to undo), AlmanacError (it cannot be undone, for a reason that is
    named), DatabaseError, DatabaseBusy.
    """

    def edit(connection: apsw.Connection) -> Undone:
        try:
            done = _command(undo_last(connection))
        except RequestError as error:
            raise RequestError(f"{path}: {error}") from error
        except AlmanacError as error:
            raise AlmanacError(f"{path}: {error}; nothing was changed") from error
        left = commands(entries(connection))
        following = _command(left[0]) if left else None
        return Undone(database=str(path), undone=done, next=following)

    return edit_file(path, edit, cache)


def _commands(connection: apsw.Connection) -> list[UndoableCommand]:
    return [_command(group) for group in commands(entries(connection))]


def _command(group: Sequence[UndoEntry]) -> UndoableCommand:
    """Return a command of one or more transactions, newest first."""
    first = group[-1]
    refused = next((entry.refused for entry in group if entry.refused), "")
    rows = [ChangedTable(**vars(each)) for each in rows_changed(group)]
    return UndoableCommand(
        command=first.command,
        detail=first.detail,
        done_at=first.done_at,
        refused=refused,
        rows=rows,
    )
