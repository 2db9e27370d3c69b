"""Find contacts by id, address, phone number or name.

What is looked for follows from the text alone:

    42                    the contact with this id; if there is none, a part of a phone number
    (512) 555-0170        a part of a phone number, compared by its digits, at least MIN_DIGITS
    ada@example.com       this address; if no index has it, a part of an address
    ada love              contacts with each of the words in their name or address
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

import apsw

from almanac.config_contacts import ContactColumns
from almanac.database.catalog import Record
from almanac.database.contact_reader import PERSON
from almanac.database.contact_search import ContactSearch, SearchScan
from almanac.email_address import is_address
from almanac.errors import RequestError
from almanac.names import MAX_ID, MIN_ID
from almanac.phone_number import bare_number

LIMIT = 50
LONGEST = 200  # characters of a text
MIN_DIGITS = 4  # of a part of a phone number
_NUMBER = re.compile(r"[+-]?[0-9]{1,19}")
_PHONE = re.compile(r"[0-9()+./\s-]+")


class FoundContact(NamedTuple):
    """A contact that was found; '' for what it does not have."""

    id: int
    first_name: str
    last_name: str
    email: str
    phone: str
    state: str
    zip_code: str
    status: str
    matched: str  # id, address, phone or name: where the text was found

    @property
    def name(self) -> str:
        """Return the name of the contact."""
        return f"{self.first_name} {self.last_name}".strip()


class FoundContacts(NamedTuple):
    """The contacts that were found, in the order of the table, and how."""

    text: str
    contacts: list[FoundContact]
    by: str  # id, index, or scan: every contact was looked at, up to `reached`
    complete: bool  # whether there are no others
    reached: int | None  # of a scan that is not complete: the rowid to go on after


def find(
    connection: apsw.Connection,
    text: str,
    settings: ContactColumns,
    limit: int = LIMIT,
    seconds: float | None = None,
    after: int | None = None,
) -> FoundContacts:
    """Return at most `limit` contacts that a text means.

    A name, a part of an address and a phone number need a scan of the table, which stops at the
    limit or after some seconds; `after` continues it. Raises RequestError for a text that cannot
    mean a contact, ConfigError as `contact_columns.contacts_of`.
    """
    text = " ".join(text.split())
    _check(text)
    search = ContactSearch(connection, settings)
    if after is None and (found := _exactly(search, text)) is not None:
        by, records = found
        contacts = [_contact(record, by) for record in records[:limit]]
        how = "id" if by == "id" else "index"
        return FoundContacts(text, contacts, how, len(records) <= limit, None)
    scan = SearchScan(after=after, seconds=seconds)
    contacts = list(islice(_scanned(search, text, scan), limit + 1))
    if len(contacts) > limit:
        # the last one belongs to the next page
        return FoundContacts(text, contacts[:limit], "scan", False, _before(scan.reached))
    return FoundContacts(text, contacts, "scan", scan.complete, scan.reached)


def _check(text: str) -> None:
    expected = "expected an id, a name, an address, or at least 4 digits of a phone number"
    if not text:
        raise RequestError(f"TEXT: is empty; {expected}")
    if len(text) > LONGEST:
        raise RequestError(f"TEXT: {len(text)} characters; expected at most {LONGEST}")


def _exactly(search: ContactSearch, text: str) -> tuple[str, list[Record]] | None:
    """Return what the text was found as, and the contacts, if an id or an index has it."""
    if _NUMBER.fullmatch(text) and MIN_ID <= int(text) <= MAX_ID:
        if found := search.with_id(int(text)):
            return "id", found
        if len(bare_number(text)) < MIN_DIGITS:
            return "id", []
    if is_address(text) and (found := search.by_address_index(sorted({text, text.lower()}))):
        return "address", found
    return None


def _scanned(search: ContactSearch, text: str, scan: SearchScan) -> Iterator[FoundContact]:
    digits = bare_number(text) if _PHONE.fullmatch(text) else ""
    if len(digits) >= MIN_DIGITS:
        where, values = search.digits(digits)
        for record in search.scan(where, values, scan):
            if digits in bare_number(record["phone_number"]):
                yield _contact(record, "phone")
        return
    words = text.split()
    where, values = search.words(words)
    for record in search.scan(where, values, scan):
        yield _contact(record, "name" if _in_name(record, words) else "address")


def _in_name(record: Record, words: list[str]) -> bool:
    name = f"{record['first_name']} {record['last_name']}".casefold()
    return any(word.casefold() in name for word in words)


def _contact(record: Record, matched: str) -> FoundContact:
    return FoundContact._make([*(record[name] for name in PERSON), matched])


def _before(rowid: int | None) -> int | None:
    return None if rowid is None else rowid - 1
