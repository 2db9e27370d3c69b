"""Rows of contacts by id, with what people know a contact by and what decides whether it is sent
a message: a few rows, without a columnar library."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import apsw

from almanac.config_contacts import ContactColumns
from almanac.database.catalog import Record, scalar
from almanac.database.contact_columns import contacts_of
from almanac.database.contact_values import contact_values, name_values

PERSON = ("id", "first_name", "last_name", "email", "phone_number", "state", "zip_code", "status")
_NUMBERS = ("id", "consents")


class ContactReader:
    """The contacts of a database, as the configuration names their columns.

    Their records have PERSON, opt_out and consents (see `contact_values`), and rowid; texts are
    without white space around them.
    """

    def __init__(self, connection: apsw.Connection, settings: ContactColumns) -> None:
        self.connection = connection
        self.columns = contacts_of(connection, settings)
        self._encoding = str(scalar(connection, "PRAGMA encoding"))
        values = contact_values(self.columns, settings) | name_values(self.columns)
        self._select = {name: values[name] for name in (*PERSON, "opt_out", "consents")}

    @property
    def absent(self) -> Record:
        """Return the record of a contact that does not exist: its id is None."""
        return dict.fromkeys(("rowid", *self._select))

    def with_id(self, contact_id: int) -> list[Record]:
        """Return the contacts with an id: several only where ids are not unique."""
        where = f"{self.columns.key('id')} = :id AND {self.columns.whole('id')} IS NOT NULL"
        return list(self.rows(where, {"id": contact_id}))

    def with_ids(self, ids: Iterable[int]) -> dict[int, Record]:
        """Return the contacts with these ids, by id; of several with one id the first.

        By the index of ids, or else by a scan of the table.
        """
        where = f"{self.columns.key('id')} IN (SELECT value FROM carray(:ids))"
        found: dict[int, Record] = {}
        for record in self.rows(where, {"ids": apsw.carray(array("q", ids))}):
            if record["id"] is not None:
                found.setdefault(record["id"], record)
        return found

    def rows(self, where: str, values: Mapping[str, Any]) -> Iterator[Record]:
        """Yield the contacts that meet a condition, in table order."""
        table = self.columns.table
        if table is None:
            return
        rowid = "rowid" if table.has_rowid else "0"
        cells = [
            sql if name in _NUMBERS else f"CAST({sql} AS BLOB)"
            for name, sql in self._select.items()
        ]
        sql = f"SELECT {', '.join([rowid, *cells])} FROM {self.columns.source} WHERE {where}"
        order = " ORDER BY rowid" if table.has_rowid else ""
        names = ["rowid", *self._select]
        for row in self.connection.execute(sql + order, values):
            yield {
                name: cell.decode(self._encoding, "replace").strip()
                if isinstance(cell, bytes)
                else cell
                for name, cell in zip(names, row, strict=True)
            }
