"""Apply entries about contacts: insert, change, deactivate; no contact is ever deleted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import apsw
import numpy as np
import pyarrow as pa

from almanac.config_problems import near
from almanac.database.contact_lookup import ContactRow, Value, shared
from almanac.database.contact_writing import ContactRows
from almanac.errors import RequestError
from almanac.intake.applied import Absorption, Applied, pairs_of
from almanac.intake.contact_values import read_address, read_value, unreadable
from almanac.intake.entries import ContactEntry
from almanac.intake.events import RefusedEntry
from almanac.validation_text import shown_value

_INACTIVE = ("inactive", "deactivated")  # the first that is no active status is written


class _Outcome:
    """What has become of the entries so far."""

    def __init__(self) -> None:
        self.refused: list[RefusedEntry] = []
        self.affected: list[tuple[int, int]] = []
        self.added = self.changed = 0

    def refuse(self, entry: int, why: str) -> None:
        self.refused.append(RefusedEntry(entry, why))

    def wrote(self, entry: int, row: ContactRow) -> None:
        self.changed += 1
        if row.id is not None:
            self.affected.append((entry, row.id))

    def applied(self) -> Applied:
        return Applied(
            refused=sorted(self.refused, key=lambda refused: refused.index or 0),
            affected=pairs_of(self.affected),
            contacts_added=self.added,
            changed=self.changed,
        )


@dataclass
class _Change:
    """A valid entry: whom it names, and what it writes, by column."""

    entry: int
    id: int | None
    address: str  # by which the contact is found without an id
    values: dict[str, Value]
    deactivate: bool = False


def apply(
    connection: apsw.Connection,
    entries: Sequence[tuple[int, ContactEntry]],
    absorption: Absorption,
) -> Applied:
    """Apply entries in their order, inside the caller's transaction.

    A contact is found by its id, or else by its address, and inserted if there is none. A value
    that planning cannot read, an unknown column and an address that several contacts share each
    cost their entry. Raises DatabaseError without a table contacts.
    """
    settings, outcome = absorption.config.contacts, _Outcome()
    rows, now = ContactRows(connection, settings), absorption.timestamp
    changes = _read(entries, rows, absorption, outcome)
    _add_columns(rows, changes)
    found = _Found(rows, changes)
    active = {each.strip().lower() for each in settings.active_statuses}
    inactive = next(word for word in _INACTIVE if word not in active)
    for change in changes:
        try:
            if change.deactivate:
                _deactivate(rows, found, change, inactive, outcome)
            else:
                _upsert(rows, found, change, now, outcome)
        except RequestError as error:
            outcome.refuse(change.entry, str(error))
        except (apsw.ConstraintError, apsw.MismatchError) as error:
            outcome.refuse(change.entry, f"the table contacts: {error}")
    return outcome.applied()


def _read(
    entries: Sequence[tuple[int, ContactEntry]],
    rows: ContactRows,
    absorption: Absorption,
    outcome: _Outcome,
) -> list[_Change]:
    """Return the valid entries; the others are refused."""
    tests = unreadable(absorption.today)
    to_test: dict[str, list[tuple[int, str, str]]] = {role: [] for role in tests}
    changes = []
    for number, entry in entries:
        try:
            change = _change(number, entry, rows)
        except RequestError as error:
            outcome.refuse(number, str(error))
            continue
        changes.append(change)
        for column, value in change.values.items():
            role = rows.roles[column]
            if role in to_test and value is not None:
                to_test[role].append((number, column, str(value)))
    wrong: dict[int, str] = {}
    for role, given in to_test.items():
        test, expected = tests[role]
        texts = pa.array([text for _, _, text in given], pa.string())
        for at in np.flatnonzero(test(texts)).tolist() if given else ():
            number, column, text = given[at]
            wrong.setdefault(number, f"{column}: {shown_value(text)} is not {expected}")
    for number, why in wrong.items():
        outcome.refuse(number, why)
    return [change for change in changes if change.entry not in wrong]


def _change(number: int, entry: ContactEntry, rows: ContactRows) -> _Change:
    """Return what an entry asks for. Raises RequestError."""
    address = read_address("email", entry.email) if entry.email else ""
    if entry.action == "deactivate":
        if entry.columns:
            raise RequestError(f"{next(iter(entry.columns))}: deactivate takes no columns")
        return _Change(number, entry.id, address.lower(), {}, deactivate=True)
    values: dict[str, Value] = {rows.email: address} if address else {}
    for name, value in entry.columns.items():
        field = rows.fields.get(name) or rows.fields.get(name.strip().lower())
        if field is None:
            hint = near(name, list(rows.fields)) or "; the table contacts has no such column"
            raise RequestError(f"{name}: is not a column that can be written{hint}")
        if not field.writable:
            what = "the id is the key id" if field.role == "id" else "the database computes it"
            raise RequestError(f"{name}: cannot be written: {what}")
        if field.column in values:
            raise RequestError(f"{name}: the column {field.column} is given twice")
        found = read_value(field.role, name, value)
        if field.role == "email" and found is None:
            raise RequestError(f"{name}: {value!r} is not an e-mail address")
        values[field.column] = found
    return _Change(number, entry.id, address.lower() if entry.id is None else "", values)


def _add_columns(rows: ContactRows, changes: Sequence[_Change]) -> None:
    """Add the columns that get a value; emptying one that the table lacks is nothing to do."""
    written = {
        column for each in changes for column, value in each.values.items() if value is not None
    }
    if any(change.deactivate for change in changes):
        written.add(rows.fields["status"].column)
    rows.add_columns(written)
    if absent := {column for each in changes for column in each.values if not rows.has(column)}:
        for each in changes:
            for column in absent & each.values.keys():
                del each.values[column]


class _Found:
    """The contacts that entries name, as they are after each entry."""

    def __init__(self, rows: ContactRows, changes: Sequence[_Change]) -> None:
        self._email = rows.email
        self._by_id = rows.lookup.with_ids({each.id for each in changes if each.id is not None})
        named = {each.address for each in changes if each.address}
        self._by_address = rows.lookup.with_addresses(named)
        self._named = named
        self._address_of = {
            row.key: address for address, found in self._by_address.items() for row in found
        }

    def find(self, change: _Change) -> ContactRow | None:
        """Return the contact that an entry names, None if there is none.

        Raises RequestError for several.
        """
        if change.id is not None:
            found = self._by_id.get(change.id, [])
            if len(found) > 1:
                raise RequestError(f"id: {len(found)} rows of contacts have the id {change.id}")
        else:
            found = self._by_address.get(change.address, [])
            if len(found) > 1:
                raise RequestError(f"email: {change.address!r}: {shared(found)}; expected id")
        return found[0] if found else None

    def written(self, row: ContactRow, change: _Change) -> None:
        """Note what an entry has written."""
        if row.id is not None:
            self._by_id.setdefault(row.id, [row])
        value = change.values.get(self._email)
        address = str(value or "").lower()
        before = self._address_of.get(row.key)
        if not address or address == before:
            return
        if before is not None:
            self._by_address[before].remove(row)
            del self._address_of[row.key]
        if address in self._named:
            self._by_address.setdefault(address, []).append(row)
            self._address_of[row.key] = address


def _upsert(rows: ContactRows, found: _Found, change: _Change, now: str, outcome: _Outcome) -> None:
    row = found.find(change)
    if row is None:
        if rows.email not in change.values:
            raise RequestError(f"email: no contact has the id {change.id}, and a new one needs it")
        row = rows.insert(change.id, change.values, now)
        outcome.added += 1
    else:
        given = change.values
        if change.address:  # by which it was found: it stays as it is
            given = {column: value for column, value in given.items() if column != rows.email}
        if not given or not rows.update(row.key, given):
            return
    found.written(row, change)
    outcome.wrote(change.entry, row)


def _deactivate(
    rows: ContactRows, found: _Found, change: _Change, status: str, outcome: _Outcome
) -> None:
    row = found.find(change)
    if row is None:
        named = f"id: {change.id}" if change.id is not None else f"email: {change.address!r}"
        raise RequestError(f"{named}: there is no such contact")
    if rows.deactivate(row.key, status):
        outcome.wrote(change.entry, row)
