"""Apply what contacts did: clicks, answers and other events, from which follow-ups are planned."""

from __future__ import annotations

from collections.abc import Sequence

import apsw
import numpy as np

from almanac.database import activity, sending
from almanac.database.activity import CLICKS, EVENTS, MESSAGE, Click, ContactEvent
from almanac.database.contact_columns import contacts_of
from almanac.database.contact_lookup import ContactLookup, only_contact
from almanac.database.range_tables import ANSWERED
from almanac.database.refused_rows import REFUSALS
from almanac.database.row_states import row_states
from almanac.errors import RequestError
from almanac.intake.applied import Absorption, Applied, pairs_of
from almanac.intake.entries import ActivityEntry, JsonObject
from almanac.intake.events import RefusedEntry
from almanac.intake.parts import refusal
from almanac.json_text import json_text

CLICK = "click"
_STAMP = "%Y-%m-%d %H:%M:%S"
Entries = Sequence[tuple[int, ActivityEntry]]


def apply(connection: apsw.Connection, entries: Entries, absorption: Absorption) -> Applied:
    """Add a row for each entry, inside the caller's transaction.

    Times are written in the organization's zone, as those of sent messages are, with whose dates
    planning compares them.
    """
    result, affected = Applied(), []
    contacts = _Contacts(connection, entries, absorption)
    kinds = {_type(entry) == CLICK for _, entry in entries}
    for is_click in kinds:
        activity.prepare(connection, CLICKS if is_click else EVENTS)
    for number, entry in entries:
        try:
            contact = contacts.of(entry)
            at = absorption.at(number, entry.at).astimezone(absorption.config.zone)
            message = contacts.message_of(entry)
            activity.insert(connection, _row(entry, contact, at.strftime(_STAMP), message))
            affected.append((number, contact))
        except RequestError as error:
            result.refused.append(RefusedEntry(number, str(error)))
        except REFUSALS as error:
            result.refused.append(
                RefusedEntry(number, f"type: {entry.type}: {refusal(connection, error)}")
            )
    result.affected, result.changed = pairs_of(affected), len(affected)
    return result


def _type(entry: ActivityEntry) -> str:
    """Return the type of an entry; the words that planning knows in lower case."""
    word = entry.type.lower()
    return word if word in (CLICK, ANSWERED) else entry.type


def _row(entry: ActivityEntry, contact: int, at: str, message: int | None) -> Click | ContactEvent:
    """Return the row of an entry; its metadata names the message, unless it names one itself."""
    metadata: JsonObject = {**({MESSAGE: message} if message else {}), **(entry.metadata or {})}
    kind = _type(entry)
    if kind == CLICK:
        return Click(contact, at, entry.url or None, _json(metadata))
    return ContactEvent(
        contact, kind, at, _json({**metadata, **({"url": entry.url} if entry.url else {})})
    )


def _json(metadata: JsonObject) -> str | None:
    return json_text(metadata) if metadata else None


class _Contacts:
    """The contacts that entries name."""

    def __init__(
        self, connection: apsw.Connection, entries: Entries, absorption: Absorption
    ) -> None:
        lookup = ContactLookup(connection, contacts_of(connection, absorption.config.contacts))
        messages = {entry.message for _, entry in entries if entry.message is not None}
        sending.prepare(connection)
        rows = row_states(connection, np.array(sorted(messages), np.int64))
        self._of_message = {row_id: row.contact_id for row_id, row in rows.items()}
        named = {entry.contact_id for _, entry in entries if entry.contact_id is not None}
        self._with_id = lookup.with_ids(named)
        # looked up only where nothing else says who it is: that reads all contacts
        alone = (e for _, e in entries if e.contact_id is None and e.message not in rows)
        addresses = {entry.email.lower() for entry in alone if entry.email}
        self._with_address = absorption.addresses.among(addresses, lookup)

    def message_of(self, entry: ActivityEntry) -> int | None:
        """Return the row that an entry names; None for none, and for one that does not exist."""
        return entry.message if entry.message in self._of_message else None

    def of(self, entry: ActivityEntry) -> int:
        """Return the contact of an entry; raise RequestError if there is none."""
        if entry.message in self._of_message:
            return self._of_message[entry.message]
        if entry.contact_id is not None:
            if entry.contact_id not in self._with_id:
                raise RequestError(f"contact_id: no contact has the id {entry.contact_id}")
            return entry.contact_id
        if entry.email:
            found = self._with_address.get(entry.email.lower(), [])
            return only_contact(found, f"email: {entry.email!r}")
        raise RequestError(f"message: no row has the id {entry.message}")
