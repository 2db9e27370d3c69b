"""Apply entries about contacts: insert, change, deactivate; no contact is ever deleted."""

from __future__ import annotations

from collections.abc import Sequence

import apsw

from almanac.database.contact_lookup import ContactRow, KnownAddresses, shared
from almanac.database.contact_writing import ContactRows, contact_fields
from almanac.errors import RequestError
from almanac.intake.applied import Absorption, Applied, pairs_of
from almanac.intake.contact_entries import ContactChange, read_changes
from almanac.intake.entries import ContactEntry
from almanac.intake.events import RefusedEntry
from almanac.intake.parts import check_transaction

_NEW_IDS = 10**18  # ids of more digits leave no room for the next one
_INACTIVE = ("inactive", "deactivated")  # the first that is no active status is written


class _Outcome:
    """What has become of the entries so far."""

    def __init__(self, refused: list[RefusedEntry]) -> None:
        self.refused = refused
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
    settings, now = absorption.config.contacts, absorption.timestamp
    fields = contact_fields(connection, settings)
    changes, refused = read_changes(entries, fields, absorption.today)
    outcome = _Outcome(refused)
    rows = ContactRows(connection, fields, settings)
    _add_columns(rows, fields.by_name["status"].column, changes)
    found = _Found(rows, fields.email, changes, absorption.addresses)
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
        except (apsw.ConstraintError, apsw.MismatchError, apsw.SQLError) as error:
            check_transaction(connection, error)
            outcome.refuse(change.entry, _constraint(str(error)))
    return outcome.applied()


def _constraint(error: str) -> str:
    """Return what SQLite refuses, in words."""
    kind, _, columns = error.partition(" constraint failed: ")
    names = ", ".join(each.strip().removeprefix("contacts.") for each in columns.split(","))
    if kind == "NOT NULL":
        return f"{names}: is missing; the table contacts needs a value"
    if kind == "UNIQUE":
        return f"{names}: another contact has this value, and the table contacts allows it once"
    return f"the table contacts refuses it: {error}"


def _add_columns(rows: ContactRows, status: str, changes: Sequence[ContactChange]) -> None:
    """Add the columns that get a value; emptying one that the table lacks is nothing to do."""
    written = {
        column for each in changes for column, value in each.values.items() if value is not None
    }
    if any(change.deactivate for change in changes):
        written.add(status)
    rows.add_columns(written)
    if absent := {column for each in changes for column in each.values if not rows.has(column)}:
        for each in changes:
            for column in absent & each.values.keys():
                del each.values[column]


class _Found:
    """The contacts that entries name, as they are after each entry."""

    def __init__(
        self,
        rows: ContactRows,
        email: str,
        changes: Sequence[ContactChange],
        known: KnownAddresses,
    ) -> None:
        self.email = email  # the column
        self._by_id = rows.lookup.with_ids({each.id for each in changes if each.id is not None})
        named = {each.address for each in changes if each.address}
        # all that entries of any kind name: those that come after these see what they change
        self._by_address = known.among(named, rows.lookup)
        self._named = known.addresses
        self._address_of = {
            row.key: address for address, found in self._by_address.items() for row in found
        }

    def find(self, change: ContactChange) -> ContactRow | None:
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

    def written(self, row: ContactRow, change: ContactChange) -> None:
        """Note what an entry has written."""
        if row.id is not None:
            self._by_id.setdefault(row.id, [row])
        value = change.values.get(self.email)
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


def _upsert(
    rows: ContactRows, found: _Found, change: ContactChange, now: str, outcome: _Outcome
) -> None:
    row = found.find(change)
    if row is None:
        if found.email not in change.values:
            raise RequestError(f"email: no contact has the id {change.id}, and a new one needs it")
        if change.id is not None and abs(change.id) >= _NEW_IDS:
            raise RequestError(f"id: {change.id} has more than 18 digits")
        row = rows.insert(change.id, change.values, now)
        outcome.added += 1
    else:
        given = change.values
        if change.address:  # by which it was found: it stays as it is
            given = {column: value for column, value in given.items() if column != found.email}
        if not given or not rows.update(row.key, given):
            return
    found.written(row, change)
    outcome.wrote(change.entry, row)


def _deactivate(
    rows: ContactRows, found: _Found, change: ContactChange, status: str, outcome: _Outcome
) -> None:
    row = found.find(change)
    if row is None:
        named = f"id: {change.id}" if change.id is not None else f"email: {change.address!r}"
        raise RequestError(f"{named}: there is no such contact")
    if rows.deactivate(row.key, status):
        outcome.wrote(change.entry, row)
