"""Write what a run changes besides email_schedules, in the caller's transaction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import apsw
import numpy as np

from almanac.database.catalog import scalar
from almanac.database.schema import (
    IDENTIFIED,
    IDENTITY_INDEX,
    LEGACY_CAMPAIGN,
    PLANNED,
    SCHEDULER_CHECKPOINTS,
)
from almanac.frames import Ids
from almanac.schedule_status import Status

_KEEP_ISSUE = """
    UPDATE main.contact_issues SET detail = ?3
    WHERE contact_id = ?1 AND issue = ?2 AND detail IS NOT ?3
"""
_ADD_ISSUE = """
    INSERT INTO main.contact_issues (contact_id, issue, detail, first_seen)
    SELECT ?1, ?2, ?3, ?4
    WHERE NOT EXISTS (SELECT 1 FROM main.contact_issues WHERE contact_id = ?1 AND issue = ?2)
"""


def write_issues(
    connection: apsw.Connection,
    removed: Iterable[tuple[int, str]],
    rows: Iterable[tuple[int, str, str]],
    now: str,
) -> None:
    """Remove (contact_id, issue), then add (contact_id, issue, detail), first seen `now`.

    Of an issue that already exists only the detail changes.
    """
    delete = "DELETE FROM main.contact_issues WHERE contact_id = ? AND issue = ?"
    connection.executemany(delete, removed)
    rows = list(rows)
    connection.executemany(_KEEP_ISSUE, rows)
    connection.executemany(_ADD_ISSUE, [(*row, now) for row in rows])


def write_target_statuses(
    connection: apsw.Connection, ids: Ids, statuses: Sequence[str], now: str | None = None
) -> None:
    """Set contact_campaigns.status by id where it differs; `now` is the new updated_at."""
    stamp = scalar(connection, "SELECT datetime('now')") if now is None else now
    texts = np.asarray(statuses, np.str_)
    for status in np.unique(texts).tolist():
        targets = np.ascontiguousarray(ids[texts == status], np.int64)
        connection.execute(
            "UPDATE main.contact_campaigns SET status = ?1, updated_at = ?2 "
            "WHERE id IN (SELECT value FROM carray(?3)) AND status IS NOT ?1",
            (status, stamp, apsw.carray(targets)),
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
