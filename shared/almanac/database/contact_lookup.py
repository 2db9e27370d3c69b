"""Which rows of `contacts` have some ids, or some addresses."""

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import apsw

from almanac.database.sql import Columns
from almanac.database.suppressions import address
from almanac.errors import RequestError

Value = str | int | float | None


class ContactRow(NamedTuple):
    """A row of contacts."""

    key: Value  # by which it is found again: the rowid, where the table has one
    id: int | None  # None: not a usable id


class ContactLookup:
    """The contacts of a database, whose table must exist, by id and by address.

    columns: as `contact_columns.contacts_of` returns them.
    """

    def __init__(self, connection: apsw.Connection, columns: Columns) -> None:
        self._connection = connection
        self._columns = columns
        table = columns.table
        self.key = "rowid" if table is not None and table.has_rowid else columns.raw("id")

    def with_ids(self, ids: Collection[int]) -> dict[int, list[ContactRow]]:
        """Return the rows with these ids, by id: several where ids are not unique."""
        where = f"{self._columns.key('id')} IN (SELECT value FROM carray(?))"
        found: dict[int, list[ContactRow]] = {}
        for row, _ in self._rows("NULL", where, array("q", ids)) if ids else ():
            if row.id is not None:
                found.setdefault(row.id, []).append(row)
        return found

    def with_addresses(self, addresses: Collection[str]) -> dict[str, list[ContactRow]]:
        """Return the rows with these addresses (trimmed, in lower case), by address.

        Reads all addresses, since no index leads to one in any case: from an index that has them,
        or else from the whole table.
        """
        sql = address(self._columns)
        where = f"{sql} IN (SELECT value FROM carray(?))"
        if self.key == "rowid" and not self._columns.is_rowid("id"):
            # an index with the addresses does not have such ids: its rows are looked up after it
            where = f"rowid IN (SELECT rowid FROM {self._columns.source} WHERE {where})"
        found: dict[str, list[ContactRow]] = {}
        for row, text in self._rows(sql, where, tuple(addresses)) if addresses else ():
            found.setdefault(text, []).append(row)
        return found

    def _rows(
        self, text: str, where: str, wanted: array[int] | Sequence[str]
    ) -> Iterator[tuple[ContactRow, str]]:
        sql = (
            f"SELECT {self.key}, {self._columns.whole('id')}, {text} "
            f"FROM {self._columns.source} WHERE {where}"
        )
        # sorted here: for an order of SQL the table would be read, and not an index with addresses
        rows: list[tuple[Any, ...]] = list(self._connection.execute(sql, (apsw.carray(wanted),)))
        for key, number, found in sorted(rows) if self.key == "rowid" else rows:
            yield ContactRow(key, number), found


class KnownAddresses:
    """The contacts with some addresses, all looked up at once by the first who asks.

    Who changes addresses changes what is found; addresses: trimmed, in lower case.
    """

    def __init__(self, addresses: Iterable[str] = ()) -> None:
        self._addresses = set(addresses)
        self._found: dict[str, list[ContactRow]] | None = None

    def among(
        self, addresses: Collection[str], lookup: ContactLookup
    ) -> dict[str, list[ContactRow]]:
        """Return the rows by address, with these addresses among them."""
        if not addresses:
            return {}
        if self._found is None or not self._addresses.issuperset(addresses):
            self._addresses = set(addresses)
            self._found = lookup.with_addresses(self._addresses)
        return self._found

    @property
    def addresses(self) -> Collection[str]:
        """All that are looked up."""
        return self._addresses

    def forget(self) -> None:
        """Look them up again: what was written is undone."""
        self._found = None


def only_contact(rows: Sequence[ContactRow], what: str) -> int:
    """Return the id of the one contact; RequestError for none, several, or an unusable id.

    what: by what it was looked up, such as `email: 'ada@example.com'`.
    """
    if not rows:
        raise RequestError(f"{what}: there is no such contact")
    if len(rows) > 1:
        raise RequestError(f"{what}: {shared(rows)}; expected contact_id")
    if rows[0].id is None:
        raise RequestError(f"{what}: the id of this contact is no whole number")
    return rows[0].id


def shared(rows: Sequence[ContactRow]) -> str:
    """Return that several contacts have something, in words."""
    return f"{len(rows)} contacts have it, {rows[0].id} and {rows[1].id} among them"
