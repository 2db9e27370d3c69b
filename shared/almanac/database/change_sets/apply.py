"""Apply a change set in the caller's transaction; which rows it does not fit, SQLite decides."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import apsw

from almanac.database.change_sets.rows import StoredTable, stored_tables
from almanac.errors import AlmanacError, InputError

SHOWN = 3  # rows that differ, in a message


@dataclass(frozen=True)
class ConflictWords:
    """How a message calls what stands in the way of a row."""

    gone: str  # SQLite's NOTFOUND
    there: str  # CONFLICT: a row with the key
    forbidden: str  # CONSTRAINT
    expected: str  # before the value that a changed column should have


@dataclass
class _Conflicts:
    """The rows that are not as the change set has them."""

    words: ConflictWords
    tables: Mapping[str, StoredTable]
    found: int = 0
    texts: list[str] = field(default_factory=list)

    def __call__(self, reason: int, change: apsw.TableChange) -> int:
        self.found += 1
        if self.found <= SHOWN:
            try:
                self.texts.append(self._in_words(reason, change))
            except UnicodeDecodeError:
                self.texts.append(f"a row of {change.name} has a text that is not valid now")
        return apsw.SQLITE_CHANGESET_OMIT

    def _in_words(self, reason: int, change: apsw.TableChange) -> str:
        table = self.tables.get(change.name.lower(), StoredTable(change.name))
        row = change.old if change.old is not None else change.new
        pairs = list(zip(table.recorded, row or (), strict=False))
        key = ", ".join(
            f"{name.strip('_')} {value}"
            for n, (name, value) in enumerate(pairs)
            if n in table.places
        )
        where = f"{change.name} {key}"
        if reason != apsw.SQLITE_CHANGESET_DATA or change.conflict is None:
            why = {
                apsw.SQLITE_CHANGESET_NOTFOUND: self.words.gone,
                apsw.SQLITE_CHANGESET_CONFLICT: self.words.there,
            }
            return f"{where} {why.get(reason, self.words.forbidden)}"
        differ = [
            f"{name} is {there!r}, {self.words.expected} {value!r}"
            for (name, value), there in zip(pairs, change.conflict, strict=True)
            if value is not apsw.no_change and value != there
        ]
        return f"{where} has changed: {', '.join(differ)}"


def apply_changes(
    connection: apsw.Connection, changes: bytes, words: ConflictWords, because: str
) -> None:
    """Apply a change set; raise AlmanacError unless every row takes it.

    because: what the message begins with. Triggers are to be off: what they did is in the change
    set too.
    """
    conflicts = _Conflicts(words, stored_tables(connection))
    apsw.Changeset.apply(changes, connection, conflict=conflicts)
    if conflicts.found:
        more = conflicts.found - len(conflicts.texts)
        rest = f", and {more:,} more rows" if more else ""
        raise AlmanacError(f"{because}: {'; '.join(conflicts.texts)}{rest}")


@contextmanager
def without_triggers(connection: apsw.Connection) -> Iterator[None]:
    """Keep triggers from firing: what they did is in the change set too."""
    connection.config(apsw.SQLITE_DBCONFIG_ENABLE_TRIGGER, 0)
    try:
        yield
    finally:
        connection.config(apsw.SQLITE_DBCONFIG_ENABLE_TRIGGER, 1)


def check_tables(connection: apsw.Connection, changes: bytes) -> None:
    """Raise InputError unless the database has the tables, columns and keys of a change set.

    SQLite would leave out what it does not know, and report success.
    """
    tables, seen = stored_tables(connection), set[str]()
    for change in apsw.Changeset.iter(changes):
        if change.name in seen:
            continue
        seen.add(change.name)
        table = tables.get(change.name.lower())
        if table is None:
            raise InputError(f"it changes a table {change.name}, which is not there")
        if len(table.recorded) != change.column_count:
            raise InputError(
                f"table {change.name} has {len(table.recorded)} columns (with the rowid where "
                f"there is no primary key), in the change set {change.column_count}"
            )
        if table.places != set(change.pk_columns):
            raise InputError(f"table {change.name} has another primary key in the change set")
