"""What an operator does with suppressions: count, add, end, import and export them.

A suppression is never deleted: one that no longer holds has an end.
"""

from __future__ import annotations

import csv
import datetime as dt
from collections.abc import Collection, Iterable
from typing import NamedTuple, Self, TextIO

import apsw
import numpy as np
from pydantic import BaseModel

from almanac.config_contacts import ContactColumns
from almanac.database import suppressions
from almanac.database.catalog import scalar
from almanac.database.contact_columns import contacts_of
from almanac.database.suppressed_contacts import PlannedMessage, by_scope, planned
from almanac.database.suppression_lookups import phone_of, sharing
from almanac.database.suppressions import COLUMNS, ENDED, IN_FORCE, Suppression
from almanac.delivery.suppression_file import ParsedSuppressions, date_of
from almanac.errors import RequestError
from almanac.phone_number import bare_number

Key = tuple[str, int, str, str, str, bool, frozenset[str]]  # as `_key` returns it


class Named(NamedTuple):
    """Whom an operator names: by an address, by the id of a contact, or by a phone number."""

    email: str = ""
    contact: int = 0
    phone: str = ""

    def __str__(self) -> str:
        names = (self.email, f"contact {self.contact}" if self.contact else "", self.phone)
        return " and ".join(filter(None, names)) or "contact 0"


class SuppressionCount(BaseModel):
    """How many suppressions have a reason, a source, a scope and a state in common."""

    reason: str
    source: str
    channel: str  # sms: text messages only
    email_types: str  # messages of these types only
    state: str  # in force, ended or to come
    rows: int


class Effect(BaseModel):
    """What the next run will skip for the suppressions in force."""

    day: dt.date
    contacts: int  # that are suppressed and have messages planned
    messages: int  # of these contacts, dated that day or later

    @classmethod
    def of(cls, day: dt.date, found: Collection[PlannedMessage]) -> Self:
        """Count the messages that are skipped from the day on."""
        contacts = {message.contact_id for message in found}
        return cls(day=day, contacts=len(contacts), messages=len(found))


class Loaded(BaseModel):
    """What became of the rows of a file."""

    added: int
    ended: int  # had no end, and have one now
    unchanged: int
    unknown_contacts: int  # ids in the file that no contact has
    same_address: int  # other contacts with the address of one of these ids, who still get messages


def counts(connection: apsw.Connection, day: dt.date) -> list[SuppressionCount]:
    """Count the rows by reason, source and state on the day."""
    found = suppressions.count_by_state(connection, day.isoformat())
    names = ("reason", "source", "channel", "email_types", "state", "rows")
    return [SuppressionCount(**dict(zip(names, row, strict=True))) for row in found]


def effect(connection: apsw.Connection, day: dt.date, settings: ContactColumns) -> Effect:
    """Count the planned messages that the next run, on the day, will skip."""
    return Effect.of(day, stopped(connection, day, settings))


def stopped(
    connection: apsw.Connection, day: dt.date, settings: ContactColumns
) -> set[PlannedMessage]:
    """Return the planned messages that the next run, on the day, will skip."""
    iso = day.isoformat()
    return {
        row
        for scope, contacts in by_scope(connection, iso, settings).items()
        if not scope.only_texts
        for row in planned(connection, contacts, iso)
        if scope.concerns(row.email_type)
    }


def add(
    connection: apsw.Connection, new: Suppression, day: dt.date, settings: ContactColumns
) -> bool:
    """Add a row; return False if one in force on the day has the same contact, reason and scope.

    Raise RequestError if no contact has its id.
    """
    if new.contact_id and _unknown(connection, {new.contact_id}, settings):
        raise RequestError(f"contact {new.contact_id}: does not exist")
    named = (new.email, new.contact_id, new.phone)
    for row in suppressions.naming(connection, *named, day.isoformat()):
        same = _same_word(row.reason, new.reason) and _scope(row) == _scope(new)
        if row.state == IN_FORCE and same and not new.until:
            return False
    suppressions.prepare(connection)
    suppressions.insert(connection, [new])
    return True


def same_address(
    connection: apsw.Connection,
    rows: Iterable[Suppression],
    day: dt.date,
    settings: ContactColumns,
) -> int:
    """Count the contacts who still get messages at the address of one that is suppressed by id."""
    ids = {row.contact_id for row in rows if row.contact_id and row.of_all_messages}
    if not ids:
        return 0
    return sharing(connection, np.array(sorted(ids), np.int64), day.isoformat(), settings)


def end(
    connection: apsw.Connection,
    who: Named,
    reason: str | None,
    day: dt.date,
) -> list[Suppression]:
    """End the rows that name the address, the id or the number before the day.

    Return them as they were.

    reason: only rows with this one. Rows that begin later end before they begin. Raise
    RequestError if there is nothing to end.
    """
    rows = [
        row
        for row in suppressions.naming(connection, *who, day.isoformat())
        if row.state != ENDED and (reason is None or _same_word(row.reason, reason))
    ]
    if not rows:
        why = f"for {reason} " if reason else ""
        raise RequestError(f"{who}: no suppression {why}to end")
    suppressions.prepare(connection)
    suppressions.set_until(connection, ((end_before(day, row), row.rowid) for row in rows))
    return rows


def load(
    connection: apsw.Connection,
    parsed: ParsedSuppressions,
    day: dt.date,
    settings: ContactColumns,
) -> Loaded:
    """Add the rows that the table does not have; the same file again changes nothing.

    A row without an end gets the end that the file has. A row with an end keeps it if the file
    has none.
    """
    suppressions.prepare(connection)
    known: set[Key] = set()
    dated: set[tuple[Key, str]] = set()
    unended: dict[Key, int] = {}
    for row in suppressions.rows(connection, ""):
        key = _key(row)
        known.add(key)
        dated.add((key, row.until))
        if not row.until:
            unended[key] = row.rowid
    stays = {_key(row) for row in parsed.rows if not row.until}
    unchanged, new, ends = parsed.repeated, [], []
    for row in parsed.rows:
        key = _key(row)
        if (key, row.until) in dated or (not row.until and key in known):
            unchanged += 1
        elif key in unended and key not in stays:
            ends.append((row.until, unended.pop(key)))
        else:
            new.append(row)
    suppressions.insert(connection, new)
    suppressions.set_until(connection, ends)
    return Loaded(
        added=len(new),
        ended=len(ends),
        unchanged=unchanged,
        unknown_contacts=_unknown(connection, {r.contact_id for r in parsed.rows} - {0}, settings),
        same_address=same_address(connection, parsed.rows, day, settings),
    )


def export(connection: apsw.Connection, out: TextIO) -> int:
    """Write all rows as CSV that can be imported. Return how many there are."""
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    count = 0
    for row in suppressions.rows(connection, ""):
        writer.writerow(value or "" for value in row[: len(COLUMNS)])
        count += 1
    return count


def find(
    connection: apsw.Connection, who: Named, day: dt.date, settings: ContactColumns
) -> list[Suppression]:
    """Return the suppressions of an address, a number or a contact, in any state on the day."""
    iso = day.isoformat()
    if who.email:
        return list(suppressions.of_address(connection, who.email, iso, settings))
    if who.phone:
        return list(suppressions.of_number(connection, who.phone, iso))
    rows = list(suppressions.of_contact(connection, who.contact, iso, settings))
    if phone := phone_of(connection, who.contact, settings):
        rows += [row for row in suppressions.of_number(connection, phone, iso) if row not in rows]
    return sorted(rows, key=lambda row: row.rowid)


def record(row: Suppression) -> dict[str, object]:
    """Return a suppression by column, empty cells as None, and its state if it is known."""
    found = {name: value or None for name, value in zip(COLUMNS, row, strict=False)}
    return found | ({"state": row.state} if row.state else {})


def _unknown(connection: apsw.Connection, contacts: set[int], settings: ContactColumns) -> int:
    """Count the ids that no contact has."""
    if not contacts:
        return 0
    ids = apsw.carray(np.fromiter(sorted(contacts), np.int64, len(contacts)))
    table = contacts_of(connection, settings).all_whole("id")
    known = f"SELECT known FROM {table} WHERE known IS NOT NULL"
    sql = f"SELECT count(*) FROM carray(?) WHERE value NOT IN ({known})"
    return int(scalar(connection, sql, ids))


def _key(row: Suppression) -> Key:
    """Return what distinguishes a suppression, whatever its end and its source."""
    address, reason, since = row.email.strip().lower(), row.reason.strip(), row.since.strip()
    return address, row.contact_id, reason, since, *_scope(row)


def _scope(row: Suppression) -> tuple[str, bool, frozenset[str]]:
    """Return which messages a suppression concerns: number, whether only texts, types."""
    return bare_number(row.phone), row.only_texts, row.types


def _same_word(one: str, other: str) -> bool:
    return one.strip().lower() == other.strip().lower()


def end_before(day: dt.date, row: Suppression) -> str:
    """Return the last day of a row that ends before the day."""
    since = date_of(row.since)
    return str(max(day, since or day) - dt.timedelta(days=1))
