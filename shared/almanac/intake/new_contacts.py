"""Rows of a file that lack what the table contacts needs of a new contact."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from almanac.config_contacts import ContactColumns
from almanac.database.contact_lookup import ContactLookup
from almanac.database.contact_writing import ContactFields, contact_fields
from almanac.database.opening import map_errors
from almanac.intake import inbox
from almanac.intake.contact_entries import ContactChange, read_changes
from almanac.intake.events import MAX_ENTRIES, valid_entries
from almanac.organizations.agency_database import StoreDatabase

Name = int | str  # an id, or an address


class IncompleteRows:
    """Rows without a value for a column that has no default: they can only change a contact.

    needed: these columns.
    """

    def __init__(self, needed: frozenset[str], fields: ContactFields) -> None:
        self._needed = needed
        self._fields = fields
        self._lacking: dict[int, tuple[Name, list[str]]] = {}  # by line: whom, and the columns
        self._others: set[Name] = set()  # whom complete rows name

    def note(self, line: int, change: ContactChange) -> bool:
        """Take a row into account, in the order of the file; return whether it may be refused."""
        names = [*_names(change, self._fields)]
        lacking = sorted(each for each in self._needed if change.values.get(each) is None)
        if not lacking:
            self._others.update(names)
        elif self._others.isdisjoint(names):
            self._lacking[line] = names[0], lacking
        return line in self._lacking

    def of_new_contacts(self, agency: StoreDatabase, settings: ContactColumns) -> dict[int, str]:
        """Return why rows cannot be applied, by line: no contact is there, nor waits in the inbox.

        All of them are looked up at once. Raises what the store raises.
        """
        if not self._lacking:
            return {}
        there = set(self._waiting(agency))  # before the version, which has what no longer waits
        wanted = {name for name, _ in self._lacking.values()} - there
        with agency.open() as source, map_errors(source.path):
            columns = contact_fields(source.connection, settings).columns
            lookup = ContactLookup(source.connection, columns)
            there |= lookup.with_ids({each for each in wanted if isinstance(each, int)}).keys()
            texts = {each for each in wanted if isinstance(each, str)}
            there |= lookup.with_addresses(texts).keys()
        return {
            line: f"{', '.join(lacking)}: is missing; the table contacts needs a value, and there "
            f"is no contact {name}"
            for line, (name, lacking) in self._lacking.items()
            if name not in there
        }

    def _waiting(self, agency: StoreDatabase) -> Iterator[Name]:
        """Yield whom entries name that wait."""
        for each in inbox.read(agency.store, inbox.waiting(agency.store, agency.org)):
            entries = each.event.get("entries") if each.kind == "contacts" else None
            if isinstance(entries, list):
                valid, _ = valid_entries("contacts", entries[:MAX_ENTRIES])
                changes, _ = read_changes(valid, self._fields, each.received.date())
                for change in changes:
                    yield from _names(change, self._fields)


def _names(change: ContactChange, fields: ContactFields) -> Sequence[Name]:
    """Return the id and the address of a row, the one by which it is found first."""
    address = change.address or str(change.values.get(fields.email) or "").lower()
    found: list[Name] = [] if change.id is None else [change.id]
    return [*found, address] if address else found
