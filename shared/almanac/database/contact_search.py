"""Search of contacts by id, address, phone number or name: by an index, else by a scan of the
table in spans of rows, so that it can stop at a limit or after some time."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from almanac.database.catalog import Record, scalar
from almanac.database.contact_reader import ContactReader
from almanac.database.contact_values import name_columns
from almanac.database.sql import Columns

_FIRST_SPAN = 20_000  # rowids that are looked through at once, more where that is quick
_QUICK = 0.05  # seconds


@dataclass
class SearchScan:
    """How far a search has come, by rowid."""

    after: int | None = None  # the rowid behind which it begins
    seconds: float | None = None  # after which it stops
    reached: int | None = None  # the last rowid that was looked at
    complete: bool = False  # whether no row is left


class ContactSearch(ContactReader):
    """Finds contacts by text."""

    def by_address_index(self, addresses: list[str]) -> list[Record]:
        """Return the contacts with exactly one of the addresses; [] without an index of them."""
        columns = self.columns
        if columns.table is None or columns.column("email") not in columns.table.leading:
            return []
        names = {f"a{number}": address for number, address in enumerate(addresses)}
        where = f"{columns.raw('email')} IN ({', '.join(f':{name}' for name in names)})"
        return list(self.rows(f"{where} AND {columns.whole('id')} IS NOT NULL", names))

    def words(self, words: list[str]) -> tuple[str, dict[str, str]]:
        """Return the condition that each word is part of the name or the address, and its values.

        SQLite compares without case among ASCII letters only: other words are also tried in upper
        and lower case.
        """
        own = Columns(self.columns.table)
        texts = [own.raw(name) for name in name_columns(self.columns) if name]
        texts.append(self.columns.raw("email"))
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
        return f"{self.columns.text('phone_number')} LIKE :digits", {
            "digits": f"%{'%'.join(digits)}%"
        }

    def scan(self, where: str, values: Mapping[str, str], scan: SearchScan) -> Iterator[Record]:
        """Yield the contacts that meet a condition, by rowid; `scan` says how far it has come."""
        columns = self.columns
        where = f"({where}) AND {columns.whole('id')} IS NOT NULL"
        if columns.table is None or not columns.table.has_rowid:
            yield from self.rows(where, values)
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
            for record in self.rows(f"rowid BETWEEN :first AND :last AND {where}", bounds):
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
        # as two queries each is one search, as one they read the whole table
        least, most = (
            scalar(self.connection, f"SELECT {which}(rowid) FROM {self.columns.source}")
            for which in ("min", "max")
        )
        return (0, -1) if least is None or most is None else (int(least), int(most))


def _spellings(word: str) -> list[str]:
    if word.isascii():
        return [word]
    return list(dict.fromkeys((word, word.lower(), word.upper(), word.title())))


def _escaped(word: str) -> str:
    r"""Return a word as LIKE takes it, with \ before what would be a wildcard."""
    for sign in "\\%_":
        word = word.replace(sign, f"\\{sign}")
    return word
