"""Which of the events that wait concern the messages of a day, and which of their entries.

Entries are looked at as they came; applying them says whether they are valid. A retry concerns no
day before its run, which finds the message a day.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from itertools import groupby
from typing import Any, Self

import apsw

from almanac.config_contacts import ContactColumns
from almanac.database.contact_columns import contacts_of
from almanac.database.row_states import RowState
from almanac.database.sql import columns_of
from almanac.intake.alike import OF_ADDRESSES, Alike, Entry, alike, states_of
from almanac.intake.events import MAX_ENTRIES
from almanac.intake.inbox import Received
from almanac.schedule_status import RETRY, Status

APPLIED = frozenset({"deliveries", "suppressions", "contacts"})
_MATCHED = ("id", "status", "at", "contact_id", "scheduled_send_date", "email_type")

_Chosen = tuple[dt.datetime, Entry]  # and when it came
AddressesOf = Callable[[Collection[int]], Mapping[int, str]]  # row -> its contact's address
StatesOf = Callable[[Collection[int]], Mapping[int, RowState]]


@dataclass(frozen=True)
class DayKeys:
    """What names the messages of a day: their rows, contacts and addresses.

    Contacts and addresses are read when they are first asked for: few marks need them.
    """

    rows: Mapping[int, int]  # with the contact of each
    _read_contacts: Callable[[], set[int]] = set
    _read_addresses: Callable[[], set[str]] = set
    states: StatesOf = field(default=lambda rows: {})  # as `states_of`

    @cached_property
    def contacts(self) -> set[int]:
        """Those that the messages are for."""
        return self._read_contacts()

    @cached_property
    def addresses(self) -> set[str]:
        """Those of the contacts, trimmed, in lower case."""
        return self._read_addresses()

    @classmethod
    def of(cls, connection: apsw.Connection, settings: ContactColumns) -> Self:
        """Return those of an extract of the day."""
        rows = columns_of(connection, "email_schedules")
        people = contacts_of(connection, settings)

        def values(sql: str, table: str) -> set[Any]:
            return {value for (value,) in connection.execute(f"SELECT {sql} FROM {table}")}

        if rows.table is None or people.table is None:
            return cls({})
        of_rows = f"SELECT {rows.row_id()}, {rows.id_or_zero('contact_id')} FROM email_schedules"

        def addresses() -> set[str]:
            texts = values(people.text("email"), "contacts")
            return {str(text).strip().lower() for text in texts} - {""}

        contacts = partial(values, people.whole("id"), "contacts")
        states = partial(states_of, connection)
        return cls(dict(connection.execute(of_rows)), contacts, addresses, states)


@dataclass(frozen=True)
class Concerning:
    """Events of those entries that may change a message of the day, however many came each alone.

    further: the rows of other days whose marks do, since they concern an address. alike: rows of
    the day whose marks are left out, since the same becomes of them as of a row whose marks are in.
    """

    events: Sequence[Received]
    further: Collection[int]
    alike: Alike = field(default_factory=dict)


def concerning(
    keys: DayKeys, received: Sequence[Received], addresses_of: AddressesOf, *, claimed: bool
) -> Concerning:
    """Choose the entries that concern a day.

    claimed: also what became of claimed messages counts, and not only that they are claimed.
    """
    waiting = _waiting(received)
    same = {} if claimed else _alike(keys, waiting["deliveries"])
    if same:
        others = {row for rows in same.values() for row in rows}
        waiting["deliveries"] = [
            mark for mark in waiting["deliveries"] if _number(mark[1].get("id")) not in others
        ]
    contacts = {
        _number(each.get("id")): each for _, each in waiting["contacts"] if _is_of(keys, each, "id")
    }
    if contacts:  # they may have other addresses since
        known = keys.addresses | {_word(each.get("email")) for each in contacts.values()} - {""}
        keys = replace(keys, _read_addresses=lambda: known)
    marks = [entry for _, entry in waiting["deliveries"]]
    further = _further(keys, marks, addresses_of)
    if claimed:
        open_claims = (each for each in marks if _word(each.get("status")) == Status.PROCESSING)
        further |= {row for each in open_claims if (row := _number(each.get("id"))) is not None}
        further -= keys.rows.keys()
    choose = _Choice(keys, further, claimed)
    events = [
        event
        for kind, entries in waiting.items()
        for event in _regrouped(kind, choose.those(kind, entries))
    ]
    return Concerning(events, further, same)


def _alike(keys: DayKeys, marks: Sequence[_Chosen]) -> Mapping[int, Sequence[int]]:
    """Return the rows of the day that become alike by their marks."""
    by_row: dict[int, list[Entry]] = {}
    elsewhere: set[int | None] = set()
    for _, entry in marks:
        row = entry.get("id")
        if type(row) is not int:
            row = _number(row)
        if row is not None and row in keys.rows:
            by_row.setdefault(row, []).append(entry)
        else:  # perhaps of a row that a run has made again under another id
            elsewhere.add(_number(entry.get("contact_id")))
    alone = {row: found for row, found in by_row.items() if keys.rows[row] not in elsewhere}
    return alike(alone, keys.rows, keys.states(alone)) if alone else {}


def _regrouped(kind: str, chosen: Sequence[_Chosen]) -> Iterator[Received]:
    """Yield events of the entries in their order; all of an event came on the same date anywhere.

    An event of its own for each entry would take most of the time.
    """
    # no zone begins a day within a quarter of an hour
    for slot, found in groupby(chosen, lambda each: int(each[0].timestamp()) // 900):
        entries = [entry for _, entry in found]
        for at in range(0, len(entries), MAX_ENTRIES):
            event_id = f"{kind}-{slot}-{at}"
            part = entries[at : at + MAX_ENTRIES]
            event = {"event_id": event_id, "org_id": "due", "entries": part}
            when = dt.datetime.fromtimestamp(slot * 900, dt.UTC)
            # its id is unique: no need to hash what it has
            yield Received(kind=kind, event=event, received=when, source="command", digest=event_id)


class _Choice:
    """Whether an entry counts."""

    def __init__(self, keys: DayKeys, further: set[int], claimed: bool) -> None:
        self._keys, self._further, self._claimed = keys, further, claimed

    def those(self, kind: str, entries: Sequence[_Chosen]) -> list[_Chosen]:
        """Return the entries of a kind that count, with what is needed of each."""
        if kind == "deliveries":
            return [(came, self._needed(each)) for came, each in entries if self._mark(each)]
        key = "contact_id" if kind == "suppressions" else "id"
        return [
            (came, each)
            for came, each in entries
            if _is_of(self._keys, each, key) or (kind == "suppressions" and each.get("phone"))
        ]

    def _needed(self, entry: Entry) -> Entry:
        """Return what is needed of a mark: of a row of the day what it must match."""
        if self._claimed or _number(entry.get("id")) not in self._keys.rows:
            return entry
        return {key: entry[key] for key in _MATCHED if key in entry}

    def _mark(self, entry: Entry) -> bool:
        row = _number(entry.get("id"))
        if _word(entry.get("status")) == RETRY:
            return False
        if row in self._keys.rows or row in self._further:
            return True
        # perhaps of a row that a run has made again under another id
        return _number(entry.get("contact_id")) in self._keys.contacts


def _further(keys: DayKeys, marks: Sequence[Entry], addresses_of: AddressesOf) -> set[int]:
    """Return the rows of other days whose marks concern an address of this day."""
    found, unknown = set[int](), set[int]()
    for each in marks:
        row = _number(each.get("id"))
        if _word(each.get("status")) not in OF_ADDRESSES or row is None or row in keys.rows:
            continue
        if _is_of(keys, each, "contact_id"):
            found.add(row)
        elif not _word(each.get("email")):
            unknown.add(row)
    others = addresses_of(unknown).items() if unknown else ()
    return found | {row for row, address in others if address in keys.addresses}


def _is_of(keys: DayKeys, entry: Entry, key: str) -> bool:
    if _number(entry.get(key)) in keys.contacts:
        return True
    address = _word(entry.get("email"))
    return address != "" and address in keys.addresses


def _waiting(received: Sequence[Received]) -> dict[str, list[_Chosen]]:
    """Return all entries that may concern a day by kind, in their order."""
    found: dict[str, list[_Chosen]] = {kind: [] for kind in APPLIED}
    for each in received:
        entries = each.event.get("entries") if each.kind in APPLIED else None
        if isinstance(entries, list):
            came = each.received
            found[each.kind] += [(came, entry) for entry in entries if isinstance(entry, dict)]
    return found


def _word(value: object) -> str:
    return value.strip().lower() if isinstance(value, str) else ""


def _number(value: object) -> int | None:
    """Return a whole number, also of a text or a fraction that is one."""
    if type(value) is int:
        return value
    try:
        return int(value) if isinstance(value, int | float | str) else None
    except (ValueError, OverflowError):
        return None
