"""Write what a run changes besides email_schedules, in the caller's transaction."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import apsw
import numpy as np
import pyarrow as pa

from almanac.database.catalog import insert_rows, scalar
from almanac.database.schema import (
    IDENTIFIED,
    IDENTITY_INDEX,
    LEGACY_CAMPAIGN,
    PLANNED,
    SCHEDULER_CHECKPOINTS,
)
from almanac.frames import Ids
from almanac.schedule_status import Status

_FOUND = "CREATE TEMP TABLE almanac_issues (contact_id INTEGER, issue TEXT, detail TEXT)"
_REMOVE_ISSUES = """
    DELETE FROM main.contact_issues
    WHERE (contact_id, issue) IN (SELECT contact_id, issue FROM temp.almanac_issues)
"""
_KEEP_ISSUES = """
    UPDATE main.contact_issues AS kept SET detail = found.detail FROM temp.almanac_issues AS found
    WHERE kept.contact_id = found.contact_id AND kept.issue = found.issue
        AND kept.detail IS NOT found.detail
"""
_ADD_ISSUES = """
    INSERT INTO main.contact_issues (contact_id, issue, detail, first_seen)
    SELECT contact_id, issue, detail, ?1 FROM temp.almanac_issues AS found
    WHERE NOT EXISTS (SELECT 1 FROM main.contact_issues AS kept
        WHERE kept.contact_id = found.contact_id AND kept.issue = found.issue)
"""


def write_issues(connection: apsw.Connection, gone: pa.Table, written: pa.Table, now: str) -> None:
    """Remove the issues `gone`, then add those `written`, first seen `now`.

    gone: contact_id, issue; written: with the detail. Of an issue that already exists only the
    detail changes.
    """
    if gone.num_rows:
        with _found(connection, gone):
            connection.execute(_REMOVE_ISSUES)
    if written.num_rows:
        with _found(connection, written):
            connection.execute(_KEEP_ISSUES)
            connection.execute(_ADD_ISSUES, (now,))


@contextmanager
def _found(connection: apsw.Connection, table: pa.Table) -> Iterator[None]:
    """Hold these issues in a temporary table, so that a statement is for all of them."""
    connection.execute(_FOUND)
    try:
        rows = zip(*(column.to_numpy().tolist() for column in table.columns), strict=True)
        names = ", ".join(table.column_names)
        insert_rows(connection, f"temp.almanac_issues ({names})", rows)
        yield
    finally:
        connection.execute("DROP TABLE temp.almanac_issues")


def write_target_statuses(
    connection: apsw.Connection, targets: Mapping[str, Ids], now: str | None = None
) -> None:
    """Set contact_campaigns.status where it differs; `now` is the new updated_at.

    targets: the ids by their status.
    """
    stamp = scalar(connection, "SELECT datetime('now')") if now is None else now
    for status, ids in targets.items():
        connection.execute(
            "UPDATE main.contact_campaigns SET status = ?1, updated_at = ?2 "
            "WHERE id IN (SELECT value FROM carray(?3)) AND status IS NOT ?1",
            (status, stamp, apsw.carray(np.ascontiguousarray(ids, np.int64))),
        )


# CROSS JOIN: from the few new targets to their rows, not over all rows by status
_SETTLE = f"""
    WITH settled AS (
        SELECT target.id AS id, row.status AS status
        FROM main.contact_campaigns AS target
        CROSS JOIN main.email_schedules AS row INDEXED BY {IDENTITY_INDEX.name}
        WHERE target.campaign_instance_id = ?1 AND target.status = 'pending'
          AND row.contact_id = target.contact_id
          AND row.email_type = 'campaign_{LEGACY_CAMPAIGN}'
          AND CAST(COALESCE(row.campaign_instance_id, 0) AS INTEGER) = ?1
          AND row.{PLANNED} AND row.{IDENTIFIED}
          AND printf('%04d-%02d-%02d', row.event_year, row.event_month, row.event_day)
              = substr(target.trigger_date, 1, 10))
    UPDATE main.contact_campaigns
    SET status = CASE settled.status
            WHEN '{Status.PRE_SCHEDULED}' THEN 'scheduled' ELSE 'skipped' END,
        updated_at = ?2
    FROM settled WHERE contact_campaigns.id = settled.id
"""


def settle_new_targets(connection: apsw.Connection, instance: int, now: str) -> None:
    """Give the targets that the migration made of old rate increases the status of their plan.

    They have no id before the migration, so they are found by contact and trigger date. Needs the
    indexes of `create_indexes`.
    """
    connection.execute(_SETTLE, (instance, now))


def write_checkpoint(connection: apsw.Connection, **columns: str | int | None) -> None:
    """Write the run's row of scheduler_checkpoints in place of that of an earlier attempt.

    Takes the columns of the table by name, `scheduler_run_id` among them; ValueError for others.
    """
    unknown = columns.keys() - {c.name for c in SCHEDULER_CHECKPOINTS.columns}
    if unknown or not columns.get("scheduler_run_id"):
        raise ValueError(f"not a checkpoint: {sorted(columns)}")
    connection.execute(
        "DELETE FROM main.scheduler_checkpoints WHERE scheduler_run_id = ?",
        (columns["scheduler_run_id"],),
    )
    names, places = ", ".join(columns), ", ".join("?" * len(columns))
    connection.execute(
        f"INSERT INTO main.scheduler_checkpoints ({names}) VALUES ({places})",
        tuple(columns.values()),
    )
