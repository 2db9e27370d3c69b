"""Insert and update rows of `contacts`, which belongs to the agency, in the caller's transaction.

No row is deleted. Columns are named by Almanac's names or by the table's own; those that planning
reads and the table lacks are added.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import apsw

from almanac.config_contacts import ContactColumns
from almanac.database.catalog import TableInfo, quoted, scalar
from almanac.database.contact_columns import contacts_of
from almanac.database.contact_lookup import ContactLookup, ContactRow, Value
from almanac.database.migrations import complete
from almanac.database.schema import CONTACT_ALIASES, CONTACT_COLUMNS, Column, Table
from almanac.database.sql import Columns, trimmed
from almanac.errors import DatabaseError

FLAG = "flag"  # role of opt-out and consent columns, and of failed_underwriting
CREATED = "created_at"


class ContactField(NamedTuple):
    """A column that can be written."""

    column: str  # of the table, in lower case
    role: str  # Almanac's name, FLAG, or '' for what planning does not read
    writable: bool = True  # neither the id nor computed


@dataclass(frozen=True)
class ContactFields:
    """The columns of contacts that the table has or planning reads."""

    columns: Columns
    by_name: Mapping[str, ContactField]  # by every name that means them, in lower case

    @property
    def email(self) -> str:
        """Return the column of the address."""
        return self.by_name["email"].column

    @cached_property
    def roles(self) -> Mapping[str, str]:
        """Return the roles by column."""
        return {each.column: each.role for each in self.by_name.values()}


def contact_fields(connection: apsw.Connection, settings: ContactColumns) -> ContactFields:
    """Return the columns of contacts that can be written.

    Raises DatabaseError without such a table, ConfigError for a mapped column that it lacks.
    """
    columns = contacts_of(connection, settings)
    if columns.table is None or columns.table.kind != "table":
        what = "no table contacts" if columns.table is None else "contacts is no table"
        raise DatabaseError(f"{connection.filename}: {what}; contacts cannot be written")
    sql = "SELECT lower(name) FROM pragma_table_xinfo('contacts') WHERE hidden <> 0"
    computed = {str(name) for (name,) in connection.execute(sql)}
    fields = _fields(columns, columns.table, settings)
    return ContactFields(
        columns,
        {
            name: each._replace(writable=each.role != "id" and each.column not in computed)
            for name, each in fields.items()
        },
    )


def needed_columns(connection: apsw.Connection, fields: ContactFields) -> frozenset[str]:
    """Return the columns of which a new contact needs a value, in lower case.

    They have no default, and neither the database nor this program makes one.
    """
    sql = (
        "SELECT lower(name) FROM pragma_table_xinfo('contacts') "
        'WHERE "notnull" AND dflt_value IS NULL AND hidden = 0'
    )
    found = {str(name) for (name,) in connection.execute(sql)}
    return frozenset(found - {fields.columns.column(name) for name in ("id", CREATED)})


def _fields(
    columns: Columns, table: TableInfo, settings: ContactColumns
) -> dict[str, ContactField]:
    there = table.columns
    fields = {name: ContactField(name, "") for name in there}
    for name in (*settings.opt_out_columns, *settings.sms_consent_columns):
        fields[name.lower()] = ContactField(name.lower(), FLAG)
    for name in (*CONTACT_COLUMNS, CREATED):
        role = FLAG if name == "failed_underwriting" else name
        column, alias = columns.column(name), CONTACT_ALIASES.get(name)
        if alias and name not in settings.columns:
            if alias in there:
                fields[alias] = ContactField(alias, role)
                column = column if column in there else alias
            else:
                fields[alias] = ContactField(column, role)
        fields[column] = fields[name] = ContactField(column, role)
    return fields


class ContactRows:
    """The table contacts of a database."""

    def __init__(
        self, connection: apsw.Connection, fields: ContactFields, settings: ContactColumns
    ) -> None:
        self._connection = connection
        self._settings = settings
        self._columns = fields.columns
        self._roles = fields.roles
        self.lookup = ContactLookup(connection, fields.columns)
        self._there = set(fields.columns.table.columns if fields.columns.table else ())
        self._key = self.lookup.key
        self._next_id: int | None = None
        self._statements: dict[tuple[str, ...], str] = {}

    def has(self, column: str) -> bool:
        """Return whether the table has the column."""
        return column in self._there

    def add_columns(self, columns: Collection[str]) -> None:
        """Add those of the columns that the table lacks."""
        missing = sorted(set(columns) - self._there)
        if missing:
            types = {name: "BOOLEAN" if self._roles[name] == FLAG else "TEXT" for name in missing}
            added = tuple(Column(name, kind) for name, kind in types.items())
            complete(self._connection, Table("contacts", added))
            self._there |= types.keys()

    def insert(self, contact: int | None, values: Mapping[str, Value], now: str) -> ContactRow:
        """Insert a contact, by default with a new id, created now; return the row.

        values: by column. Raises apsw.ConstraintError, with nothing written.
        """
        row = {column: value for column, value in values.items() if value is not None}
        created = self._columns.column(CREATED)
        if created in self._there:
            row.setdefault(created, now)
        if contact is None and not self._columns.is_rowid("id"):
            contact = self._new_id()
        if contact is not None:
            row[self._columns.column("id")] = contact
        sql = self._statements.get(("insert", *row))
        if sql is None:
            names, places = ", ".join(map(quoted, row)), ", ".join("?" * len(row))
            sql = f"INSERT OR ABORT INTO {self._columns.source} ({names}) VALUES ({places})"
            self._statements["insert", *row] = sql
        self._connection.execute(sql, tuple(row.values()))
        if not self._connection.changes():
            raise apsw.ConstraintError("a trigger ignores new contacts")
        number = contact if contact is not None else self._connection.last_insert_rowid()
        if self._next_id is not None:
            self._next_id = max(self._next_id, number + 1)
        has_rowid = self._key == "rowid"
        key = self._connection.last_insert_rowid() if has_rowid else number
        return ContactRow(key, number)

    def update(self, key: Value, values: Mapping[str, Value]) -> bool:
        """Change columns of a row; return whether any of them had another value.

        Raises apsw.ConstraintError, with nothing written.
        """
        sql = self._statements.get(("update", *values))
        if sql is None:
            names = [quoted(name) for name in values]
            sets = ", ".join(f"{name} = ?{at + 1}" for at, name in enumerate(names))
            differs = " OR ".join(f"{name} IS NOT ?{at + 1}" for at, name in enumerate(names))
            sql = (
                f"UPDATE OR ABORT {self._columns.source} SET {sets} "
                f"WHERE {self._key} = ?{len(names) + 1} AND ({differs})"
            )
            self._statements["update", *values] = sql
        self._connection.execute(sql, (*values.values(), key))
        return self._connection.changes() > 0

    def deactivate(self, key: Value, status: str) -> bool:
        """Give a contact a status; return whether it was active. Requires the column."""
        active = ["", *(each.strip().lower() for each in self._settings.active_statuses)]
        column = quoted(self._columns.column("status"))
        text = trimmed(f"COALESCE(CAST({column} AS TEXT), '')")
        self._connection.execute(
            f"UPDATE OR ABORT {self._columns.source} SET {column} = ?1 WHERE {self._key} = ?2 "
            f"AND lower({text}) IN (SELECT value FROM carray(?3))",
            (status, key, apsw.carray(tuple(active))),
        )
        return self._connection.changes() > 0

    def _new_id(self) -> int:
        if self._next_id is None:
            whole = self._columns.whole("id")
            last = scalar(self._connection, f"SELECT max({whole}) FROM {self._columns.source}")
            self._next_id = max(int(last or 0), 0) + 1
        return self._next_id
