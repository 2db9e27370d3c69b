"""Planned rows in columns from before a change of a database, and whose rows that changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import apsw
import numpy as np

from almanac.contact_ranges import ContactRange
from almanac.database.changed_contacts import ChangedContacts
from almanac.database.planned_pieces import PlannedPieces

# contacts with other rows: with more of them, the columns save no time
_SHARE, _FEW = 0.2, 1000


@dataclass
class CarriedRows:
    """What is taken over. pieces: None if nothing is known of what the database has."""

    pieces: PlannedPieces | None = None
    _noted: ChangedContacts | None = field(default=None, init=False)
    _schema: list[tuple[object, ...]] = field(default_factory=list, init=False)
    _most: int = field(default=0, init=False)

    def begin(self, connection: apsw.Connection, contacts: int) -> None:
        """Note from now on whose rows the connection changes; contacts: how many there are."""
        if self.pieces is not None:
            self._most = most_changed(contacts)
            self._noted = ChangedContacts(connection, self._most)
            self._schema = _schema_of(connection)

    def watch(self) -> None:
        """Stop if too much has changed; to be called from time to time."""
        if self._noted is not None:
            self._noted.check()

    def end(self, connection: apsw.Connection) -> None:
        """Take what the connection has changed; nothing is known if that is the table too."""
        noted = self._noted.take() if self._noted is not None else None
        self._noted = None
        if self.pieces is None or noted is None or _schema_of(connection) != self._schema:
            self.pieces = None
            return
        changed = np.union1d(self.pieces.changed, noted)
        self.pieces = replace(self.pieces, changed=changed) if len(changed) <= self._most else None

    def ranges(self, of_all: Sequence[ContactRange] | None) -> Sequence[ContactRange] | None:
        """Return by which ranges the columns are made afterwards; None for none.

        of_all: ranges of all contacts, if the whole table may be read for want of pieces.
        """
        if of_all is not None or self.pieces is None:
            return of_all
        return self.pieces.index.ranges()


def most_changed(contacts: int) -> int:
    """Return of how many contacts the rows may change for the columns to be of use."""
    return max(_FEW, int(contacts * _SHARE))


def _schema_of(connection: apsw.Connection) -> list[tuple[object, ...]]:
    """Return what email_schedules is, with its indexes and triggers, and where in the file."""
    sql = "SELECT name, rootpage, sql FROM main.sqlite_schema WHERE lower(tbl_name) = ? ORDER BY 1"
    return list(connection.execute(sql, ("email_schedules",)))
