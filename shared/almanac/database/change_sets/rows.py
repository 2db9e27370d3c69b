"""What a change set holds: how many rows of which tables, and what their columns are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import apsw

from almanac.database.catalog import records
from almanac.errors import InputError

INSERT, UPDATE, DELETE = "INSERT", "UPDATE", "DELETE"
ROWID = "_rowid_"  # what a table without a key has in place of one


@dataclass(frozen=True)
class RowCounts:
    """The rows of a table that were added, changed and deleted."""

    table: str
    added: int = 0
    changed: int = 0
    deleted: int = 0

    @property
    def total(self) -> int:
        """Return the number of rows."""
        return self.added + self.changed + self.deleted


@dataclass(frozen=True)
class StoredTable:
    """The columns of a table that are stored, in their order, and those of its key."""

    name: str
    columns: list[str] = field(default_factory=list)
    key: list[str] = field(default_factory=list)

    @property
    def recorded(self) -> list[str]:
        """Return the columns as a change set has them: the rowid first if there is no key."""
        return self.columns if self.key else [ROWID, *self.columns]

    @property
    def places(self) -> set[int]:
        """Return which of these are the key."""
        return {n for n, name in enumerate(self.recorded) if name in (self.key or [ROWID])}


def stored_tables(connection: apsw.Connection, schema: str = "main") -> dict[str, StoredTable]:
    """Return the tables of a database by name in lower case; views and virtual tables are none.

    What a virtual table keeps its rows in (FTS, R*Tree) is a table like others.
    """
    sql = (
        "SELECT list.name AS of, column.name, column.pk FROM pragma_table_list AS list "
        f"JOIN pragma_table_xinfo(list.name, {apsw.format_sql_value(schema)}) AS column "
        "WHERE list.schema = ? AND list.type IN ('table', 'shadow') AND column.hidden = 0 "
        "AND list.name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY list.name, column.cid"
    )
    found: dict[str, StoredTable] = {}
    for row in records(connection, sql, schema):
        table = found.setdefault(str(row["of"]).lower(), StoredTable(str(row["of"])))
        table.columns.append(str(row["name"]))
        if row["pk"]:
            table.key.append(str(row["name"]))
    return found


def record_changes(connection: apsw.Connection) -> apsw.Session:
    """Return a session that records what changes in every table, also in one without a key."""
    session = apsw.Session(connection, "main")
    # rows of a table without a key are known by their rowid
    session.config(apsw.SQLITE_SESSION_OBJCONFIG_ROWID, 1)
    session.attach()
    return session


def tally(changes: bytes) -> Counter[tuple[str, str]]:
    """Count the rows of a change set by table and operation. Raises apsw.CorruptError."""
    return Counter((each.name, each.op) for each in apsw.Changeset.iter(changes))


def row_counts(counts: Mapping[tuple[str, str], int]) -> list[RowCounts]:
    """Return counts by table, the most rows first."""
    tables = {table for (table, _), count in counts.items() if count}
    found = [
        RowCounts(table, *(counts.get((table, op), 0) for op in (INSERT, UPDATE, DELETE)))
        for table in tables
    ]
    return sorted(found, key=lambda each: (-each.total, each.table))


def check_change_set(changes: bytes, name: str) -> list[RowCounts]:
    """Return what a file that should be a change set holds; raise InputError if it is none.

    A change set has no end mark: one that was cut off between two rows is taken for a shorter one.
    """
    if not changes:
        raise InputError(f"{name}: is empty; expected a change set of SQLite's session extension")
    if changes.startswith(b"P"):
        raise InputError(
            f"{name}: is a patch set, which lacks the old values; expected a change set"
        )
    if not changes.startswith(b"T"):
        hint = "; apply a file of --format changeset" if changes[:1] in b"{-B" else ""
        raise InputError(f"{name}: is no change set of SQLite's session extension{hint}")
    try:
        return row_counts(tally(changes))
    except (apsw.CorruptError, UnicodeDecodeError) as error:
        raise InputError(
            f"{name}: is no whole change set: it is cut off or damaged ({error})"
        ) from error
