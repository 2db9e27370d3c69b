"""Put back what the last command changed, in the caller's transaction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import apsw

from almanac.database.change_sets.apply import ConflictWords, apply_changes, without_triggers
from almanac.database.change_sets.rows import INSERT, RowCounts, row_counts, tally
from almanac.database.undo.entries import UndoEntry, commands, drop, entries
from almanac.database.undo.inserts import TABLE, remove_inserted
from almanac.database.undo.packing import unpacked
from almanac.database.undo.schema import check_schema, read_change, undo_schema
from almanac.errors import AlmanacError, RequestError

_WORDS = ConflictWords(
    gone="is gone",
    there="is there again",
    forbidden="cannot be put back: another row or a constraint forbids it",
    expected="the command left",
)


def undo_last(connection: apsw.Connection) -> list[UndoEntry]:
    """Put back what the last command changed, and drop its entries; return them, newest first.

    Raises RequestError if there is nothing to undo, AlmanacError where it cannot be undone.
    """
    groups = commands(entries(connection))
    if not groups:
        raise RequestError("there is nothing to undo: no command has kept what it changed")
    for entry in groups[0]:
        if entry.refused:
            raise AlmanacError(f"{entry.command} cannot be undone: {entry.refused}")
        change = read_change(entry.schema)
        with without_triggers(connection):
            try:
                check_schema(connection, change)
                remove_inserted(connection, entry.inserts)
                _put_back(connection, entry.changes)
                undo_schema(connection, change)
            except AlmanacError as error:
                raise AlmanacError(f"{entry.command} cannot be undone: {error}") from error
        drop(connection, entry.id)
    return groups[0]


def _put_back(connection: apsw.Connection, changes: bytes) -> None:
    """Apply the inverse of a change set; raise AlmanacError unless every row takes it."""
    if not changes:
        return
    inverse = apsw.Changeset.invert(unpacked(changes))
    apply_changes(connection, inverse, _WORDS, "others have written since")


def rows_changed(group: Sequence[UndoEntry]) -> list[RowCounts]:
    """Return what the entries of a command changed, by table, the most rows first."""
    counts: Counter[tuple[str, str]] = Counter()
    for entry in group:
        counts[TABLE, INSERT] += entry.inserted
        counts.update(tally(unpacked(entry.changes)))
    return row_counts(counts)
