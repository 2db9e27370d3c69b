"""Put back what the last command changed, in the caller's transaction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import apsw

from almanac.database.catalog import records
from almanac.database.undo.entries import UndoEntry, commands, drop, entries
from almanac.database.undo.inserts import TABLE, remove_inserted
from almanac.database.undo.packing import unpacked
from almanac.database.undo.schema import check_schema, read_change, undo_schema
from almanac.errors import AlmanacError, RequestError

SHOWN = 3  # rows that differ, in a message
_WHY = {
    apsw.SQLITE_CHANGESET_NOTFOUND: "is gone",
    apsw.SQLITE_CHANGESET_CONFLICT: "is there again",
    apsw.SQLITE_CHANGESET_CONSTRAINT: "cannot be put back: another row or a constraint forbids it",
}


@dataclass(frozen=True)
class RowCounts:
    """The rows of a table that a command added, changed and deleted."""

    table: str
    added: int = 0
    changed: int = 0
    deleted: int = 0

    @property
    def total(self) -> int:
        """Return the number of rows."""
        return self.added + self.changed + self.deleted


@dataclass
class _Conflicts:
    """The rows that are not as the command left them."""

    columns: dict[str, list[str]]
    keys: dict[str, list[str]]
    found: int = 0
    words: list[str] = field(default_factory=list)

    def __call__(self, reason: int, change: apsw.TableChange) -> int:
        self.found += 1
        if self.found <= SHOWN:
            try:
                self.words.append(self._in_words(reason, change))
            except UnicodeDecodeError:
                self.words.append(f"a row of {change.name} has a text that is not valid now")
        return apsw.SQLITE_CHANGESET_OMIT

    def _in_words(self, reason: int, change: apsw.TableChange) -> str:
        names = self.columns.get(change.name, [])
        row = change.old if change.old is not None else change.new
        if row is not None and len(row) == len(names) + 1:
            names = ["rowid", *names]
        pairs = list(zip(names, row or (), strict=False))
        keys = self.keys.get(change.name) or ["rowid"]
        named = ", ".join(f"{name} {value}" for name, value in pairs if name in keys)
        where = f"{change.name} {named}"
        if reason != apsw.SQLITE_CHANGESET_DATA or change.conflict is None:
            return f"{where} {_WHY.get(reason, 'cannot be put back')}"
        differ = [
            f"{name} is {there!r}, the command left {left!r}"
            for (name, left), there in zip(pairs, change.conflict, strict=True)
            if left is not apsw.no_change and left != there
        ]
        return f"{where} has changed: {', '.join(differ)}"


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
        with _without_triggers(connection):
            try:
                check_schema(connection, change)
                remove_inserted(connection, entry.inserts)
                _put_back(connection, entry.changes)
                undo_schema(connection, change)
            except AlmanacError as error:
                raise AlmanacError(f"{entry.command} cannot be undone: {error}") from error
        drop(connection, entry.id)
    return groups[0]


@contextmanager
def _without_triggers(connection: apsw.Connection) -> Iterator[None]:
    """Keep triggers from firing: what they did is in the change set too."""
    connection.config(apsw.SQLITE_DBCONFIG_ENABLE_TRIGGER, 0)
    try:
        yield
    finally:
        connection.config(apsw.SQLITE_DBCONFIG_ENABLE_TRIGGER, 1)


def _put_back(connection: apsw.Connection, changes: bytes) -> None:
    """Apply the inverse of a change set; raise AlmanacError unless every row takes it."""
    if not changes:
        return
    conflicts = _Conflicts(*_names(connection))
    inverse = apsw.Changeset.invert(unpacked(changes))
    apsw.Changeset.apply(inverse, connection, conflict=conflicts)
    if conflicts.found:
        more = conflicts.found - len(conflicts.words)
        rest = f", and {more:,} more rows" if more else ""
        raise AlmanacError(f"others have written since: {'; '.join(conflicts.words)}{rest}")


def _names(connection: apsw.Connection) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Return by table the columns that are stored, and those of its key."""
    columns: dict[str, list[str]] = {}
    keys: dict[str, list[str]] = {}
    sql = (
        "SELECT list.name AS of, column.name, column.pk FROM pragma_table_list AS list "
        "JOIN pragma_table_xinfo(list.name) AS column WHERE list.schema = 'main' "
        "AND list.type = 'table' AND column.hidden = 0 ORDER BY column.cid"
    )
    for row in records(connection, sql):
        columns.setdefault(row["of"], []).append(str(row["name"]))
        if row["pk"]:
            keys.setdefault(row["of"], []).append(str(row["name"]))
    return columns, keys


def rows_changed(group: Sequence[UndoEntry]) -> list[RowCounts]:
    """Return what the entries of a command changed, by table, the most rows first."""
    counts: Counter[tuple[str, str]] = Counter()
    for entry in group:
        counts[TABLE, "INSERT"] += entry.inserted
        changes = unpacked(entry.changes)
        counts.update((each.name, each.op) for each in apsw.Changeset.iter(changes))
    kinds = ("INSERT", "UPDATE", "DELETE")
    tables = {table for (table, _), count in counts.items() if count}
    found = [RowCounts(table, *(counts[table, kind] for kind in kinds)) for table in tables]
    return sorted(found, key=lambda each: (-each.total, each.table))
