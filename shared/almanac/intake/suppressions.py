"""Apply suppressions that come in as events: to whom nothing is to be sent, and where that ends."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterator, Sequence

import apsw
import pyarrow as pa
import pyarrow.compute as pc

from almanac.database import suppressions
from almanac.database.contact_columns import contacts_of
from almanac.database.contact_lookup import ContactLookup
from almanac.database.refused_rows import REFUSALS, check_written
from almanac.database.suppressed_contacts import phone_numbers
from almanac.database.suppression_lookups import known_types
from almanac.database.suppressions import Suppression
from almanac.delivery.suppression_file import date_of, from_texts, named_singly
from almanac.delivery.suppressions import end_before
from almanac.errors import RequestError
from almanac.intake.applied import Absorption, Applied, pairs_of
from almanac.intake.entries import SuppressionEntry
from almanac.intake.events import RefusedEntry
from almanac.intake.parts import refusal
from almanac.phone_number import bare_number

SOURCE = "intake"  # of suppressions that name none
Entries = Sequence[tuple[int, SuppressionEntry]]
_Name = str | int  # an address, a bare number or the id of a contact


def apply(connection: apsw.Connection, entries: Entries, absorption: Absorption) -> Applied:
    """Add and end suppressions in the order of the entries, inside the caller's transaction.

    One that is in force already, or has ended already, changes nothing.
    """
    suppressions.prepare(connection)
    types = known_types(connection)
    result, wanted = Applied(), []
    refused: dict[int, str] = {}
    for number, entry in entries:
        day = absorption.at(number, None).astimezone(absorption.config.zone).date()
        try:
            singly = named_singly(_texts(entry, day))
            wanted += [(number, entry, day, from_texts(texts, types)) for texts in singly]
        except RequestError as error:
            refused[number] = str(error)
    table = _Table(connection, [suppression for *_, suppression in wanted])
    for number, entry, day, suppression in wanted:
        try:
            if entry.action == "add":
                result.changed += table.add(suppression, day)
            else:
                result.changed += table.end(suppression, entry, day)
        except RequestError as error:
            refused.setdefault(number, str(error))
        except REFUSALS as error:
            refused.setdefault(number, refusal(connection, error))
    result.refused = [RefusedEntry(number, why) for number, why in refused.items()]
    replan = {
        number: suppression
        for number, _, _, suppression in wanted
        if absorption.event_of(number).replan and number not in refused
    }
    result.affected = pairs_of(list(_affected(connection, replan, absorption)))
    return result


def _texts(entry: SuppressionEntry, day: dt.date) -> dict[str, str]:
    """Return an entry as texts by column; one to add begins on the day if it says nothing else."""
    given = entry.model_dump(exclude={"action"}, exclude_none=True)
    texts = {name: str(value) for name, value in given.items()}
    if entry.action == "add":
        return {"since": str(day), "source": SOURCE} | texts
    return {name: text for name, text in texts.items() if name not in ("since", "until")}


def _name(suppression: Suppression) -> _Name:
    """Return what a suppression is found by: its number, its address or the contact's id."""
    phone, address = bare_number(suppression.phone), suppression.email.strip().lower()
    return f"+{phone}" if phone else address or suppression.contact_id


class _Table:
    """The rows that suppressions name, as they are after each change."""

    def __init__(self, connection: apsw.Connection, wanted: Sequence[Suppression]) -> None:
        self._connection = connection
        self._rows: dict[int, Suppression] = {}
        self._named: dict[_Name, list[int]] = defaultdict(list)  # their keys
        names = {_name(each) for each in wanted}
        for row in suppressions.naming_any(connection, wanted):
            for name in {_name(row), row.contact_id} & names:
                self._rows[row.rowid] = row
                self._named[name].append(row.rowid)

    def add(self, new: Suppression, day: dt.date) -> int:
        """Add a row unless one says the same from the day on; return how many rows change."""
        for row in self._same(new, new.reason):
            since, until = date_of(row.since), date_of(row.until)
            wanted = date_of(new.until)
            lasts = until is None or (wanted is not None and wanted <= until)
            begun = since is None or since <= max(day, date_of(new.since) or day)
            if lasts and begun and row.scope == new.scope:
                return 0
        suppressions.insert(self._connection, [new])
        check_written(self._connection, 1)
        key = self._connection.last_insert_rowid()
        self._rows[key] = new._replace(rowid=key)
        for name in {_name(new), new.contact_id} - {0}:
            self._named[name].append(key)
        return 1

    def end(self, which: Suppression, entry: SuppressionEntry, day: dt.date) -> int:
        """End rows before the day, or with the day that the entry names; return how many change.

        Raise RequestError if there is none, ended or not.
        """
        rows = self._same(which, which.reason if entry.reason else None)
        if entry.channel or entry.email_types:
            rows = [row for row in rows if row.scope == which.scope]
        if not rows:
            raise RequestError(f"{_name(which)}: there is no such suppression to end")
        changes = []
        for row in rows:
            until = str(entry.until) if entry.until else end_before(day, row)
            if not row.until or (date_of(row.until) or day) > dt.date.fromisoformat(until):
                changes.append((until, row.rowid))
        with self._connection:  # all of them or none
            suppressions.set_until(self._connection, changes)
        for until, key in changes:
            self._rows[key] = self._rows[key]._replace(until=until)
        return len(changes)

    def _same(self, which: Suppression, reason: str | None) -> list[Suppression]:
        """Return the rows that name the same, with a reason if one is given."""
        rows = [self._rows[key] for key in self._named[_name(which)]]
        word = None if reason is None else reason.strip().lower()
        return [row for row in rows if word in (None, row.reason.strip().lower())]


def _affected(
    connection: apsw.Connection, wanted: dict[int, Suppression], absorption: Absorption
) -> Iterator[tuple[int, int]]:
    """Yield (entry, contact) for the contacts whom suppressions name."""
    settings = absorption.config.contacts
    entries: dict[_Name, list[int]] = defaultdict(list)
    for number, suppression in wanted.items():
        entries[_name(suppression)].append(number)
        if suppression.contact_id:
            yield number, suppression.contact_id
    names = [name for name in entries if isinstance(name, str)]
    addresses = [name for name in names if not name.startswith("+")]
    lookup = ContactLookup(connection, contacts_of(connection, settings))
    known = absorption.addresses.among(addresses, lookup)
    for address in addresses:
        ids = [row.id for row in known.get(address, []) if row.id is not None]
        yield from ((n, contact) for n in entries[address] for contact in ids)
    if len(addresses) < len(names):
        contacts, numbers = phone_numbers(connection, settings)
        texted = pc.is_in(numbers, value_set=pa.array(name.removeprefix("+") for name in names))
        for contact, number in zip(
            *(a.filter(texted).to_pylist() for a in (contacts, numbers)), strict=True
        ):
            yield from ((n, contact) for n in entries[f"+{number}"])
