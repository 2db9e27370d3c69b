"""The contacts whose rows of email_schedules a connection changes, whatever statement does it."""

from __future__ import annotations

import re
from dataclasses import replace

import apsw
import numpy as np

from almanac.database.catalog import scalar
from almanac.database.sql import columns_of
from almanac.frames import Ids

_TABLE = "almanac_changed_contacts"
# the function of the name is none
_REPLACES = {
    "trigger": re.compile(r"\bREPLACE\b(?!\s*\()", re.IGNORECASE),
    "table": re.compile(r"\bON\s+CONFLICT\s+REPLACE\b", re.IGNORECASE),
}
# what each event notes of a row: nothing is looked up, which would take five times as long
_EVENTS = {
    "INSERT": "INSERT INTO {table} (contact) VALUES ({new});",
    "UPDATE": "INSERT INTO {table} (contact) VALUES ({new}); "
    "INSERT INTO {table} (contact) SELECT {old} WHERE {new} IS NOT {old};",
    "DELETE": "INSERT INTO {table} (contact) VALUES ({old});",
}


class ChangedContacts:
    """Notes contacts by temporary triggers of the connection, until it has noted `most`.

    Rows that a conflict clause REPLACE deletes fire no trigger. Where a trigger or the table has
    such a clause, which are others' then, all contacts may have changed.
    """

    def __init__(self, connection: apsw.Connection, most: int) -> None:
        self._connection = connection
        self._most = self._counted_at = most
        self._noting = not _may_replace(connection)
        if not self._noting:
            return
        # by number, so that the last one is also how many rows there are
        connection.execute(f"CREATE TEMP TABLE {_TABLE} (n INTEGER PRIMARY KEY, contact INTEGER)")
        columns = columns_of(connection, "email_schedules")
        named = {row: replace(columns, alias=row).whole("contact_id") for row in ("old", "new")}
        for event, statements in _EVENTS.items():
            connection.execute(
                f"CREATE TEMP TRIGGER {_TABLE}_{event} AFTER {event} ON main.email_schedules "
                f"BEGIN {statements.format(table=_TABLE, **named)} END"
            )

    def check(self) -> None:
        """Stop if there are too many; to be called from time to time."""
        if not self._noting:
            return
        rows = int(scalar(self._connection, f"SELECT COALESCE(max(n), 0) FROM temp.{_TABLE}"))
        if rows > self._counted_at:
            if len(self._noted()) > self._most:
                self._stop()
            self._counted_at = 2 * rows

    def take(self) -> Ids | None:
        """Stop, and return the contacts, ascending; None if there are too many, or any might be."""
        if not self._noting:
            return None
        triggers = f"SELECT count(*) FROM temp.sqlite_schema WHERE name GLOB '{_TABLE}_*'"
        whole = scalar(self._connection, triggers) == len(_EVENTS)  # the table was not dropped
        ids = self._noted()
        self._stop()
        return ids if whole and len(ids) <= self._most else None

    def _noted(self) -> Ids:
        sql = f"SELECT contact FROM temp.{_TABLE} WHERE contact IS NOT NULL"
        found = self._connection.execute(sql)
        return np.unique(np.fromiter((contact for (contact,) in found), np.int64))

    def _stop(self) -> None:
        self._noting = False
        for event in _EVENTS:
            self._connection.execute(f"DROP TRIGGER IF EXISTS temp.{_TABLE}_{event}")
        self._connection.execute(f"DROP TABLE temp.{_TABLE}")


def _may_replace(connection: apsw.Connection) -> bool:
    sql = (
        "SELECT type, COALESCE(sql, '') FROM main.sqlite_schema "
        "WHERE type = 'trigger' OR type = 'table' AND lower(name) = 'email_schedules'"
    )
    return any(_REPLACES[kind].search(text) for kind, text in connection.execute(sql))
