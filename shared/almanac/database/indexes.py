"""The indexes of a table, and queries that must use one of ours, where it exists."""

from __future__ import annotations

import apsw

from almanac.database.catalog import Record, records, scalar
from almanac.database.schema import PLANNED, PLANNED_INDEXES, Index


def indexes_of(connection: apsw.Connection, table: str) -> list[Record]:
    """Return name, unique, origin (c: by CREATE INDEX) and partial of the table's indexes."""
    return records(
        connection, 'SELECT name, "unique", origin, partial FROM pragma_index_list(?)', table
    )


def index_columns(connection: apsw.Connection, index: object) -> list[str | None]:
    """Return the columns of an index in order and lower case, None for an expression."""
    found = records(connection, "SELECT name FROM pragma_index_info(?) ORDER BY seqno", index)
    return [f["name"] and str(f["name"]).lower() for f in found]


def indexed_by(connection: apsw.Connection, index: Index) -> str:
    """Return the clause that forces a query to use the index; '' if it is not as we create it."""
    found = scalar(connection, "SELECT sql FROM sqlite_schema WHERE name = ?", index.name)
    return f"INDEXED BY {index.name}" if found == index.create_sql() else ""


def planned_parts(connection: apsw.Connection) -> list[tuple[str, str]]:
    """Return (index clause, condition) of the queries that together find all planned rows.

    Each repeats the condition of a partial index, so that none reads the whole table. [] unless
    all of the indexes exist.
    """
    parts = [
        (indexed_by(connection, index), f"{PLANNED} AND {condition}")
        for index, condition in PLANNED_INDEXES
    ]
    return parts if all(clause for clause, _ in parts) else []


def statuses_by_index(connection: apsw.Connection, by: str) -> list[bytes | None]:
    """Return all statuses of email_schedules, None for no status, texts as blobs.

    by: the clause of the index by status. There are few different statuses: each is found by one
    search of the index.
    """
    sql = f"""
        WITH RECURSIVE word(status) AS (
            SELECT min(status) FROM main.email_schedules {by} UNION ALL
            SELECT (SELECT min(row.status) FROM main.email_schedules AS row {by}
                WHERE row.status > word.status)
            FROM word WHERE word.status IS NOT NULL)
        SELECT CAST(status AS BLOB) FROM word
    """
    return [row[0] for row in connection.execute(sql)]
