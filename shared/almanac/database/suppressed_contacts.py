"""The contacts whom suppressions concern, and their planned messages, by SQL and numbers alone: the
commit of a run verifies the planning with it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import NamedTuple

import apsw
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from almanac.config_contacts import ContactColumns
from almanac.database.catalog import as_text, scalar
from almanac.database.columnar import ColumnarReader
from almanac.database.contact_columns import contacts_of
from almanac.database.indexes import planned_parts
from almanac.database.schema import PRE_SCHEDULED
from almanac.database.sql import Columns, civil_date, columns_of, trimmed
from almanac.database.suppressions import (
    ALL_MESSAGES,
    IN_FORCE,
    SMS,
    SUPPRESSIONS,
    Scope,
    address,
    named_types,
    rows,
    state,
)
from almanac.frames import Ids
from almanac.json_text import json_text
from almanac.phone_number import bare_number

_PHONES = pa.schema({"id": pa.int64(), "phone": pa.string()})


class PlannedMessage(NamedTuple):
    """A PRE_SCHEDULED row; its date is an ISO date."""

    contact_id: int
    day: str
    email_type: str


def suppressed(connection: apsw.Connection, day: str, settings: ContactColumns) -> Ids:
    """Return the ids of all contacts who get no message, by suppressions in force on the date."""
    return by_scope(connection, day, settings).get(ALL_MESSAGES, np.empty(0, np.int64))


def by_scope(connection: apsw.Connection, day: str, settings: ContactColumns) -> dict[Scope, Ids]:
    """Return the ids of contacts whom suppressions in force on the ISO date concern, by what the
    suppressions take away.

    Of contacts with the same id only the first in the table counts, if the table has an order.
    """
    contacts = contacts_of(connection, settings)
    found: dict[Scope, list[Ids]] = defaultdict(list)
    if columns_of(connection, SUPPRESSIONS.name).table is not None and contacts.table is not None:
        for scope, ids in _by_name(connection, day, settings):
            found[scope].append(ids)
        for scope, ids in _by_number(connection, day, settings):
            found[scope].append(ids)
    return {scope: np.unique(np.concatenate(ids)) for scope, ids in found.items()}


def _by_name(
    connection: apsw.Connection, day: str, settings: ContactColumns
) -> Iterator[tuple[Scope, Ids]]:
    """Yield contacts by the rows that name an address or an id."""
    columns = columns_of(connection, SUPPRESSIONS.name)
    contacts = contacts_of(connection, settings)
    held = (
        f"SELECT {address(columns)} AS address, {columns.id_or_zero('contact_id')} AS contact, "
        f"lower({trimmed(columns.text('channel'))}) = '{SMS}' AS texts, "
        f"CAST({columns.text('email_types')} AS BLOB) AS types FROM main.suppressions "
        f"WHERE {state(columns)} = '{IN_FORCE}' AND {trimmed(columns.text('phone'))} = ''"
    )
    values = {"day": day}
    if connection.execute(f"SELECT 1 FROM ({held}) LIMIT 1", values).fetchone() is None:
        return
    # CROSS JOIN: for each contact a look-up among the suppressions, by an index of SQLite's own;
    # it makes none to compare a column that has an affinity, which the + takes away
    pairs = connection.execute(
        f"WITH held AS MATERIALIZED ({held}), person AS ("
        f"SELECT +({contacts.whole('id')}) AS id, {address(contacts)} AS address "
        f"FROM main.contacts WHERE {_first_of_each(contacts)}) "
        "SELECT person.id, texts, types FROM person CROSS JOIN held "
        "ON held.address = person.address WHERE held.address <> '' "
        "UNION ALL SELECT person.id, texts, types FROM person CROSS JOIN held "
        "ON held.contact = person.id WHERE held.contact <> 0",
        values,
    )
    encoding = str(scalar(connection, "PRAGMA encoding"))
    found: dict[tuple[int, bytes], list[int]] = defaultdict(list)
    for contact, texts, types in pairs:
        found[texts, types].append(contact)
    for (texts, types), ids in found.items():
        scope = Scope(bool(texts), named_types(as_text(types, encoding)))
        yield scope, np.array(ids, np.int64)


def _by_number(
    connection: apsw.Connection, day: str, settings: ContactColumns
) -> Iterator[tuple[Scope, Ids]]:
    """Yield contacts by the rows that name a phone number."""
    columns = columns_of(connection, SUPPRESSIONS.name)
    wanted: dict[Scope, set[str]] = defaultdict(set)
    for row in rows(connection, day, f"{trimmed(columns.text('phone'))} <> ''"):
        if row.state == IN_FORCE and (number := bare_number(row.phone)):
            wanted[row.scope].add(number)
    if not wanted:
        return
    contacts, numbers = phone_numbers(connection, settings)
    ids = contacts.to_numpy()
    for scope, some in wanted.items():
        there = pc.is_in(numbers, value_set=pa.array(sorted(some)))
        yield scope, ids[there.to_numpy(zero_copy_only=False)]


def with_number(connection: apsw.Connection, phone: str, settings: ContactColumns) -> int:
    """Return the number of contacts that have a phone number."""
    numbers = phone_numbers(connection, settings)[1]
    return int(pc.sum(pc.equal(numbers, bare_number(phone))).as_py() or 0)


def phone_numbers(
    connection: apsw.Connection, settings: ContactColumns
) -> tuple[pa.Array, pa.Array]:
    """Return the ids of the contacts that have a phone number, and their bare numbers."""
    contacts = contacts_of(connection, settings)
    sql = f"SELECT {contacts.whole('id')}, {contacts.text('phone_number')} FROM main.contacts "
    where = f"WHERE {_first_of_each(contacts)} AND {contacts.text('phone_number')} <> ''"
    found = ColumnarReader(Path(connection.filename), connection).read(sql + where, (), _PHONES)
    return found["id"].combine_chunks(), _bare_numbers(found["phone"].combine_chunks())


def _bare_numbers(texts: pa.Array) -> pa.Array:
    """Return `phone_number.bare_number` of each text."""
    digits = pc.replace_substring_regex(pc.utf8_trim_whitespace(texts), r"\.0$|[^0-9]", "")
    return pc.replace_substring_regex(digits, "^1([0-9]{10})$", r"\1")


def _first_of_each(contacts: Columns) -> str:
    """Return a condition: a contact with a usable id, and the first one with it."""
    whole = contacts.whole("id")
    table = contacts.table
    if table is None or not table.has_rowid or contacts.is_rowid("id"):
        return f"{whole} IS NOT NULL"
    of_id = f"SELECT min(rowid) FROM main.contacts WHERE {whole} IS NOT NULL GROUP BY {whole}"
    return f"rowid IN ({of_id})"


def planned(
    connection: apsw.Connection,
    contacts: Ids,
    since: str,
    types: Collection[str] | None = None,
    *,
    with_text: bool = False,
) -> Iterator[PlannedMessage]:
    """Yield the contacts' PRE_SCHEDULED rows from the ISO date on.

    types: only rows of these types, as the rows have them. with_text: only rows that go out as a
    text message too.
    """
    there = columns_of(connection, "email_schedules")
    if not len(contacts) or not there.has("contact_id", "status", "scheduled_send_date"):
        return
    ids = apsw.carray(np.ascontiguousarray(contacts, np.int64))
    day = civil_date(there.text("scheduled_send_date"))
    kind = f"CAST({there.text('email_type')} AS BLOB)"
    narrow = f" AND {there.text('sms_template')} <> ''" if with_text else ""
    values = {"ids": ids, "since": since, "types": json_text(sorted(types or ()))}
    if types is not None:
        narrow += f" AND {kind} IN (SELECT CAST(value AS BLOB) FROM json_each(:types))"
    encoding = str(scalar(connection, "PRAGMA encoding"))
    for by, where in planned_parts(connection) or [("", "1")]:
        # CROSS JOIN: by contact, not over all rows by status; +: as text, where the column is TEXT
        found = connection.execute(
            f"SELECT wanted.value, {day}, {kind} FROM carray(:ids) AS wanted "
            f"CROSS JOIN main.email_schedules {by} ON contact_id = +wanted.value "
            f"WHERE {where} AND {PRE_SCHEDULED} AND {day} >= :since{narrow}",
            values,
        )
        for contact, date, email_type in found:
            yield PlannedMessage(contact, date, as_text(email_type, encoding))
