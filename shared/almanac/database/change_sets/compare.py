"""The change set that makes one database file of another."""

from __future__ import annotations

from pathlib import Path

import apsw

from almanac.database.change_sets.rows import StoredTable, stored_tables
from almanac.database.opening import live_uri, map_errors, open_database
from almanac.database.undo.entries import UNDO
from almanac.errors import InputError

_OLD = "earlier"


def change_set_between(old: Path, new: Path) -> tuple[bytes, dict[str, StoredTable]]:
    """Return the change set from one file to another, and the tables of both.

    It is made in memory. Rows whose primary key has a NULL are left out, as in any change set, and
    so is what `almanac undo` keeps. Raises InputError if a table is not the same in both,
    DatabaseError.
    """
    open_database(old, writable=False).close()  # says what is wrong with it
    connection = open_database(new, writable=False)
    try:
        with map_errors(new):
            connection.execute(f"ATTACH ? AS {_OLD}", (live_uri(old),))
            connection.execute("BEGIN")
            tables = stored_tables(connection)
            tables.pop(UNDO.name, None)
            _check_same(tables, stored_tables(connection, _OLD), old, new)
            session = apsw.Session(connection, "main")
            try:
                session.config(apsw.SQLITE_SESSION_OBJCONFIG_ROWID, 1)
                session.attach()
                for table in tables.values():
                    session.diff(_OLD, table.name)
                return session.changeset(), tables
            finally:
                session.close()
    finally:
        connection.close()


def _check_same(
    tables: dict[str, StoredTable], earlier: dict[str, StoredTable], old: Path, new: Path
) -> None:
    earlier.pop(UNDO.name, None)
    for name in sorted(tables.keys() | earlier.keys()):
        there, before = tables.get(name), earlier.get(name)
        if there is None or before is None:
            raise InputError(
                f"table {name} is only in {old if there is None else new}: a change set cannot add "
                "or drop a table"
            )
        if (there.columns, there.key) != (before.columns, before.key):
            raise InputError(
                f"table {name} has other columns or another key in {new} than in {old}: a change "
                "set cannot express that"
            )
