"""Copy one contact's rows from a database of any size into a small one in memory.

The copy is read like any snapshot (`almanac.database.reading.Snapshot`). The database is only read,
through a connection of the caller, which may fetch pages from a store: only small tables and those
without an index by contact are read whole. What is missing in the database is missing in the copy.
"""

from __future__ import annotations

from dataclasses import dataclass

import apsw

from almanac.config_contacts import ContactColumns
from almanac.database.catalog import (
    Record,
    TableInfo,
    as_text,
    describe,
    quoted,
    raw_records,
    scalar,
    text_as_blob,
)
from almanac.database.columnar import ColumnarReader
from almanac.database.contact_columns import contacts_of
from almanac.database.indexes import indexed_by, planned_parts
from almanac.database.rebuild import lacks_key
from almanac.database.schema import (
    COMMITTED,
    COMMITTED_INDEX,
    KEYED,
)
from almanac.database.sources import Source
from almanac.database.sql import Columns, columns_of, trimmed

NEAREST = 4
_WHOLE = ("campaign_types", "campaign_instances", "scheduler_checkpoints", "config_versions")
_OF_CONTACT = ("contact_campaigns", "tracking_clicks", "contact_events", "contact_issues")

Values = dict[str, int | bytes]


@dataclass(frozen=True)
class Extract:
    """A contact's rows, and what the copy alone does not show."""

    found: bool  # whether a contact has this id
    source: Source  # the copy; the caller closes it
    suppressions: list[Record]  # the contact's, as they are, in table order
    run_ids: dict[int, str]  # by id of the contact's rows: the run that wrote the row


def extract_contact(source: Source, contact_id: int, settings: ContactColumns) -> Extract:
    """Copy the contact's rows and the small tables. Raises what SQLite or the store raises."""
    copy = apsw.Connection(":memory:")
    try:
        copy.execute(f"PRAGMA encoding = '{scalar(source.connection, 'PRAGMA encoding')}'")
        _Copier(source.connection, copy, settings).contact(contact_id)
        found = bool(describe(copy, "contacts")) and bool(
            scalar(copy, "SELECT EXISTS (SELECT 1 FROM contacts)")
        )
        suppressions = describe(copy, "suppressions")
        return Extract(
            found=found,
            source=Source(source.path, copy, ColumnarReader(source.path, copy), copy.close),
            suppressions=raw_records(copy, suppressions, "ORDER BY rowid") if suppressions else [],
            run_ids=_run_ids(copy),
        )
    except BaseException:
        copy.close()
        raise


class _Copier:
    """Copies row by row from one connection to another."""

    def __init__(
        self, whole: apsw.Connection, copy: apsw.Connection, settings: ContactColumns
    ) -> None:
        self._whole = whole
        self._copy = copy
        self._contacts = contacts_of(whole, settings)

    def contact(self, contact_id: int) -> None:
        """Copy all that planning reads of the contact."""
        who: Values = {"id": contact_id}
        for name in _WHOLE:
            self.rows(name, "1", {})
        contacts = self._contacts
        mine = f"{contacts.key('id')} = :id AND {contacts.whole('id')} IS NOT NULL"
        self.rows("contacts", mine, who)
        for name in _OF_CONTACT:
            columns = columns_of(self._whole, name)
            if columns.has("contact_id"):
                self.rows(name, of_contact(columns), who)
        self._schedules(who)
        self._suppressions(who)

    def rows(self, name: str, where: str, values: Values, by: str = "") -> None:
        """Create the table in the copy, unless it exists, and add the rows in table order."""
        table = describe(self._whole, name)
        if table is None:
            return
        self._copy.execute(create_sql(table))
        # a text may be invalid, so its bytes are copied
        columns = list(map(quoted, table.columns))
        chosen = {column: quoted(column) for column in table.columns}
        if name in KEYED and "id" in chosen and lacks_key(table) and table.has_rowid:
            chosen["id"] = Columns(table).row_id()
        select = ", ".join(f"typeof({c}), {text_as_blob(c)}" for c in chosen.values())
        insert = ", ".join(
            f"CASE ?{n} WHEN 'text' THEN CAST(?{n + 1} AS TEXT) ELSE ?{n + 1} END"
            for n in range(1, 2 * len(columns), 2)
        )
        order = "ORDER BY rowid" if table.has_rowid else ""
        found = self._whole.execute(
            f"SELECT {select} FROM main.{quoted(table.name)} {by} WHERE {where} {order}", values
        )
        self._copy.executemany(
            f"INSERT INTO {quoted(table.name)} ({', '.join(columns)}) VALUES ({insert})", found
        )

    def _schedules(self, who: Values) -> None:
        columns = columns_of(self._whole, "email_schedules")
        if not columns.has("contact_id"):
            return
        mine = of_contact(columns)
        planned = planned_parts(self._whole)
        committed = indexed_by(self._whole, COMMITTED_INDEX)
        if not planned or not committed:
            self.rows("email_schedules", mine, who)
            return
        for by, condition in [(committed, COMMITTED), *planned]:
            self.rows("email_schedules", f"{mine} AND {condition}", who, by)

    def _suppressions(self, who: Values) -> None:
        """Copy the contact's suppressions, compared as in planning; id 0 and '' match none.

        Those with a phone number are copied whatever the number.
        """
        columns = columns_of(self._whole, "suppressions")
        conditions = []
        if columns.has("contact_id"):
            conditions.append(f"{of_contact(columns)} AND :id <> 0")
        if columns.has("email") and describe(self._copy, "contacts"):
            email = trimmed(self._contacts.text("email"))
            sql = f"SELECT CAST(lower({email}) AS BLOB) FROM contacts LIMIT 1"
            address = scalar(self._copy, sql) or b""
            conditions.append(
                f"lower({trimmed(columns.text('email'))}) = CAST(:address AS TEXT) "
                "AND :address <> x''"
            )
            who = who | {"address": address}
        if columns.has("phone"):
            # numbers are compared by their digits, which SQL cannot do
            conditions.append(f"{trimmed(columns.text('phone'))} <> ''")
        if conditions:
            self.rows("suppressions", " OR ".join(conditions), who)


def of_contact(columns: Columns) -> str:
    """Return the condition of the contact :id, found by an index; an id such as 3Hs is not 3."""
    return f"{columns.key('contact_id')} = :id AND {columns.whole('contact_id')} IS NOT NULL"


def _run_ids(copy: apsw.Connection) -> dict[int, str]:
    columns = columns_of(copy, "email_schedules")
    if not columns.has("id", "scheduler_run_id", "contact_id"):
        return {}
    rows = copy.execute(
        f"SELECT {columns.integer('id')}, CAST({columns.text('scheduler_run_id')} AS BLOB) "
        "FROM email_schedules"
    )
    encoding = str(scalar(copy, "PRAGMA encoding"))
    return {row: as_text(run, encoding) for row, run in rows if run}


def nearest_ids(
    connection: apsw.Connection, contact_id: int, settings: ContactColumns
) -> list[int]:
    """Return the sorted ids of the contacts closest to an id that no contact has."""
    columns = contacts_of(connection, settings)
    key = columns.key("id")
    whole = f"FROM main.contacts WHERE {columns.whole('id')} IS NOT NULL AND {key}"
    below = connection.execute(
        f"SELECT DISTINCT {key} {whole} < ? ORDER BY 1 DESC LIMIT {NEAREST}", (contact_id,)
    )
    above = connection.execute(
        f"SELECT DISTINCT {key} {whole} > ? ORDER BY 1 LIMIT {NEAREST}", (contact_id,)
    )
    ids = sorted((row[0] for row in (*below, *above)), key=lambda i: (abs(i - contact_id), i))
    return sorted(ids[:NEAREST])


def ids_with_address(
    connection: apsw.Connection, address: str, settings: ContactColumns
) -> list[int]:
    """Return the sorted ids of the contacts with an e-mail address, compared trimmed in lower case.

    Reads all contacts, or an index of all addresses if there is one.
    """
    columns = contacts_of(connection, settings)
    whole = columns.whole("id")
    found = connection.execute(
        f"SELECT DISTINCT {whole} FROM main.contacts WHERE "
        f"lower({trimmed(columns.text('email'))}) = lower({trimmed('?')}) "
        f"AND {whole} IS NOT NULL ORDER BY 1",
        (address,),
    )
    return [row[0] for row in found]


def create_sql(table: TableInfo, schema: str = "main") -> str:
    """Return a statement for the same columns and types, without constraints, defaults, indexes."""
    key = "id" if table.name.lower() in KEYED and table.has_rowid else table.rowid_alias
    columns = (
        f"{quoted(name)} {'INTEGER PRIMARY KEY' if name == key else declared}"
        for name, declared in table.columns.items()
    )
    return f"CREATE TABLE IF NOT EXISTS {schema}.{quoted(table.name)} ({', '.join(columns)})"
