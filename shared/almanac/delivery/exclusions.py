"""Whose messages of a day are not sent: by what holds on that day, whatever the plan says."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field

import apsw

from almanac.config_contacts import ContactColumns
from almanac.database.catalog import Batch, Record
from almanac.database.suppressions import Scope, in_force
from almanac.email_address import is_address
from almanac.phone_number import bare_number, is_number
from almanac.schedule_status import suppression_reason

GONE, INACTIVE, NO_ADDRESS = (
    "Contact no longer exists",
    "Contact is not active",
    "Not an e-mail address",
)
CLOSED = "The day is closed: the next run moves the message"


@dataclass
class _SameScope:
    """The suppressions of the same messages: the first row for each whom they name."""

    scope: Scope
    by_id: dict[int, int] = field(default_factory=dict)
    by_address: dict[str, int] = field(default_factory=dict)
    by_number: dict[str, int] = field(default_factory=dict)


class DueExclusions:
    """The contacts, addresses and numbers that get no messages on a day."""

    def __init__(self, connection: apsw.Connection, day: dt.date, settings: ContactColumns) -> None:
        self._statuses = {"", *(name.strip().lower() for name in settings.active_statuses)}
        self._reasons: list[str] = []
        groups: dict[Scope, _SameScope] = {}
        for number, row in enumerate(in_force(connection, str(day))):
            self._reasons.append(suppression_reason(row.reason).text)
            group = groups.setdefault(row.scope, _SameScope(row.scope))
            if row.phone.strip():  # it is about the number, whatever else the row has
                group.by_number.setdefault(bare_number(row.phone), number)
                continue
            if row.contact_id:
                group.by_id.setdefault(row.contact_id, number)
            if address := row.email.strip().lower():
                group.by_address.setdefault(address, number)
        self._messages = [group for scope, group in groups.items() if not scope.only_texts]
        self._texts = [group for scope, group in groups.items() if scope.only_texts]

    def reasons(self, rows: Batch) -> dict[int, str]:
        """Return why contacts of a batch get no message, by the place of the row in it."""
        active = {text for text in set(rows["contact.status"]) if self._is_active(text)}
        columns = (rows["contact.id"], rows["contact.status"], rows["contact.email"])
        # only rows that something may exclude are looked at one by one
        odd = [
            at
            for at, (contact, status, email, opt_out) in enumerate(
                zip(*columns, rows["contact.opt_out"], strict=True)
            )
            if contact is None
            or opt_out
            or status not in active
            or not is_address(str(email or "").strip())
        ]
        suspects = {*odd, *_named(self._messages, rows)}
        found = {at: self.reason(_record(rows, at)) for at in sorted(suspects)}
        return {at: why for at, why in found.items() if why is not None}

    def without_texts(self, rows: Batch) -> set[int]:
        """Return the places of the rows whose contacts get the message by e-mail only."""
        columns = (rows["contact.consents"], rows["contact.phone_number"])
        found = {
            at
            for at, (consents, phone) in enumerate(zip(*columns, strict=True))
            if not consents or not is_number(str(phone or ""))
        }
        named = _named(self._texts, rows)
        return found | {at for at in named if self.without_text(_record(rows, at))}

    def _is_active(self, status: object) -> bool:
        return str(status or "").strip().lower() in self._statuses

    def reason(self, row: Record) -> str | None:
        """Return why the contact of a row gets no message, or None."""
        if row["contact.id"] is None:
            return GONE
        if not self._is_active(row["contact.status"]):
            return INACTIVE
        if not is_address(str(row["contact.email"] or "").strip()):
            return NO_ADDRESS
        found = _rows(self._messages, row)
        if not found and row["contact.opt_out"]:
            return suppression_reason(str(row["contact.opt_out"])).text
        return self._reasons[min(found)] if found else None

    def without_text(self, row: Record) -> bool:
        """Return whether the contact of a row gets the message by e-mail only."""
        phone = str(row["contact.phone_number"] or "")
        may = row["contact.consents"] and is_number(phone)
        return not may or bool(_rows(self._texts, row))


def _record(rows: Batch, at: int) -> Record:
    return {name: column[at] for name, column in rows.items()}


def _named(groups: list[_SameScope], rows: Batch) -> list[int]:
    """Return the places of the rows whose contact, address or number a suppression of any scope
    names."""
    by_id, by_address, by_number = (
        {key for group in groups for key in getattr(group, name)}
        for name in ("by_id", "by_address", "by_number")
    )
    found = []
    if not by_id.isdisjoint(rows["contact_id"]):
        found += [at for at, contact in enumerate(rows["contact_id"]) if contact in by_id]
    if by_address:
        addresses = (str(email or "").strip().lower() for email in rows["contact.email"])
        found += [at for at, address in enumerate(addresses) if address in by_address]
    if by_number:
        phones = (bare_number(str(phone or "")) for phone in rows["contact.phone_number"])
        found += [at for at, phone in enumerate(phones) if phone in by_number]
    return found


def _rows(groups: list[_SameScope], row: Record) -> list[int]:
    """Return the suppressions that concern the message of a row: at most one of each kind."""
    found: list[int | None] = []
    for group in groups:
        if group.scope.concerns(str(row["email_type"])):
            address = str(row["contact.email"] or "").strip().lower()
            found += [group.by_id.get(row["contact_id"]), group.by_address.get(address)]
            if group.by_number:
                phone = bare_number(str(row["contact.phone_number"] or ""))
                found.append(group.by_number.get(phone) if phone else None)
    return [number for number in found if number is not None]
