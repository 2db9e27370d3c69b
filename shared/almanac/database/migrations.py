"""Add the tables, columns and indexes that planning needs to an agency's database.

Idempotent, and inside the caller's transaction (semantics: Input database).
"""

from __future__ import annotations

from collections.abc import Sequence

import apsw

from almanac.database.catalog import describe, quoted, scalar
from almanac.database.indexes import index_columns, indexes_of
from almanac.database.rebuild import give_key, lacks_key, rebuild
from almanac.database.schema import (
    CAMPAIGN_INSTANCES,
    COMMITTED_INDEX,
    EMAIL_SCHEDULES,
    FORBIDDEN_UNIQUE,
    IDENTITY_INDEX,
    LEGACY_CAMPAIGN,
    LEGACY_INSTANCE,
    LEGACY_TYPE,
    OLDER_INDEX,
    PLANNED,
    PRE_SCHEDULED,
    STATUS_INDEX,
    TABLES,
    UNIDENTIFIED,
    Index,
    Table,
)
from almanac.database.sql import Columns, columns_of
from almanac.errors import DatabaseError
from almanac.names import MAX_ID

# CREATE INDEX sorts parts of the size of the page cache and merges 16 of them at a time, through
# temporary files. Parts that fit into the processor's own cache are sorted fastest (an index of 1.6
# million rows by status and date: 2.0 s in parts of 1 MB, SQLite's least, 2.3 of 2, 3.0 of 16), but
# more than 16 times 16 parts are merged once more. An index is a tenth of the file at most.
SORTED_KIB = 1024
_OF_FILE, _MERGED = 10, 16**2
# no row that a run writes is in these: before it writes they are built from few rows, and standing
# they cost it nothing, while building them afterwards reads the whole table again for each
EARLY_INDEXES = (COMMITTED_INDEX, OLDER_INDEX)
_NEW_ROWS = 1 << 32  # more than a run adds


def migrate(
    connection: apsw.Connection, legacy_instance: int | None = None, now: str | None = None
) -> list[str]:
    """Bring the tables up to date, without the indexes; return what was done, in words.

    legacy_instance: the id for the instance `legacy_rate_increase` if it must be created. now: the
    time that new rows get (by default SQLite's clock). Raises DatabaseError if a table of the user
    cannot be completed.
    """
    done: list[str] = []
    for table in TABLES:
        done += complete(connection, table)
    done += _drop_forbidden(connection)
    done += rebuild(connection)
    _clear_blank_ideals(connection)
    done += _convert_rate_increases(connection, legacy_instance, now)
    return done


def create_indexes(connection: apsw.Connection, deferred: Sequence[str] = ()) -> list[str]:
    """Create the missing indexes of email_schedules; return what was done, in words.

    deferred: statements that create those of other programs, which are there again then. Raises
    DatabaseError if two planned rows have the same identity.
    """
    cache = scalar(connection, "PRAGMA cache_size")
    size = scalar(connection, "PRAGMA page_count") * scalar(connection, "PRAGMA page_size")
    kib = max(SORTED_KIB, size // 1024 // _OF_FILE // _MERGED)
    connection.execute(f"PRAGMA cache_size = -{kib}")
    threads = scalar(connection, "PRAGMA threads")
    connection.execute("PRAGMA threads = 2")  # one sorts while the other reads rows
    try:
        for statement in deferred:
            connection.execute(statement)
        return _create_missing(connection, IDENTITY_INDEX, *EARLY_INDEXES, STATUS_INDEX)
    finally:
        connection.execute(f"PRAGMA cache_size = {cache}")
        connection.execute(f"PRAGMA threads = {threads}")


def create_early_indexes(connection: apsw.Connection) -> list[str]:
    """Create the missing EARLY_INDEXES; return what was done, in words."""
    return _create_missing(connection, *EARLY_INDEXES)


def _create_missing(connection: apsw.Connection, *indexes: Index) -> list[str]:
    there = {str(i["name"]).lower() for i in indexes_of(connection, EMAIL_SCHEDULES.name)}
    done = []
    for index in indexes:
        if index.name in there or (index is STATUS_INDEX and _has_status_index(connection)):
            continue
        _create_index(connection, index)
        done.append(f"created the index {index.name}")
    return done


def _create_index(connection: apsw.Connection, index: Index) -> None:
    try:
        connection.execute(index.create_sql())
    except apsw.ConstraintError as error:
        raise DatabaseError(
            f"table {EMAIL_SCHEDULES.name}: two planned rows have the same contact, type, "
            f"instance and event date, so that the index {index.name} cannot be created ({error})"
        ) from error


def complete(connection: apsw.Connection, table: Table) -> list[str]:
    """Create the table, or add its missing columns; return what was done, in words."""
    found = describe(connection, table.name)
    if found is None:
        connection.execute(table.create_sql())
        return [f"created the table {table.name}"]
    if found.kind != "table":
        raise DatabaseError(f"{found.name} is a {found.kind} here; Almanac needs a table")
    done = []
    if table.columns[0].name == "id" and lacks_key(found):
        done = give_key(connection, found)
        found = describe(connection, table.name) or found
    missing = [c for c in table.columns if c.name not in found.columns]
    for column in missing:
        if not column.addition():
            raise DatabaseError(
                f"table {found.name} has no column {column.name}, and none can be added to it; "
                f"expected {column.name} {column.declaration}"
            )
        connection.execute(table.addition_sql(column))
    if table.columns[0].name == "id" and table is not CAMPAIGN_INSTANCES:
        _require_ids(connection, found.name)
    return done + [f"added the column {table.name}.{c.name}" for c in missing]


def _require_ids(connection: apsw.Connection, table: str) -> None:
    """Raise DatabaseError if no ids are left, for which SQLite would report a full disk."""
    sql = "SELECT sql LIKE '%AUTOINCREMENT%' FROM main.sqlite_schema WHERE name = ?"
    if not scalar(connection, sql, table):
        return  # SQLite then takes any free id
    sql = "SELECT max(CAST(seq AS INTEGER)) FROM main.sqlite_sequence WHERE name = ?"
    used = scalar(connection, sql, table) or 0
    highest = scalar(connection, f"SELECT max(id) FROM main.{quoted(table)}") or 0
    if max(used, highest) > MAX_ID - _NEW_ROWS:
        raise DatabaseError(f"table {table}: its ids are used up: the highest is {MAX_ID}")


def _has_status_index(connection: apsw.Connection) -> bool:
    """Return whether an index without a condition begins with status and date."""
    return any(
        index_columns(connection, i["name"])[:2] == ["status", "scheduled_send_date"]
        for i in indexes_of(connection, EMAIL_SCHEDULES.name)
        if not i["partial"]
    )


def _drop_forbidden(connection: apsw.Connection) -> list[str]:
    """Drop the unique indexes that forbid two instances of a campaign type in a year."""
    done = []
    for index in indexes_of(connection, EMAIL_SCHEDULES.name):
        columns = frozenset(index_columns(connection, index["name"]))
        if not index["unique"] or index["origin"] != "c" or columns not in FORBIDDEN_UNIQUE:
            continue
        connection.execute(f"DROP INDEX {quoted(str(index['name']))}")
        done.append(f"dropped the unique index {index['name']}")
    return done


def _clear_blank_ideals(connection: apsw.Connection) -> None:
    """Make the ideal date of planned rows NULL where it is empty, as in an imported CSV file."""
    there = {str(i["name"]).lower() for i in indexes_of(connection, EMAIL_SCHEDULES.name)}
    if IDENTITY_INDEX.name not in there:  # else no row without one is in it
        connection.execute(
            "UPDATE main.email_schedules SET ideal_send_date = NULL "
            f"WHERE {PLANNED} AND ideal_send_date = ''"
        )


# A date is the first ten characters, alone or before a space or T, if they are a valid date.
_SEND = """
    CASE WHEN scheduled_send_date GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]'
           OR scheduled_send_date GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9][ T]*'
         THEN substr(scheduled_send_date, 1, 10) END
"""
_LEGACY_ROWS = f"""
    {PLANNED} AND {UNIDENTIFIED} AND {PRE_SCHEDULED}
    AND lower(email_type) = '{LEGACY_TYPE}'
"""
_COLLECT = """
    CREATE TEMP TABLE almanac_legacy AS
    WITH texts AS (SELECT id, contact_id, {send} AS send, {event} AS event
                   FROM main.email_schedules {index} WHERE {rows}),
         dates AS (SELECT id, contact_id,
                          CASE WHEN date(send) = send AND send >= '0001' THEN send END AS send,
                          CASE WHEN date(event) = event THEN event END AS event FROM texts)
    SELECT id, contact_id,
           CASE WHEN send IS NULL THEN event
                WHEN abs(julianday(event) - julianday(send)) <= 60 THEN event
                ELSE date(send, '+14 days') END AS trigger_date
    FROM dates
"""
_NEW_TYPE = """
    INSERT INTO campaign_types (name, respect_exclusion_windows, enable_followups,
        days_before_event, target_all_contacts, priority, active, spread_evenly,
        skip_failed_underwriting, created_at, updated_at)
    SELECT ?1, 1, 1, 14, 0, 1, 1, 0, 0, ?2, ?2
    WHERE NOT EXISTS (SELECT 1 FROM campaign_types WHERE name = ?1)
"""
_NEW_INSTANCE = """
    INSERT INTO campaign_instances (id, campaign_type, instance_name, created_at, updated_at)
    VALUES (?, ?, ?, ?, ?)
"""
_NEW_TARGETS = """
    INSERT INTO contact_campaigns
        (contact_id, campaign_instance_id, trigger_date, status, created_at, updated_at)
    SELECT DISTINCT contact_id, ?1, trigger_date, 'pending', ?2, ?2
    FROM temp.almanac_legacy AS legacy
    WHERE trigger_date IS NOT NULL AND NOT EXISTS (
        SELECT 1 FROM contact_campaigns AS target
        WHERE target.contact_id = legacy.contact_id AND target.campaign_instance_id = ?1
          AND substr(target.trigger_date, 1, 10) = legacy.trigger_date)
    ORDER BY contact_id, trigger_date
"""
_OLD_ROWS = """
    DELETE FROM email_schedules
    WHERE id IN (SELECT id FROM temp.almanac_legacy WHERE trigger_date IS NOT NULL)
"""


def _event_date(columns: Columns) -> str:
    """Return SQL of the date of the event columns, if it may be one."""
    year, month, day = (columns.date_part(f"event_{part}") for part in ("year", "month", "day"))
    return (
        f"CASE WHEN {year} > 0 AND {month} BETWEEN 1 AND 12 AND {day} BETWEEN 1 AND 31 "
        f"THEN printf('%04d-%02d-%02d', {year}, {month}, {day}) END"
    )


def _convert_rate_increases(
    connection: apsw.Connection, legacy_instance: int | None, now: str | None
) -> list[str]:
    """Turn planned rows of the type that a campaign has replaced into targets of the campaign.

    A row without a valid date stays a planned row of an older scheduler.
    """
    there = any(i["name"] == OLDER_INDEX.name for i in indexes_of(connection, EMAIL_SCHEDULES.name))
    index = f"INDEXED BY {OLDER_INDEX.name}" if there else ""
    event = _event_date(columns_of(connection, EMAIL_SCHEDULES.name))
    connection.execute(_COLLECT.format(send=_SEND, event=event, index=index, rows=_LEGACY_ROWS))
    try:
        sql = "SELECT count(*) FROM temp.almanac_legacy WHERE trigger_date IS NOT NULL"
        rows = scalar(connection, sql)
        if not rows:
            return []
        if now is None:
            now = scalar(connection, "SELECT datetime('now')")
        connection.execute(_NEW_TYPE, (LEGACY_CAMPAIGN, now))
        instance = _legacy_instance(connection, legacy_instance, now)
        connection.execute(_NEW_TARGETS, (instance, now))
        targets = connection.changes()
        connection.execute(_OLD_ROWS)
    finally:
        connection.execute("DROP TABLE temp.almanac_legacy")
    return [f"turned {rows} rows of {LEGACY_TYPE} into {targets} targets of {LEGACY_INSTANCE}"]


def _legacy_instance(connection: apsw.Connection, wanted: int | None, now: str) -> int:
    """Return the id of the campaign instance whose targets the old rows become."""
    found = connection.execute(
        "SELECT id FROM campaign_instances WHERE campaign_type = ? AND instance_name = ?",
        (LEGACY_CAMPAIGN, LEGACY_INSTANCE),
    ).fetchone()
    if found:
        return int(found[0])
    connection.execute(_NEW_INSTANCE, (wanted, LEGACY_CAMPAIGN, LEGACY_INSTANCE, now, now))
    return connection.last_insert_rowid()
