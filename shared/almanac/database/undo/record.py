"""Record what a command changes, in the transaction that changes it."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from contextlib import contextmanager

import apsw

from almanac.database.catalog import describe
from almanac.database.rebuild import REBUILT
from almanac.database.schema import TABLES
from almanac.database.undo.entries import (
    KEPT_BYTES,
    UNDO,
    UndoEntry,
    WritingCommand,
    keep,
)
from almanac.database.undo.inserts import TABLE, InsertLog
from almanac.database.undo.packing import Packer
from almanac.database.undo.schema import (
    NotUndoable,
    SchemaChange,
    columns_by_table,
    objects_of,
    schema_change,
)

# A change set is recorded in memory; a command that changes more cannot be undone.
CHANGES_BYTES = 128 << 20
_ON_INSERT = re.compile(rf"\bINSERT\s+ON\s+\W?{TABLE}\b", re.IGNORECASE)


class ChangeRecorder:
    """Records the changes of a transaction from now on."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self._before = objects_of(connection)
        self._columns = columns_by_table(connection)
        described = [describe(connection, table.name) for table in TABLES]
        self._keyed = {each.name for each in described if each and each.rowid_alias == "id"}
        self._tables: list[str] = []
        self.refused = ""  # why the changes cannot be undone, once they are kept
        self._session: apsw.Session | None = apsw.Session(connection, "main")
        # rows of a table without a key are known by their rowid
        self._session.config(apsw.SQLITE_SESSION_OBJCONFIG_ROWID, 1)
        self._session.config(apsw.SQLITE_SESSION_OBJCONFIG_SIZE, 1)
        self._session.table_filter(self._is_recorded)
        self._session.attach()
        self._inserts = InsertLog(connection, self._session)

    @property
    def inserts(self) -> InsertLog | None:
        """Return what new planned rows go to; None if a trigger adds to what an insert does."""
        triggers = (each.sql for each in self._before.values() if each.kind == "trigger")
        return None if any(map(_ON_INSERT.search, triggers)) else self._inserts

    def watch(self) -> None:
        """Give up if there are too many changes; to be called during a long write."""
        session = self._session
        if session is not None and (
            session.changeset_size > CHANGES_BYTES or self._inserts.size > KEPT_BYTES
        ):
            self.close()
            self._inserts.stop()

    def close(self) -> None:
        """Record nothing more."""
        if self._session is not None:
            self._session.close()
            self._session = None

    def keep(self, command: WritingCommand, detail: str, event: str) -> None:
        """Keep what was changed, if anything was."""
        self.watch()
        schema, changes, inserts = SchemaChange(), b"", b""
        try:
            if self._session is None:
                raise NotUndoable("it changed too much")
            tables = [*self._tables, *([TABLE] if self._inserts.rows else [])]
            schema = schema_change(
                self._connection, self._before, self._columns, self._keyed, tables
            )
            if self._session.is_empty and not (self._inserts.rows or schema.changes):
                return
            changes, inserts = self._packed(self._session), self._inserts.blob()
            if len(changes) + len(inserts) > KEPT_BYTES:
                raise NotUndoable("it changed too much")
        except NotUndoable as error:
            self.refused, changes, inserts = str(error), b"", b""
        self.close()
        entry = UndoEntry(
            command=command.value,
            detail=detail,
            event=event,
            done_at=f"{dt.datetime.now(dt.UTC):%Y-%m-%d %H:%M:%S}",
            refused=self.refused,
            schema=schema.text(),
            inserted=self._inserts.rows,
            inserts=inserts,
            changes=changes,
        )
        keep(self._connection, entry)

    def _packed(self, session: apsw.Session) -> bytes:
        """Return the change set, compressed as it comes."""
        packer = Packer()
        session.changeset_stream(packer.add)
        return packer.end()

    def _is_recorded(self, table: str) -> bool:
        if table == UNDO.name or table.startswith(REBUILT):
            return False
        self._tables.append(table)
        return True


@contextmanager
def undoable(
    connection: apsw.Connection, command: WritingCommand, detail: str = "", event: str = ""
) -> Iterator[ChangeRecorder]:
    """Keep what the context changes in the caller's transaction, so that it can be undone.

    detail: what distinguishes this use of the command. event: the id of the campaign change.
    """
    recorder = ChangeRecorder(connection)
    try:
        yield recorder
        recorder.keep(command, detail, event)
    finally:
        recorder.close()
