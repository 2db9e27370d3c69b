"""What a new suppression is compared with: the types of message, and who else has an address."""

from __future__ import annotations

import difflib

import apsw
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from almanac.config import BUILT_IN_TYPES, FOLLOWUP_TYPES
from almanac.config_contacts import ContactColumns
from almanac.database.catalog import as_text, scalar
from almanac.database.contact_columns import contacts_of
from almanac.database.sql import columns_of, trimmed
from almanac.database.suppressed_contacts import phone_numbers, suppressed
from almanac.database.suppressions import ALL_CAMPAIGNS, address
from almanac.frames import Ids
from almanac.phone_number import bare_number

NEAREST, ALIKE = 3, 0.8  # addresses or numbers that are named, and how alike they are at least
LONGER, COMPARED = 3, 5_000  # characters by which lengths differ; those compared one by one


def known_types(connection: apsw.Connection) -> frozenset[str]:
    """Return the types that a suppression may name, in lower case."""
    columns = columns_of(connection, "campaign_types")
    names: list[str] = []
    if columns.has("name"):
        encoding = str(scalar(connection, "PRAGMA encoding"))
        sql = f"SELECT CAST({trimmed(columns.text('name'))} AS BLOB) FROM main.campaign_types"
        names = [as_text(blob, encoding).lower() for (blob,) in connection.execute(sql)]
    campaigns = (f"campaign_{name}" for name in names)
    return frozenset((*BUILT_IN_TYPES, *FOLLOWUP_TYPES, ALL_CAMPAIGNS, *campaigns))


def sharing(connection: apsw.Connection, contacts: Ids, day: str, settings: ContactColumns) -> int:
    """Count other contacts with an address of these who are not suppressed on the ISO date."""
    columns = contacts_of(connection, settings)
    ids = apsw.carray(np.ascontiguousarray(contacts, np.int64))
    theirs = address(columns)
    mine = (
        f"SELECT {theirs} FROM carray(:ids) AS wanted "
        f"CROSS JOIN main.contacts ON {columns.key('id')} = wanted.value"
    )
    found = connection.execute(
        f"SELECT {columns.whole('id')} FROM main.contacts WHERE {columns.whole('id')} IS NOT NULL "
        f"AND {theirs} <> '' AND {theirs} IN ({mine})",
        {"ids": ids},
    )
    others = np.unique(np.fromiter((contact for (contact,) in found), np.int64))
    others = np.setdiff1d(others, contacts)
    if not len(others):
        return 0
    return len(np.setdiff1d(others, suppressed(connection, day, settings)))


def with_address(connection: apsw.Connection, email: str, settings: ContactColumns) -> int:
    """Return the number of contacts that have an address."""
    columns = contacts_of(connection, settings)
    sql = f"SELECT count({columns.whole('id')}) FROM main.contacts WHERE {address(columns)} = ?"
    return int(scalar(connection, sql, email.strip().lower()))


def near_addresses(
    connection: apsw.Connection, email: str, settings: ContactColumns
) -> list[tuple[str, int]]:
    """Return the addresses of contacts that are most like one, each with its first contact.

    Compared are those of about the same length that share the name, or the beginning or the end of
    the name together with the domain.
    """
    wanted = email.strip().lower()
    name, _, domain = wanted.partition("@")
    columns = contacts_of(connection, settings)
    theirs, local = address(columns), "substr(their, 1, instr(their, '@') - 1)"
    ends = f"substr({local}, 1, 2) = :first OR substr({local}, -2) = :last"
    found = connection.execute(
        f"SELECT CAST(their AS BLOB), min(id) FROM (SELECT {theirs} AS their, "
        f"{columns.whole('id')} AS id FROM main.contacts) WHERE id IS NOT NULL "
        f"AND abs(length(their) - :length) <= {LONGER} AND ({local} = :name "
        f"OR (their LIKE :domain AND ({ends}))) GROUP BY 1 LIMIT {COMPARED}",
        {
            "length": len(wanted),
            "name": name,
            "domain": f"%@{domain}",
            "first": name[:2],
            "last": name[-2:],
        },
    )
    encoding = str(scalar(connection, "PRAGMA encoding"))
    contacts = {as_text(blob, encoding): int(contact) for blob, contact in found}
    close = difflib.get_close_matches(wanted, contacts, n=NEAREST, cutoff=ALIKE)
    return [(each, contacts[each]) for each in close]


def near_numbers(
    connection: apsw.Connection, phone: str, settings: ContactColumns
) -> list[tuple[str, int]]:
    """Return the bare numbers of contacts that are most like one, each with its first contact.

    Compared are those that share the first or the last half of their digits, or a few of both.
    """
    wanted = bare_number(phone)
    half, few = len(wanted) // 2, len(wanted) // 3
    ids, numbers = phone_numbers(connection, settings)
    alike = pc.or_(
        pc.or_(pc.starts_with(numbers, wanted[:half]), pc.ends_with(numbers, wanted[-half:])),
        pc.and_(pc.starts_with(numbers, wanted[:few]), pc.ends_with(numbers, wanted[-few:])),
    )
    lengths = pc.utf8_length(numbers)
    alike = pc.and_(alike, pc.less_equal(pc.abs(pc.subtract(lengths, len(wanted))), 1))
    found = pa.table({"number": numbers.filter(alike), "id": ids.filter(alike)})
    rows = found.group_by("number").aggregate([("id", "min")]).slice(0, COMPARED)
    contacts = dict(zip(rows["number"].to_pylist(), rows["id_min"].to_pylist(), strict=True))
    close = difflib.get_close_matches(wanted, contacts, n=NEAREST, cutoff=ALIKE)
    return [(each, contacts[each]) for each in close]


def phone_of(connection: apsw.Connection, contact: int, settings: ContactColumns) -> str:
    """Return the phone number of a contact, '' without one."""
    columns = contacts_of(connection, settings)
    sql = (
        f"SELECT CAST({columns.text('phone_number')} AS BLOB) FROM main.contacts "
        f"WHERE {columns.key('id')} = ? AND {columns.whole('id')} IS NOT NULL LIMIT 1"
    )
    found = scalar(connection, sql, contact) if columns.table is not None else None
    return as_text(found, str(scalar(connection, "PRAGMA encoding"))).strip() if found else ""
