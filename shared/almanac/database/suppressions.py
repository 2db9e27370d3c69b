"""The table `suppressions`: who gets no messages, since when, until when, and why.

It may be the user's own table: missing columns are added when it is written to, and other columns
are left as they are (semantics: Contacts).
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

import apsw

from almanac.config_contacts import ContactColumns
from almanac.database.catalog import as_text, describe, scalar
from almanac.database.contact_columns import contacts_of
from almanac.database.migrations import complete
from almanac.database.refused_rows import check_written
from almanac.database.schema import Column, Table
from almanac.database.sql import Columns, civil_date, columns_of, trimmed
from almanac.errors import DatabaseError
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
CAMPAIGN = "campaign_"  # what the types of campaigns begin with
ALL_CAMPAIGNS = f"{CAMPAIGN}*"  # among email_types


class Scope(NamedTuple):
    """The messages that suppressions take away."""

    only_texts: bool  # text messages, not e-mails
    types: frozenset[str]  # of messages, in lower case; empty: every type

    def concerns(self, email_type: str) -> bool:
        """Return whether messages of a type, in any case, are among them."""
        kind = email_type.strip().lower()
        if not self.types or kind in self.types:
            return True
        return ALL_CAMPAIGNS in self.types and kind.startswith(CAMPAIGN)


ALL_MESSAGES = Scope(only_texts=False, types=frozenset())


def named_types(email_types: str) -> frozenset[str]:
    """Return the types of message in a text, in lower case."""
    return frozenset(filter(None, map(str.strip, email_types.lower().split(","))))


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
        return named_types(self.email_types)

    @property
    def scope(self) -> Scope:
        """Return the messages that it takes away from whom it names."""
        return Scope(self.only_texts, self.types)

    @property
    def of_all_messages(self) -> bool:
        """Return whether it concerns every message of whom it names."""
        return self.scope == ALL_MESSAGES


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
    connection: apsw.Connection, contact: int, day: str, settings: ContactColumns
) -> Iterator[Suppression]:
    """Return the rows that name the contact by its id or by its address, whatever their state."""
    columns = columns_of(connection, SUPPRESSIONS.name)
    contacts = contacts_of(connection, settings)
    first = (
        f"SELECT {address(contacts)} FROM main.contacts "
        f"WHERE {contacts.key('id')} = ?1 AND {contacts.whole('id')} = ?1 LIMIT 1"
    )
    mine = scalar(connection, first, contact) or ""
    named = f":id <> 0 AND {columns.id_or_zero('contact_id')} = :id"
    by = f"({named}) OR (:mine <> '' AND {address(columns)} = :mine)"
    return rows(connection, day, by, {"id": contact, "mine": mine})


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


def naming_any(connection: apsw.Connection, wanted: Iterable[Suppression]) -> Iterator[Suppression]:
    """Yield the rows in any state that name an address or an id of others; all with a number."""
    columns = columns_of(connection, SUPPRESSIONS.name)
    addresses, contacts = {""}, {0}
    for each in wanted:
        addresses.add(each.email.strip().lower())
        contacts.add(each.contact_id)
    where = (
        f"{address(columns)} IN (SELECT value FROM carray(:addresses) WHERE value <> '') "
        f"OR {columns.id_or_zero('contact_id')} IN (SELECT value FROM carray(:ids) WHERE value) "
        f"OR {columns.text('phone')} <> ''"
    )
    values = {"addresses": apsw.carray(tuple(addresses)), "ids": apsw.carray(array("q", contacts))}
    return rows(connection, "", where, values)


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


def insert(connection: apsw.Connection, new: Iterable[Suppression]) -> None:
    """Add rows. Requires `prepare`."""
    connection.executemany(
        f"INSERT INTO main.suppressions ({', '.join(COLUMNS)}) "
        f"VALUES ({', '.join('?' * len(COLUMNS))})",
        (tuple(value or None for value in row[: len(COLUMNS)]) for row in new),
    )


def set_until(connection: apsw.Connection, dates: Iterable[tuple[str, int]]) -> None:
    """Set `until` by (until, rowid). Requires `prepare`; raises apsw.ConstraintError."""
    for until, rowid in dates:
        connection.execute("UPDATE main.suppressions SET until = ? WHERE rowid = ?", (until, rowid))
        check_written(connection, 1)
