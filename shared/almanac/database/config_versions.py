"""The configuration that each run records in the table config_versions."""

from __future__ import annotations

import apsw

from almanac.database.catalog import Record, raw_records, scalar
from almanac.database.sql import columns_of

BY_RUN, BY_CONFIG = "almanac", "almanac config"  # in created_by
OPEN = "config_type = 'organization' AND COALESCE(valid_to, '') = ''"


def open_record(connection: apsw.Connection) -> Record | None:
    """Return the open row of config_versions, which the last run recorded; None without one.

    A table of that name without the columns of ours belongs to another program. Columns that it
    lacks besides are missing from the row.
    """
    columns = columns_of(connection, "config_versions")
    table = columns.table
    if table is None or not columns.has("config_type", "config_data", "valid_to"):
        return None
    order = "id" if columns.is_rowid("id") else columns.row_id() if table.has_rowid else ""
    tail = f"WHERE {OPEN} {f'ORDER BY {order} DESC' if order else ''} LIMIT 1"
    rows = raw_records(connection, table, tail)
    return rows[0] if rows and rows[0]["config_data"] is not None else None


def recorded_versions(connection: apsw.Connection) -> list[Record]:
    """Return the rows of the organization's configurations, the oldest first."""
    columns = columns_of(connection, "config_versions")
    table = columns.table
    if table is None or not columns.has("id", "config_type", "config_data", "valid_to"):
        return []
    return raw_records(connection, table, "WHERE config_type = 'organization' ORDER BY id")


def record_config(
    connection: apsw.Connection, canonical_json: str, now: str, by: str = BY_RUN
) -> bool:
    """Make it the organization's open configuration; return False if it is that already.

    now: as SQLite's CURRENT_TIMESTAMP. by: BY_RUN or BY_CONFIG.
    """
    current = scalar(
        connection,
        f"SELECT config_data FROM main.config_versions WHERE {OPEN} ORDER BY id DESC LIMIT 1",
    )
    if current == canonical_json:
        return False
    connection.execute(f"UPDATE main.config_versions SET valid_to = ? WHERE {OPEN}", (now,))
    connection.execute(
        "INSERT INTO main.config_versions "
        "(config_type, config_data, valid_from, created_at, created_by) "
        "VALUES ('organization', ?1, ?2, ?2, ?3)",
        (canonical_json, now, by),
    )
    return True
