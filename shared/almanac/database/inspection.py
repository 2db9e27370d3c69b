"""Inspect an agency's database for `almanac check`; nothing is changed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import apsw

from almanac.config_contacts import ContactColumns
from almanac.database.catalog import describe, scalar
from almanac.database.contact_columns import contacts_of
from almanac.database.opening import map_errors, open_database
from almanac.database.rebuild import inline_unique, lacks_key
from almanac.database.schema import CONTACT_ALIASES, CONTACT_COLUMNS, KEYED, TABLES
from almanac.database.sql import Columns
from almanac.database.triggers import ignored_in_words, ignoring_triggers

PROBLEMS = 20


@dataclass(frozen=True)
class Inspection:
    """What was found; of a sound and complete database only `contacts` is not empty."""

    integrity: tuple[str, ...]  # SQLite's words, at most PROBLEMS
    missing_tables: tuple[str, ...]  # a run creates these
    missing_columns: tuple[str, ...]  # table.column; a run adds these, but for contacts
    unusable_tables: tuple[str, ...]  # views and the like under the name of one of our tables
    forbidden_unique: tuple[str, ...]  # columns of constraints without which a run rebuilds it
    without_key: tuple[str, ...]  # tables without a key of ids, which a run rebuilds with one
    ignoring_triggers: tuple[str, ...]  # which ones leave changes of a table of ours out
    contacts: int  # rows of contacts
    duplicate_ids: int  # rows of contacts that repeat the id of another: left out of planning
    non_integer_ids: int  # rows whose id is no whole number: left out of planning

    @property
    def sound(self) -> bool:
        """Return whether the database can be planned, and no contact is left out."""
        troubles = (self.integrity, self.unusable_tables, self.duplicate_ids, self.non_integer_ids)
        return not any(troubles)


def inspect(path: Path, settings: ContactColumns) -> Inspection:
    """Inspect the whole file; raises as `open_database` and `contact_columns.contacts_named`."""
    connection = open_database(path, writable=False)
    try:
        with map_errors(path):
            return _inspect(connection, settings)
    finally:
        connection.close()


def _inspect(connection: apsw.Connection, settings: ContactColumns) -> Inspection:
    tables, columns, unusable, keyless = [], [], [], []
    for table in TABLES:
        found = describe(connection, table.name)
        if found is None:
            tables.append(table.name)
        elif found.kind != "table":
            unusable.append(f"{table.name} is a {found.kind}")
        else:
            if table.name in KEYED and lacks_key(found):
                keyless.append(found.name)
            names = (c.name for c in table.columns)
            columns += [f"{table.name}.{name}" for name in names if name not in found.columns]
    contacts = contacts_of(connection, settings)
    damage = _damage(connection)
    rows = integers = different = 0
    try:
        rows, integers, different = _count_ids(connection, contacts.whole("id"))
    except apsw.CorruptError as error:
        damage.append(f"contacts cannot be read completely: {error}")
    return Inspection(
        integrity=tuple(damage),
        missing_tables=tuple(tables),
        missing_columns=tuple(_missing_of_contacts(contacts) + columns),
        unusable_tables=tuple(unusable),
        forbidden_unique=tuple(inline_unique(connection)),
        without_key=tuple(keyless),
        ignoring_triggers=tuple(
            ignored_in_words(table.name, triggers)
            for table in TABLES
            if (triggers := ignoring_triggers(connection, table.name))
        ),
        contacts=rows,
        duplicate_ids=integers - different,
        non_integer_ids=rows - integers,
    )


def _damage(connection: apsw.Connection) -> list[str]:
    """Return the damage that SQLite finds, in its words."""
    lines: list[str] = []
    try:
        for (line,) in connection.execute(f"PRAGMA integrity_check({PROBLEMS})"):
            lines.append(" ".join(str(line).split()))
    except apsw.CorruptError as error:
        lines.append(str(error))
    return [] if lines == ["ok"] else lines


def _count_ids(connection: apsw.Connection, whole: str) -> tuple[int, int, int]:
    """Return the rows of contacts, those with a usable id, and the different ids among them.

    whole: SQL of the id of a contact.
    """
    integers = f"SELECT count({whole}) FROM contacts"
    different = f"SELECT count(DISTINCT {whole}) FROM contacts"
    return (
        scalar(connection, "SELECT count(*) FROM contacts"),
        scalar(connection, integers),
        scalar(connection, different),
    )


def _missing_of_contacts(contacts: Columns) -> list[str]:
    return [
        f"contacts.{name}"
        for name in CONTACT_COLUMNS
        if not contacts.has(name) and not contacts.has(CONTACT_ALIASES.get(name, name))
    ]
