"""A suppression that is added by hand: whether it names any contact, and what it changes."""

from __future__ import annotations

import datetime as dt

import apsw
from pydantic import BaseModel

from almanac.config_contacts import ContactColumns
from almanac.database.suppressed_contacts import with_number
from almanac.database.suppression_lookups import (
    near_addresses,
    near_numbers,
    with_address,
)
from almanac.database.suppressions import Suppression
from almanac.delivery import suppressions
from almanac.delivery.suppressions import Effect


class NearAddress(BaseModel):
    """An address that a contact has, in the form in which addresses are compared."""

    email: str
    contact: int


class NearNumber(BaseModel):
    """A phone number that a contact has, in digits."""

    phone: str
    contact: int


class AddedSuppression(BaseModel):
    """What became of one suppression."""

    added: bool  # False: one in force says the same
    contacts: int  # that have its id, its address or its number
    # the nearest addresses or numbers, where no contact has this one
    near: list[NearAddress | NearNumber] = []
    stops: Effect  # the planned messages that only this one stops
    effect: Effect  # those that all in force stop
    same_address: int  # other contacts with the address, who still get messages


def add(
    connection: apsw.Connection, new: Suppression, day: dt.date, settings: ContactColumns
) -> AddedSuppression:
    """Add a suppression and return what it changes; raises as `suppressions.add`."""
    before = suppressions.stopped(connection, day, settings)
    added = suppressions.add(connection, new, day, settings)
    after = suppressions.stopped(connection, day, settings)
    contacts, near = 1, list[NearAddress | NearNumber]()
    if new.phone:
        contacts = with_number(connection, new.phone, settings)
        found = [] if contacts else near_numbers(connection, new.phone, settings)
        near = [NearNumber(phone=phone, contact=contact) for phone, contact in found]
    elif new.email and not new.contact_id:
        contacts = with_address(connection, new.email, settings)
        found = [] if contacts else near_addresses(connection, new.email, settings)
        near = [NearAddress(email=email, contact=contact) for email, contact in found]
    return AddedSuppression(
        added=added,
        contacts=contacts,
        near=near,
        stops=Effect.of(day, after - before),
        effect=Effect.of(day, after),
        same_address=suppressions.same_address(connection, [new], day, settings),
    )
