"""The columns of `contacts`: by Almanac's names, which the configuration may map to others."""

from __future__ import annotations

import shlex

import apsw

from almanac.config_contacts import ContactColumns
from almanac.config_problems import near
from almanac.database.catalog import TableInfo, describe
from almanac.database.likely_columns import likely_columns
from almanac.database.sql import Columns
from almanac.errors import ConfigError, DatabaseError

REQUIRED = ("id", "email")
# by key of the configuration: what follows where a column in its list does not exist
_FLAGS = {
    "opt_out_columns": "no contact is left out by it",
    "sms_consent_columns": "text messages go out without it",
}


def contacts_of(connection: apsw.Connection, settings: ContactColumns) -> Columns:
    """Return the columns of contacts; raises as `contacts_named`."""
    return contacts_named(describe(connection, "contacts"), settings, connection.filename)


def contacts_named(table: TableInfo | None, settings: ContactColumns, file: str) -> Columns:
    """Return the columns of the table contacts by Almanac's names.

    file: what messages call the database. Raises ConfigError if the table lacks a mapped column,
    DatabaseError without id or email.
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
    missing = [name for name in REQUIRED if not columns.has(name)]
    if missing:
        likely = likely_columns(columns)
        named = [f"contacts.columns.{name}={likely.get(name, 'COLUMN')}" for name in missing]
        raise DatabaseError(
            f"{file}: table contacts has no column {' and no '.join(missing)}; it has "
            f"{', '.join(there)}; name the one that is meant: "
            f"almanac config set {shlex.quote(file)} {' '.join(named)}"
        )
    return columns


def unknown_flags(columns: Columns, settings: ContactColumns) -> list[str]:
    """Return which opt-out and consent columns the table contacts lacks, in words.

    Only of a list that differs from the default, which names those that an agency may have.
    """
    there = Columns(columns.table)
    names = list(columns.table.columns) if columns.table is not None else []
    found = []
    for key, follows in _FLAGS.items():
        listed = getattr(settings, key)
        missing = [name for name in listed if not there.has(name.lower())]
        for name in [] if listed == getattr(ContactColumns(), key) else missing:
            hint = near(name, names) or ";"
            found.append(
                f"contacts.{key}: the table contacts has no column {name!r}{hint} {follows}"
            )
    return found
