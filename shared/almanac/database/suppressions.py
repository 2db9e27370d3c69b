"""The table `suppressions`: who gets no messages, since when, until when, and why.

It may be the user's own table: missing columns are added when it is written to, and other columns
are left as they are (semantics: Contacts).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

import apsw
import numpy as np

from almanac.config import ContactColumns
from almanac.database.catalog import as_text, describe, scalar
from almanac.database.contact_columns import contacts_of
from almanac.database.indexes import planned_parts
from almanac.database.migrations import complete
from almanac.database.schema import (
    PRE_SCHEDULED,
    Column,
    Table,
)
from almanac.database.sql import Columns, civil_date, columns_of, trimmed
from almanac.errors import DatabaseError
from almanac.frames import Ids
from almanac.phone_number import bare_number

SUPPRESSIONS = Table(
    "suppressions",
    (
        Column("email", "TEXT"),
        Column("contact_id", "INTEGER"),
        Column("reason", "TEXT"),
        Column("source", "TEXT"),
        Column("since", "TEXT"),
        Column("until", "TEXT"),
        Column("channel", "TEXT"),
        Column("email_types", "TEXT"),
        Column("phone", "TEXT"),
    ),
)
COLUMNS = tuple(column.name for column in SUPPRESSIONS.columns)

IN_FORCE, ENDED, TO_COME = "in force", "ended", "to come"
SMS = "sms"
ALL_CAMPAIGNS = "campaign_*"  # among email_types


class Suppression(NamedTuple):
    """A row as it is; '' for no text, 0 for no id."""

    email: str
    contact_id: int
    reason: str
    source: str
    since: str
    until: str
    channel: str = ""  # sms: text messages only
    email_types: str = ""  # comma-separated: messages of these types only
    phone: str = ""  # text messages to this number only
    state: str = ""  # on the requested day
    rowid: int = 0

    @property
    def only_texts(self) -> bool:
        """Return whether it concerns text messages only."""
        return self.channel.strip().lower() == SMS or bool(self.phone.strip())

    @property
    def types(self) -> frozenset[str]:
        """Return the types of message that it concerns, in lower case; empty: all."""
        return frozenset(filter(None, map(str.strip, self.email_types.lower().split(","))))

    @property
    def of_all_messages(self) -> bool:
        """Return whether it concerns every message of whom it names."""
        return not (self.only_texts or self.types)


def prepare(connection: apsw.Connection) -> list[str]:
    """Create the table, or add its missing columns; return what was done, in words."""
    done = complete(connection, SUPPRESSIONS)
    table = describe(connection, SUPPRESSIONS.name)
    if table is None or not table.has_rowid:
        raise DatabaseError("table suppressions is WITHOUT ROWID; Almanac changes only others")
    return done


def address(columns: Columns, name: str = "email") -> str:
    """Return SQL of an address in the form in which addresses are compared."""
    text = columns.text(name)
    # computed for every contact, and trimming takes longer than everything else
    ends = (f"unicode({end}) BETWEEN 33 AND 126" for end in (text, f"substr({text}, -1)"))
    return f"CASE WHEN {' AND '.join(ends)} THEN lower({text}) ELSE lower({trimmed(text)}) END"


def state(columns: Columns) -> str:
    """Return SQL of a row's state on :day; a bound that is no date is open."""
    since, until = civil_date(columns.text("since")), civil_date(columns.text("until"))
    return (
        f"CASE WHEN {until} < :day OR {until} < {since} THEN '{ENDED}' "
        f"WHEN {since} > :day THEN '{TO_COME}' ELSE '{IN_FORCE}' END"
    )


def of_all_messages(columns: Columns) -> str:
    """Return SQL: whether a row concerns every message, not only texts or messages of a type."""
    narrow = [trimmed(columns.text(name)) for name in ("email_types", "phone")]
    return f"lower({trimmed(columns.text('channel'))}) <> 'sms' AND " + " AND ".join(
        f"{text} = ''" for text in narrow
    )


def rows(
    connection: apsw.Connection,
    day: str,
    where: str = "1",
    values: Mapping[str, object] | None = None,
) -> Iterator[Suppression]:
    """Yield the rows that meet the condition, in table order; `day` is an ISO date."""
    columns = columns_of(connection, SUPPRESSIONS.name)
    if columns.table is None:
        return
    encoding = str(scalar(connection, "PRAGMA encoding"))
    texts = ", ".join(
        f"CAST({columns.text(name)} AS BLOB)" for name in COLUMNS if name != "contact_id"
    )
    key, order = ("rowid", "ORDER BY rowid") if columns.table.has_rowid else ("0", "")
    found = connection.execute(
        f"SELECT {key}, {columns.id_or_zero('contact_id')}, {state(columns)}, {texts} "
        f"FROM main.suppressions WHERE {where} {order}",
        {"day": day, **(values or {})},
    )
    for rowid, contact, status, *blobs in found:
        email, reason, source, since, until, *narrower = (as_text(blob, encoding) for blob in blobs)
        channel, types, phone = narrower
        yield Suppression(
            *(email, contact, reason, source, since, until, channel, types, phone),
            state=status,
            rowid=rowid,
        )


def in_force(connection: apsw.Connection, day: str) -> Iterator[Suppression]:
    """Yield the rows in force on the ISO date, in table order."""
    return rows(
        connection, day, f"{state(columns_of(connection, SUPPRESSIONS.name))} = '{IN_FORCE}'"
    )


def of_contact(
    connection: apsw.Connection,
    contact: int,
    day: str,
    settings: ContactColumns,
    *,
    of_all: bool = False,
) -> Iterator[Suppression]:
    """Return the rows that name the contact by its id or by its address, whatever their state.

    of_all: only those that concern every message.
    """
    columns = columns_of(connection, SUPPRESSIONS.name)
    contacts = contacts_of(connection, settings)
    first = (
        f"SELECT {address(contacts)} FROM main.contacts "
        f"WHERE {contacts.key('id')} = ?1 AND {contacts.whole('id')} = ?1 LIMIT 1"
    )
    mine = scalar(connection, first, contact) or ""
    named = f":id <> 0 AND {columns.id_or_zero('contact_id')} = :id"
    by = f"({named}) OR (:mine <> '' AND {address(columns)} = :mine)"
    narrow = f"({by}) AND {of_all_messages(columns)}" if of_all else by
    return rows(connection, day, narrow, {"id": contact, "mine": mine})


def of_address(
    connection: apsw.Connection, email: str, day: str, settings: ContactColumns
) -> Iterator[Suppression]:
    """Yield the rows in any state that name the address, or the id of a contact who has it."""
    columns = columns_of(connection, SUPPRESSIONS.name)
    contacts = contacts_of(connection, settings)
    theirs = f"SELECT {contacts.whole('id')} FROM main.contacts WHERE {address(contacts)} = :mine"
    by = f"{address(columns)} = :mine OR {columns.id_or_zero('contact_id')} IN ({theirs})"
    return rows(connection, day, f":mine <> '' AND ({by})", {"mine": email.strip().lower()})


def of_number(connection: apsw.Connection, phone: str, day: str) -> Iterator[Suppression]:
    """Yield the rows in any state that name the phone number."""
    wanted = bare_number(phone)
    columns = columns_of(connection, SUPPRESSIONS.name)
    for row in rows(connection, day, f"{columns.text('phone')} <> ''"):
        if wanted and bare_number(row.phone) == wanted:
            yield row


def naming(
    connection: apsw.Connection, email: str, contact: int, phone: str, day: str
) -> Iterator[Suppression]:
    """Yield the rows that name exactly this number or address or, without them, exactly this id."""
    if phone:
        return of_number(connection, phone, day)
    columns = columns_of(connection, SUPPRESSIONS.name)
    if email:
        values: dict[str, object] = {"mine": email.strip().lower()}
        return rows(connection, day, f"{address(columns)} = :mine", values)
    return rows(connection, day, f"{columns.id_or_zero('contact_id')} = :id", {"id": contact})


def count_by_state(
    connection: apsw.Connection, day: str
) -> Iterator[tuple[str, str, str, str, str, int]]:
    """Yield (reason, source, channel, types, state on the ISO date, number of rows)."""
    columns = columns_of(connection, SUPPRESSIONS.name)
    if columns.table is None:
        return
    encoding = str(scalar(connection, "PRAGMA encoding"))
    reason, source, channel, types, phone = (
        trimmed(columns.text(name))
        for name in ("reason", "source", "channel", "email_types", "phone")
    )
    channel = f"CASE WHEN {phone} <> '' THEN '{SMS}' ELSE lower({channel}) END"
    words = [f"CAST({text} AS BLOB)" for text in (reason, source, channel, f"lower({types})")]
    sql = (
        f"SELECT {', '.join(words)}, {state(columns)}, count(*) FROM main.suppressions "
        "GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5"
    )
    for *blobs, found, count in connection.execute(sql, {"day": day}):
        reason, source, channel, types = (as_text(blob, encoding) for blob in blobs)
        yield reason, source, channel, types, found, count


def suppressed(connection: apsw.Connection, day: str, settings: ContactColumns) -> Ids:
    """Return the ids of all contacts who get no message by a suppression in force on the ISO date.

    Of contacts with the same id only the first in the table counts, if the table has an order.
    """
    columns = columns_of(connection, SUPPRESSIONS.name)
    contacts = contacts_of(connection, settings)
    if columns.table is None or contacts.table is None:
        return np.empty(0, np.int64)
    held = (
        f"FROM main.suppressions WHERE {state(columns)} = '{IN_FORCE}' "
        f"AND {of_all_messages(columns)}"
    )
    if connection.execute(f"SELECT 1 {held} LIMIT 1", {"day": day}).fetchone() is None:
        return np.empty(0, np.int64)
    theirs, contact = address(columns), columns.id_or_zero("contact_id")
    whole = contacts.whole("id")
    is_id, first = f"{whole} IS NOT NULL", ""
    if contacts.table.has_rowid and not contacts.is_rowid("id"):
        first = (
            f"rowid IN (SELECT min(rowid) FROM main.contacts WHERE {is_id} GROUP BY {whole}) AND"
        )
    found = connection.execute(
        f"SELECT {whole} FROM main.contacts WHERE {is_id} AND {first} ("
        f"{address(contacts)} IN (SELECT {theirs} {held} AND {theirs} <> '') "
        f"OR {whole} IN (SELECT {contact} {held} AND {contact} <> 0))",
        {"day": day},
    )
    ids: Ids = np.unique(np.fromiter((contact for (contact,) in found), np.int64))
    return ids


def planned(connection: apsw.Connection, contacts: Ids, since: str) -> Iterator[tuple[int, str]]:
    """Yield (contact, date) of the contacts' PRE_SCHEDULED rows from the ISO date on."""
    there = columns_of(connection, "email_schedules")
    if not len(contacts) or not there.has("contact_id", "status", "scheduled_send_date"):
        return
    ids = apsw.carray(np.ascontiguousarray(contacts, np.int64))
    day = civil_date(there.text("scheduled_send_date"))
    for by, where in planned_parts(connection) or [("", "1")]:
        # CROSS JOIN: by contact, not over all rows by status
        yield from connection.execute(
            f"SELECT wanted.value, {day} FROM carray(:ids) AS wanted "
            f"CROSS JOIN main.email_schedules {by} ON contact_id = wanted.value "
            f"WHERE {where} AND {PRE_SCHEDULED} AND {day} >= :since",
            {"ids": ids, "since": since},
        )


def insert(connection: apsw.Connection, new: Iterable[Suppression]) -> None:
    """Add rows. Requires `prepare`."""
    connection.executemany(
        f"INSERT INTO main.suppressions ({', '.join(COLUMNS)}) "
        f"VALUES ({', '.join('?' * len(COLUMNS))})",
        (tuple(value or None for value in row[: len(COLUMNS)]) for row in new),
    )


def set_until(connection: apsw.Connection, dates: Iterable[tuple[str, int]]) -> None:
    """Set `until` by (until, rowid). Requires `prepare`."""
    connection.executemany("UPDATE main.suppressions SET until = ? WHERE rowid = ?", dates)
