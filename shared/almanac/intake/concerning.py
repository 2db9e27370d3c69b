"""Which of the events that wait concern the messages of a day, and which of their entries.

Entries are looked at as they came; applying them says whether they are valid. A retry concerns no
day before its run, which finds the message a day.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import Any, Self

import apsw

from almanac.config import ContactColumns
from almanac.database.contact_columns import contacts_of
from almanac.database.sql import columns_of
from almanac.intake.events import MAX_ENTRIES
from almanac.intake.inbox import Received
from almanac.schedule_status import COMPLAINT, RETRY, Status

APPLIED = frozenset({"deliveries", "suppressions", "contacts"})
# one of these marks is enough to give a message to the sender
_GIVING = {Status.SCHEDULED.value, Status.PROCESSING.value, Status.SENT.value}
_GIVING |= {Status.DELIVERED.value, Status.FAILED.value}
_MATCHED = ("id", "status", "at", "contact_id", "scheduled_send_date", "email_type")
# marks that concern an address, and so other messages than their own
_OF_ADDRESSES = {Status.BOUNCED.value, COMPLAINT}

Entry = Mapping[str, Any]
_Chosen = tuple[dt.datetime, Entry]  # and when it came
AddressesOf = Callable[[Collection[int]], Mapping[int, str]]  # row -> its contact's address


@dataclass(frozen=True)
class DayKeys:
    """What names the messages of a day: their rows, contacts and addresses.

    Addresses are read when they are first asked for: few marks name one.
    """

    rows: Mapping[int, int]  # with the contact of each
    contacts: set[int]
    _read_addresses: Callable[[], set[str]] = set

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
            return cls({}, set())
        of_rows = f"SELECT {rows.row_id()}, {rows.id_or_zero('contact_id')} FROM email_schedules"

        def addresses() -> set[str]:
            texts = values(people.text("email"), "contacts")
            return {str(text).strip().lower() for text in texts} - {""}

        contacts = values(people.whole("id"), "contacts")
        return cls(dict(connection.execute(of_rows)), contacts, addresses)


@dataclass(frozen=True)
class Concerning:
    """Events of those entries that may change a message of the day, however many came each alone.

    further: the rows of other days whose marks do, since they concern an address.
    """

    events: Sequence[Received]
    further: Collection[int]


def concerning(
    keys: DayKeys, received: Sequence[Received], addresses_of: AddressesOf, *, claimed: bool
) -> Concerning:
    """Choose the entries that concern a day.

    claimed: also what became of claimed messages counts, and not only that they are claimed.
    """
    marks = _entries(received, "deliveries")
    contacts = {
        _number(each.get("id")): each
        for each in _entries(received, "contacts")
        if _is_of(keys, each, "id")
    }
    if contacts:  # they may have other addresses since
        known = keys.addresses | {_word(each.get("email")) for each in contacts.values()} - {""}
        keys = DayKeys(keys.rows, keys.contacts, lambda: known)
    further = _further(keys, marks, addresses_of)
    if claimed:
        open_claims = (each for each in marks if _word(each.get("status")) == Status.PROCESSING)
        further |= {row for each in open_claims if (row := _number(each.get("id"))) is not None}
        further -= keys.rows.keys()
    choose = _Choice(keys, further, claimed)
    chosen: dict[str, list[_Chosen]] = {kind: [] for kind in APPLIED}
    for each in received:
        for entry in _entries([each], each.kind) if each.kind in APPLIED else ():
            if choose(each.kind, entry):
                needed = choose.needed(entry) if each.kind == "deliveries" else entry
                chosen[each.kind].append((each.received, needed))
    events = [event for kind, entries in chosen.items() for event in _regrouped(kind, entries)]
    return Concerning(events, further)


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
    """Whether an entry counts, entry by entry in their order."""

    def __init__(self, keys: DayKeys, further: set[int], claimed: bool) -> None:
        self._keys, self._further, self._claimed = keys, further, claimed
        self._given: set[int] = set()  # rows that marks give to the sender for certain

    def __call__(self, kind: str, entry: Entry) -> bool:
        match kind:
            case "deliveries":
                return self._mark(entry)
            case "suppressions":
                return bool(entry.get("phone")) or _is_of(self._keys, entry, "contact_id")
            case _:
                return _is_of(self._keys, entry, "id")

    def needed(self, entry: Entry) -> Entry:
        """Return what is needed of a mark: of a row of the day what it must match."""
        if self._claimed or _number(entry.get("id")) not in self._keys.rows:
            return entry
        return {key: entry[key] for key in _MATCHED if key in entry}

    def _mark(self, entry: Entry) -> bool:
        status, row = _word(entry.get("status")), _number(entry.get("id"))
        contact = _number(entry.get("contact_id"))
        if status == RETRY:
            return False
        if status in _OF_ADDRESSES and (row in self._keys.rows or row in self._further):
            return True
        if row not in self._keys.rows and row not in self._further:
            # perhaps of a row that a run has made again under another id
            return contact in self._keys.contacts
        if self._claimed or row is None:
            return True
        if row in self._given:
            return False
        if status in _GIVING and contact in (None, self._keys.rows.get(row)):
            self._given.add(row)
        return True


def _further(keys: DayKeys, marks: Sequence[Entry], addresses_of: AddressesOf) -> set[int]:
    """Return the rows of other days whose marks concern an address of this day."""
    found, unknown = set[int](), set[int]()
    for each in marks:
        row = _number(each.get("id"))
        if _word(each.get("status")) not in _OF_ADDRESSES or row is None or row in keys.rows:
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


def _entries(received: Sequence[Received], kind: str) -> list[Entry]:
    return [
        entry
        for each in received
        if each.kind == kind and isinstance(entries := each.event.get("entries"), list)
        for entry in entries
        if isinstance(entry, dict)
    ]


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
