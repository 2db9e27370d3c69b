"""Search of contacts by id, address, phone number or name: by an index, else by a scan of the
table in spans of rows, so that it can stop at a limit or after some time."""

from __future__ import annotations

import time
from array import array
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import apsw

from almanac.config import ContactColumns
from almanac.database.catalog import Record, scalar
from almanac.database.contact_columns import contacts_of
from almanac.database.contact_values import name_columns, name_values
from almanac.database.sql import Columns

PERSON = ("id", "first_name", "last_name", "email", "phone_number", "state", "zip_code", "status")
_FIRST_SPAN = 20_000  # rowids that are looked through at once, more where that is quick
_QUICK = 0.05  # seconds


@dataclass
class SearchScan:
    """How far a search has come, by rowid."""

    after: int | None = None  # the rowid behind which it begins
    seconds: float | None = None  # after which it stops
    reached: int | None = None  # the last rowid that was looked at
    complete: bool = False  # whether no row is left


class ContactSearch:
    """The contacts of a database, as the configuration names their columns."""

    def __init__(self, connection: apsw.Connection, settings: ContactColumns) -> None:
        self._connection = connection
        self._columns = contacts_of(connection, settings)
        self._encoding = str(scalar(connection, "PRAGMA encoding"))
        self._select = self._person()

    def with_id(self, contact_id: int) -> list[Record]:
        """Return the contacts with an id: several only where ids are not unique."""
        columns = self._columns
        where = f"{columns.key('id')} = :id AND {columns.whole('id')} IS NOT NULL"
        return list(self._rows(where, {"id": contact_id}))

    def with_ids(self, ids: Iterable[int]) -> dict[int, Record]:
        """Return the contacts with these ids, by id; of several with one id the first."""
        columns = self._columns
        where = f"{columns.key('id')} IN (SELECT value FROM carray(:ids))"
        found: dict[int, Record] = {}
        for record in self._rows(where, {"ids": apsw.carray(array("q", ids))}):
            if record["id"] is not None:
                found.setdefault(record["id"], record)
        return found

    def by_address_index(self, addresses: list[str]) -> list[Record]:
        """Return the contacts with exactly one of the addresses; [] without an index of them."""
        columns = self._columns
        if columns.table is None or columns.column("email") not in columns.table.leading:
            return []
        names = {f"a{number}": address for number, address in enumerate(addresses)}
        where = f"{columns.raw('email')} IN ({', '.join(f':{name}' for name in names)})"
        return list(self._rows(f"{where} AND {columns.whole('id')} IS NOT NULL", names))

    def words(self, words: list[str]) -> tuple[str, dict[str, str]]:
        """Return the condition that each word is part of the name or the address, and its values.

        SQLite compares without case among ASCII letters only: other words are also tried in upper
        and lower case.
        """
        own = Columns(self._columns.table)
        texts = [own.raw(name) for name in name_columns(self._columns) if name]
        texts.append(self._columns.raw("email"))
        values: dict[str, str] = {}
        conditions = []
        for word in words:
            tests = []
            for spelling in _spellings(word):
                name = f"w{len(values)}"
                values[name] = f"%{_escaped(spelling)}%"
                tests += [rf"{text} LIKE :{name} ESCAPE '\'" for text in texts]
            conditions.append(f"({' OR '.join(tests)})")
        return " AND ".join(conditions), values

    def digits(self, digits: str) -> tuple[str, dict[str, str]]:
        """Return the condition that a phone number may contain the digits, and its values.

        Whatever stands between digits is allowed: the caller compares the digits themselves.
        """
        return f"{self._columns.text('phone_number')} LIKE :digits", {
            "digits": f"%{'%'.join(digits)}%"
        }

    def scan(self, where: str, values: Mapping[str, str], scan: SearchScan) -> Iterator[Record]:
        """Yield the contacts that meet a condition, by rowid; `scan` says how far it has come."""
        columns = self._columns
        where = f"({where}) AND {columns.whole('id')} IS NOT NULL"
        if columns.table is None or not columns.table.has_rowid:
            yield from self._rows(where, values)
            scan.complete = True
            return
        until = None if scan.seconds is None else time.monotonic() + scan.seconds
        first, most = self._rowids()
        if scan.after is not None:
            first = max(first, scan.after + 1)
        span = _FIRST_SPAN
        while first <= most:
            began, last = time.monotonic(), min(first + span - 1, most)
            bounds: dict[str, str | int] = {**values, "first": first, "last": last}
            for record in self._rows(f"rowid BETWEEN :first AND :last AND {where}", bounds):
                scan.reached = record["rowid"]
                yield record
            scan.reached = last
            if until is not None and time.monotonic() >= until and last < most:
                return
            if time.monotonic() - began < _QUICK:
                span *= 4
            first = last + 1
        scan.complete = True

    def _rowids(self) -> tuple[int, int]:
        """Return the first and the last rowid; (0, -1) for an empty table."""
        sql = f"SELECT min(rowid), max(rowid) FROM {self._columns.source}"
        least, most = self._connection.execute(sql).fetchone() or (None, None)
        return (0, -1) if least is None or most is None else (int(least), int(most))

    def _person(self) -> dict[str, str]:
        columns = self._columns
        select = {"id": columns.whole("id")} | name_values(columns)
        for name in PERSON[3:]:
            select[name] = columns.text(name)
        return select

    def _rows(self, where: str, values: Mapping[str, Any]) -> Iterator[Record]:
        columns = self._columns
        if columns.table is None:
            return
        texts = [f"CAST({sql} AS BLOB)" for name, sql in self._select.items() if name != "id"]
        rowid = "rowid" if columns.table.has_rowid else "0"
        sql = f"SELECT {', '.join([rowid, self._select['id'], *texts])} FROM {columns.source}"
        order = " ORDER BY rowid" if columns.table.has_rowid else ""
        names = ["rowid", *self._select]
        for cells in self._connection.execute(f"{sql} WHERE {where}{order}", values):
            yield {
                name: cell.decode(self._encoding, "replace").strip()
                if isinstance(cell, bytes)
                else cell
                for name, cell in zip(names, cells, strict=True)
            }


def _spellings(word: str) -> list[str]:
    if word.isascii():
        return [word]
    return list(dict.fromkeys((word, word.lower(), word.upper(), word.title())))


def _escaped(word: str) -> str:
    r"""Return a word as LIKE takes it, with \ before what would be a wildcard."""
    for sign in "\\%_":
        word = word.replace(sign, f"\\{sign}")
    return word
