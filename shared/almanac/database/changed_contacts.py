"""The contacts whose rows of email_schedules a connection changes, whatever statement does it."""

from __future__ import annotations

from dataclasses import replace

import apsw
import numpy as np

from almanac.database.catalog import scalar
from almanac.database.sql import columns_of
from almanac.frames import Ids

_TABLE = "almanac_changed_contacts"
_MAY_REPLACE = (
    "SELECT count(*) FROM main.sqlite_schema WHERE sql LIKE '%REPLACE%' "
    "AND (type = 'trigger' OR lower(name) = 'email_schedules')"
)
_EVENTS = {"INSERT": ("new",), "UPDATE": ("old", "new"), "DELETE": ("old",)}


class ChangedContacts:
    """Notes contacts by temporary triggers of the connection, until it has noted `most`.

    Rows that a conflict clause REPLACE deletes fire no trigger. Only triggers of others can have
    one, and a table of others: where the word occurs, there are too many.
    """

    def __init__(self, connection: apsw.Connection, most: int) -> None:
        self._connection = connection
        self._most = most
        self._noting = not scalar(connection, _MAY_REPLACE)
        if not self._noting:
            return
        # by number, so that the last one is also how many there are
        connection.execute(
            f"CREATE TEMP TABLE {_TABLE} (n INTEGER PRIMARY KEY, contact INTEGER UNIQUE)"
        )
        columns = columns_of(connection, "email_schedules")
        for event, rows in _EVENTS.items():
            statements = "".join(
                f"INSERT INTO {_TABLE} (contact) SELECT contact FROM (SELECT {named} AS contact) "
                f"WHERE contact NOT IN (SELECT contact FROM {_TABLE}); "
                for named in (replace(columns, alias=row).whole("contact_id") for row in rows)
            )
            connection.execute(
                f"CREATE TEMP TRIGGER {_TABLE}_{event} AFTER {event} ON main.email_schedules "
                f"BEGIN {statements} END"
            )

    def check(self) -> None:
        """Stop if there are too many; to be called from time to time."""
        if self._noting and self._count() > self._most:
            self._stop()

    def take(self) -> Ids | None:
        """Stop, and return the contacts, ascending; None if there are too many, or any might be."""
        self.check()
        if not self._noting:
            return None
        triggers = f"SELECT count(*) FROM temp.sqlite_schema WHERE name GLOB '{_TABLE}_*'"
        if scalar(self._connection, triggers) < len(_EVENTS):  # the table was dropped meanwhile
            self._stop()
            return None
        found = self._connection.execute(f"SELECT contact FROM temp.{_TABLE} ORDER BY contact")
        ids = np.fromiter((contact for (contact,) in found), np.int64)
        self._stop()
        return ids

    def _count(self) -> int:
        return int(scalar(self._connection, f"SELECT COALESCE(max(n), 0) FROM temp.{_TABLE}"))

    def _stop(self) -> None:
        self._noting = False
        for event in _EVENTS:
            self._connection.execute(f"DROP TRIGGER IF EXISTS temp.{_TABLE}_{event}")
        self._connection.execute(f"DROP TABLE temp.{_TABLE}")
