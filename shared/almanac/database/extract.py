"""One contact's rows, copied out of a database of any size into a small private one.

What comes out is read like any snapshot (`almanac.database.reading.Snapshot`); the user's file is
only read, inside one read transaction, and whatever is missing in it is missing in the copy.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import apsw

from almanac.database.catalog import TableInfo, describe, quoted, scalar
from almanac.database.opening import map_errors, open_database
from almanac.database.schema import (
    COMMITTED,
    COMMITTED_INDEX,
    IDENTIFIED,
    IDENTITY_INDEX,
    OLDER_INDEX,
    PLANNED,
    STATUS_INDEX,
    UNIDENTIFIED,
)
from almanac.database.sql import Columns, trimmed

NEAREST = 4
_WHOLE = ("campaign_types", "campaign_instances", "scheduler_checkpoints", "config_versions")
_OF_CONTACT = ("contact_campaigns", "tracking_clicks", "contact_events", "contact_issues")


@dataclass(frozen=True)
class Extract:
    """What was copied, and what the copy cannot tell of the whole."""

    found: bool  # there is a contact with this id
    nearest: tuple[int, ...]  # if there is none: the ids closest to it, in order
    total_contacts: int
    standing: dict[str, int]  # messages by day on the days of the contact's planned rows
    run_ids: dict[int, str]  # by id of the contact's rows: the run that wrote the row


def extract_contact(path: Path, contact_id: int, target: Path) -> Extract:
    """Copy the contact's rows and the small tables to the new database `target`.

    Raises as `open_database` does.
    """
    connection = open_database(path, writable=False)
    target.touch()  # our connections create no files
    try:
        with map_errors(path):
            connection.execute("ATTACH ? AS extract", (str(target),))
            # the switch holds for all databases of a connection; the user's is only selected from
            connection.execute("PRAGMA query_only = OFF")
            connection.execute("PRAGMA extract.synchronous = OFF")
            connection.execute("BEGIN")
            result = _extract(connection, contact_id)
            connection.execute("COMMIT")
            return result
    finally:
        connection.close()


def _extract(connection: apsw.Connection, contact_id: int) -> Extract:
    for name in _WHOLE:
        _copy(connection, name, "1", {})
    who: dict[str, int | str] = {"id": contact_id}
    contacts = Columns(describe(connection, "contacts"))
    _copy(connection, "contacts", f"{contacts.key('id')} = :id", who)
    for name in _OF_CONTACT:
        columns = Columns(describe(connection, name))
        if columns.has("contact_id"):
            _copy(connection, name, f"{columns.key('contact_id')} = :id", who)
    _copy_schedules(connection, who)
    _copy_suppressions(connection, who)
    whole = "SELECT EXISTS (SELECT 1 FROM extract.contacts WHERE typeof(id) = 'integer')"
    found = bool(scalar(connection, whole))
    return Extract(
        found=found,
        nearest=() if found else _nearest(connection, contacts, contact_id),
        total_contacts=int(scalar(connection, "SELECT count(*) FROM main.contacts")),
        standing=_standing(connection),
        run_ids=_run_ids(connection),
    )


def _copy(connection: apsw.Connection, name: str, where: str, values: dict[str, int | str]) -> None:
    """Create the table in the copy, unless it is there, and add the rows in table order."""
    table = describe(connection, name)
    if table is None:
        return
    connection.execute(_create_sql(table))
    columns = ", ".join(map(quoted, table.columns))
    order = "ORDER BY rowid" if table.has_rowid else ""
    connection.execute(
        f"INSERT INTO extract.{quoted(table.name)} ({columns}) "
        f"SELECT {columns} FROM main.{quoted(table.name)} WHERE {where} {order}",
        values,
    )


def _create_sql(table: TableInfo) -> str:
    """The same columns with the same types, but without constraints, defaults and indexes."""
    columns = (
        f"{quoted(name)} {'INTEGER PRIMARY KEY' if name == table.rowid_alias else declared}"
        for name, declared in table.columns.items()
    )
    return f"CREATE TABLE IF NOT EXISTS extract.{quoted(table.name)} ({', '.join(columns)})"


def _copy_schedules(connection: apsw.Connection, who: dict[str, int | str]) -> None:
    columns = Columns(describe(connection, "email_schedules"))
    if not columns.has("contact_id"):
        return
    mine = f"{columns.key('contact_id')} = :id"
    ours = (IDENTITY_INDEX, COMMITTED_INDEX, OLDER_INDEX)
    if not all(_has_index(connection, index.name) for index in ours):
        _copy(connection, "email_schedules", mine, who)
        return
    # each condition repeats that of a partial index, so that no search reads the whole table
    for condition in (COMMITTED, f"{PLANNED} AND {IDENTIFIED}", f"{PLANNED} AND {UNIDENTIFIED}"):
        _copy(connection, "email_schedules", f"{mine} AND {condition}", who)


def _copy_suppressions(connection: apsw.Connection, who: dict[str, int | str]) -> None:
    columns = Columns(describe(connection, "suppressions"))
    email = Columns(describe(connection, "contacts")).text("email")
    address = scalar(connection, f"SELECT lower({trimmed(email)}) FROM extract.contacts LIMIT 1")
    conditions = [f"{columns.key('contact_id')} = :id"] if columns.has("contact_id") else []
    if columns.has("email"):
        conditions.append(f"lower({trimmed(columns.text('email'))}) = :address")
    if conditions:
        _copy(connection, "suppressions", " OR ".join(conditions), who | {"address": address or ""})


def _has_index(connection: apsw.Connection, name: str) -> bool:
    sql = "SELECT EXISTS (SELECT 1 FROM main.sqlite_schema WHERE type = 'index' AND name = ?)"
    return bool(scalar(connection, sql, name))


def _nearest(connection: apsw.Connection, contacts: Columns, contact_id: int) -> tuple[int, ...]:
    key = contacts.key("id")
    whole = f"FROM main.contacts WHERE typeof({key}) = 'integer' AND {key}"
    below = connection.execute(
        f"SELECT DISTINCT {key} {whole} < ? ORDER BY 1 DESC LIMIT {NEAREST}", (contact_id,)
    )
    above = connection.execute(
        f"SELECT DISTINCT {key} {whole} > ? ORDER BY 1 LIMIT {NEAREST}", (contact_id,)
    )
    ids = sorted((row[0] for row in (*below, *above)), key=lambda i: (abs(i - contact_id), i))
    return tuple(sorted(ids[:NEAREST]))


def _standing(connection: apsw.Connection) -> dict[str, int]:
    """How many messages stand on each day of the contact's planned rows and on their ideal days;
    nothing where no index tells it quickly."""
    there = Columns(describe(connection, "email_schedules"))
    if not _has_index(connection, STATUS_INDEX.name) or not there.has("ideal_send_date"):
        return {}
    days = connection.execute(
        "SELECT substr(scheduled_send_date, 1, 10) FROM extract.email_schedules "
        "WHERE status = 'pre-scheduled' "
        "UNION SELECT substr(ideal_send_date, 1, 10) FROM extract.email_schedules "
        "WHERE status = 'pre-scheduled' AND ideal_send_date IS NOT NULL"
    )
    # the words for a status are few: each is found by one step into the index
    words = connection.execute(
        "WITH RECURSIVE word(status) AS ("
        "SELECT min(status) FROM main.email_schedules UNION ALL "
        "SELECT (SELECT min(status) FROM main.email_schedules AS row WHERE row.status > "
        "word.status) FROM word WHERE word.status IS NOT NULL) "
        "SELECT status FROM word WHERE status IS NOT NULL AND status <> 'skipped'"
    )
    statuses = [row[0] for row in words]
    count = "SELECT count(*) FROM main.email_schedules WHERE status = ? AND scheduled_send_date = ?"
    return {
        str(day): sum(int(scalar(connection, count, status, day)) for status in statuses)
        for (day,) in days.fetchall()
        if day
    }


def _run_ids(connection: apsw.Connection) -> dict[int, str]:
    columns = Columns(describe(connection, "email_schedules"))
    if not columns.has("id", "scheduler_run_id", "contact_id"):
        return {}
    rows = connection.execute(
        f"SELECT {columns.integer('id')}, hex({columns.text('scheduler_run_id')}) "
        "FROM extract.email_schedules"
    )
    encoding = str(scalar(connection, "PRAGMA encoding"))
    return {row: bytes.fromhex(run).decode(encoding, "replace") for row, run in rows if run}
