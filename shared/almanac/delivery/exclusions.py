"""Whose messages of a day are not sent: by what holds on that day, whatever the plan says."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field

import apsw

from almanac.config import ContactColumns
from almanac.database.catalog import Record
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

    def reason(self, row: Record) -> str | None:
        """Return why the contact of a row gets no message, or None."""
        if row["contact.id"] is None:
            return GONE
        if str(row["contact.status"] or "").strip().lower() not in self._statuses:
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
