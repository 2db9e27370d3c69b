"""The columns of `contacts`: by Almanac's names, which the configuration may map to others."""

from __future__ import annotations

import apsw

from almanac.config import ContactColumns
from almanac.config_problems import near
from almanac.database.catalog import TableInfo, describe
from almanac.database.sql import Columns
from almanac.errors import ConfigError, DatabaseError

REQUIRED = ("id", "email")


def contacts_of(connection: apsw.Connection, settings: ContactColumns) -> Columns:
    """Return the columns of contacts; raises as `contacts_named`."""
    return contacts_named(describe(connection, "contacts"), settings)


def contacts_named(table: TableInfo | None, settings: ContactColumns) -> Columns:
    """Return the columns of the table contacts by Almanac's names.

    Raises ConfigError if the table lacks a mapped column, DatabaseError without id or email.
    """
    columns = Columns(table, {ours: theirs.lower() for ours, theirs in settings.columns.items()})
    if table is None:
        return columns
    there = list(table.columns)
    problems = [
        f"contacts.columns.{name}: the table contacts has no column {column!r}"
        f"{near(column, there) or ';'} it has {', '.join(there)}"
        for name, column in settings.columns.items()
        if not columns.has(name)
    ]
    if problems:
        raise ConfigError("\n".join(problems))
    for name in REQUIRED:
        if not columns.has(name):
            raise DatabaseError(
                f"table contacts has no column {name}; it has {', '.join(there)}; "
                f"contacts.columns.{name} of the configuration takes the name that it has here"
            )
    return columns
