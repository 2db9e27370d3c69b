"""The table `almanac_undo`: what the last commands on a file changed, newest last."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import apsw

from almanac.database.catalog import Record, describe, records
from almanac.database.migrations import complete
from almanac.database.schema import Column, Table

UNDO = Table(
    "almanac_undo",
    (
        Column("id", "INTEGER PRIMARY KEY AUTOINCREMENT", ""),
        Column("command", "TEXT"),
        Column("detail", "TEXT"),
        Column("event", "TEXT"),  # the id of the campaign change, if it is one
        Column("done_at", "TEXT"),  # UTC
        Column("refused", "TEXT"),  # why it cannot be undone
        Column("schema", "TEXT"),  # JSON: `SchemaChange`
        Column("inserted", "INTEGER"),  # rows of email_schedules in `inserts`
        Column("inserts", "BLOB"),  # `InsertLog`
        Column("changes", "BLOB"),  # a change set of SQLite's session extension, with zstd
    ),
)
KEPT = 20  # entries
KEPT_BYTES = 64 << 20  # of all entries together


class WritingCommand(StrEnum):
    """Every command that changes a database; each can be undone in a file."""

    RUN = "run"
    CAMPAIGN_ADD = "campaign add"
    CAMPAIGN_ADD_TYPE = "campaign add-type"
    CAMPAIGN_SET = "campaign set"
    CAMPAIGN_SET_TYPE = "campaign set-type"
    CAMPAIGN_IMPORT = "campaign import"
    CAMPAIGN_REMOVE = "campaign remove"
    CAMPAIGN_TARGETS_ADD = "campaign targets add"
    CAMPAIGN_TARGETS_REMOVE = "campaign targets remove"
    CONTACTS_IMPORT = "contacts import"
    INTAKE = "intake"
    SUPPRESSION_ADD = "suppression add"
    SUPPRESSION_END = "suppression end"
    SUPPRESSION_IMPORT = "suppression import"
    MARK = "mark"
    CONFIG = "config"
    APPLY = "apply"

    @property
    def word(self) -> str:
        """Return what the run ids of its versions begin with in a store."""
        return self.value.replace(" ", "-")


@dataclass(frozen=True)
class UndoEntry:
    """What one transaction of a command changed."""

    command: str
    detail: str = ""
    event: str = ""
    done_at: str = ""
    refused: str = ""
    schema: str = ""
    inserted: int = 0
    inserts: bytes = b""
    changes: bytes = b""
    id: int = 0

    @property
    def size(self) -> int:
        """Return the bytes of what it keeps."""
        return len(self.inserts) + len(self.changes)

    def follows(self, earlier: UndoEntry) -> bool:
        """Return whether it is a later step of the command of an earlier entry, its replan."""
        return bool(earlier.event) and self.event.startswith(f"{earlier.event}.")


def keep(connection: apsw.Connection, entry: UndoEntry) -> None:
    """Add an entry, and drop the oldest beyond KEPT and KEPT_BYTES.

    Where an entry cannot be undone, those before it cannot be either: they go.
    """
    complete(connection, UNDO)
    values = {name: getattr(entry, name) for name in _NAMES}
    places = ", ".join(f":{name}" for name in _NAMES)
    sql = f"INSERT INTO main.{UNDO.name} ({', '.join(_NAMES)}) VALUES ({places})"
    connection.execute(sql, values)
    own = connection.last_insert_rowid()
    if entry.refused:
        drop(connection, own, "<")
        return
    total = 0
    sql = f"SELECT id, length(inserts) + length(changes) FROM main.{UNDO.name} ORDER BY id DESC"
    for number, (row, size) in enumerate(connection.execute(sql).fetchall()):
        total += int(size or 0)
        if number >= KEPT or total > KEPT_BYTES:
            drop(connection, int(row or 0), "<=")
            break


def entries(connection: apsw.Connection) -> list[UndoEntry]:
    """Return the entries, newest first; none where the table is another program's."""
    table = describe(connection, UNDO.name)
    if table is None or not all(column.name in table.columns for column in UNDO.columns):
        return []
    rows = records(connection, f"SELECT * FROM main.{UNDO.name} ORDER BY id DESC LIMIT {KEPT}")
    return [_entry(row) for row in rows]


def drop(connection: apsw.Connection, row: int, which: str = "=") -> None:
    """Delete the entry, or with `<` or `<=` those before it."""
    connection.execute(f"DELETE FROM main.{UNDO.name} WHERE id {which} ?", (row,))


def forget(connection: apsw.Connection) -> None:
    """Take the table away: in a store versions are gone back to instead."""
    table = describe(connection, UNDO.name)
    if table is not None and table.kind == "table":
        connection.execute(f"DROP TABLE main.{UNDO.name}")


def commands(found: Sequence[UndoEntry]) -> list[list[UndoEntry]]:
    """Return the entries by the command that made them, in the same order."""
    groups: list[list[UndoEntry]] = []
    for entry in found:
        if groups and groups[-1][-1].follows(entry):
            groups[-1].append(entry)
        else:
            groups.append([entry])
    return groups


_NAMES = tuple(column.name for column in UNDO.columns if column.name != "id")


def _entry(row: Record) -> UndoEntry:
    values: dict[str, Any] = {name: row[name] or "" for name in _NAMES}
    for name in ("inserts", "changes"):
        values[name] = bytes(row[name] or b"")
    return UndoEntry(**values | {"inserted": int(row["inserted"] or 0), "id": int(row["id"])})
