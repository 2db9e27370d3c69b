"""The change-only write: only rows that differ are touched.

Rows of email_schedules go to SQLite as arrays (`carray`) of one integer a row and are unpacked in
SQL, where no Python runs. Everything happens inside the caller's transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import apsw
import numpy as np
import pyarrow as pa

from almanac.database.catalog import scalar
from almanac.database.schema import (
    IDENTIFIED,
    IDENTITY_INDEX,
    LEGACY_CAMPAIGN,
    PLANNED,
    PRE_SCHEDULED,
    SCHEDULER_CHECKPOINTS,
)
from almanac.database.shapes import (
    Packed,
    Shapes,
    find_shapes,
    pack,
    positions,
    shape_values,
)
from almanac.errors import SnapshotMoved
from almanac.frames import Ids, Kind, Mask, ScheduleRows
from almanac.schedule_status import SkipCode, Status

SHAPE_COLUMNS = (
    "email_type",
    "scheduled_send_date",
    "status",
    "skip_reason",
    "priority",
    "campaign_instance_id",
    "email_template",
    "sms_template",
    "event_year",
    "event_month",
    "event_day",
    "ideal_send_date",
)
_RUN = {
    "scheduled_send_time": ":send_time",
    "scheduler_run_id": ":run",
    "batch_id": ":run",
    "updated_at": ":now",
    "metadata": """CASE WHEN shape.detailed THEN
        (SELECT text FROM temp.almanac_details AS details WHERE details.id = packed.rowid) END""",
}
_VALUES = {name: f"shape.{name}" for name in SHAPE_COLUMNS} | _RUN
# CROSS JOIN keeps SQLite from reading the shapes first
_FROM = """FROM carray(:words) AS packed
    CROSS JOIN temp.almanac_shapes AS shape ON shape.id = packed.value & :mask"""
_ID = ":base + (packed.value >> :bits)"

_CREATE = (
    f"""CREATE TEMP TABLE almanac_shapes
        (id INTEGER PRIMARY KEY, {", ".join(SHAPE_COLUMNS)}, detailed)""",
    "CREATE TEMP TABLE almanac_details (id INTEGER PRIMARY KEY, text)",
)
_DROP = ("DROP TABLE IF EXISTS temp.almanac_shapes", "DROP TABLE IF EXISTS temp.almanac_details")
_NEW_SHAPE = f"""INSERT INTO temp.almanac_shapes
    VALUES ({", ".join("?" * (len(SHAPE_COLUMNS) + 2))})"""
_NEW_DETAILS = "INSERT INTO temp.almanac_details VALUES (?, ?)"
_INSERT = f"""
    INSERT INTO main.email_schedules (contact_id, {", ".join(_VALUES)}, created_at)
    SELECT {_ID}, {", ".join(_VALUES.values())}, :now {_FROM}
"""
# NOT INDEXED: by rowid; without statistics SQLite would take the index by status
_UPDATE = f"""
    UPDATE main.email_schedules AS row NOT INDEXED
    SET {", ".join(f"{name} = changed.{name}" for name in _VALUES)}
    FROM (SELECT {_ID} AS id, {", ".join(f"{v} AS {n}" for n, v in _VALUES.items())} {_FROM})
        AS changed
    WHERE row.id = changed.id AND row.{PLANNED}
"""
_DELETE = f"""
    DELETE FROM main.email_schedules NOT INDEXED
    WHERE id IN (SELECT value FROM carray(:ids)) AND {PLANNED}
"""
_EXPIRE = f"""
    UPDATE main.email_schedules NOT INDEXED
    SET status = '{Status.SKIPPED}', skip_reason = '{SkipCode.NOT_SENT.value}',
        scheduler_run_id = :run, batch_id = :run, updated_at = :now
    WHERE id IN (SELECT value FROM carray(:ids)) AND {PRE_SCHEDULED}
"""


class ScheduleWriter:
    """Writes one run's rows; may be called many times, once a fragment, in one transaction."""

    def __init__(
        self,
        connection: apsw.Connection,
        kinds: Sequence[Kind],
        reasons: Sequence[str],
        send_time: str,
        run_id: str,
        now: str,
    ) -> None:
        self._connection = connection
        self._kinds = kinds
        self._reasons = reasons
        self._run: dict[str, object] = {"send_time": send_time, "run": run_id, "now": now}
        for sql in _DROP + _CREATE:
            connection.execute(sql)

    def close(self) -> None:
        """Drops the writer's temporary tables."""
        for sql in _DROP:
            self._connection.execute(sql)

    def write(self, rows: ScheduleRows, details: Sequence[str] | pa.Array = ()) -> None:
        """Inserts the rows with row_id 0 in their order, and updates the others in place.

        `details` are the metadata texts that `rows.details` points into. Raises SnapshotMoved if a
        row to update is no planned row.
        """
        new = rows.row_id == 0
        self._apply(_INSERT, rows.take(new), details, inserting=True)
        self._apply(_UPDATE, rows.take(~new), details, inserting=False)

    def remove(self, row_ids: Ids) -> None:
        """Deletes planned rows."""
        self._change(_DELETE, row_ids, {})

    def expire(self, row_ids: Ids) -> None:
        """Skip PRE_SCHEDULED rows that were not sent by their deadline."""
        self._change(_EXPIRE, row_ids, {"run": self._run["run"], "now": self._run["now"]})

    def _apply(
        self, sql: str, rows: ScheduleRows, details: Sequence[str] | pa.Array, *, inserting: bool
    ) -> None:
        if len(rows) == 0:
            return
        shapes = find_shapes(rows)
        self._fill_shapes(rows, shapes)
        for packed in pack(rows.contact_id if inserting else rows.row_id, shapes):
            self._fill_details(rows.take(slice(packed.start, packed.stop)), details)
            self._connection.execute(sql, self._run | _bindings(packed))
            self._expect(packed.stop - packed.start)

    def _change(self, sql: str, row_ids: Ids, values: dict[str, object]) -> None:
        if len(row_ids) == 0:
            return
        ids = apsw.carray(np.ascontiguousarray(row_ids, np.int64))
        self._connection.execute(sql, values | {"ids": ids})
        self._expect(len(row_ids))

    def _expect(self, rows: int) -> None:
        found = self._connection.changes()
        if found != rows:
            raise SnapshotMoved(
                f"email_schedules: {found} of {rows} rows to write are planned rows"
            )

    def _fill_shapes(self, rows: ScheduleRows, shapes: Shapes) -> None:
        self._connection.execute("DELETE FROM temp.almanac_shapes")
        values = shape_values(rows, shapes, self._kinds, self._reasons)
        self._connection.executemany(_NEW_SHAPE, values)

    def _fill_details(self, rows: ScheduleRows, details: Sequence[str] | pa.Array) -> None:
        detailed: Mask = rows.details >= 0
        self._connection.execute("DELETE FROM temp.almanac_details")
        if not detailed.any():
            return
        texts = _texts(details, rows.details[detailed].tolist())
        pairs = zip(positions(detailed), texts, strict=True)
        self._connection.executemany(_NEW_DETAILS, pairs)


def _bindings(packed: Packed) -> dict[str, object]:
    return {
        "words": apsw.carray(packed.words),
        "base": packed.base,
        "bits": packed.bits,
        "mask": (1 << packed.bits) - 1,
    }


def _texts(details: Sequence[str] | pa.Array, rows: list[int]) -> Iterator[str]:
    if isinstance(details, pa.Array):
        yield from details.take(pa.array(rows, pa.int64())).to_pylist()
    else:
        yield from (details[row] for row in rows)


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
    """Removes (contact_id, issue), then adds (contact_id, issue, detail), first seen `now`.

    Of an issue that is there already only the detail changes.
    """
    delete = "DELETE FROM main.contact_issues WHERE contact_id = ? AND issue = ?"
    connection.executemany(delete, removed)
    rows = list(rows)
    connection.executemany(_KEEP_ISSUE, rows)
    connection.executemany(_ADD_ISSUE, [(*row, now) for row in rows])


def write_target_statuses(
    connection: apsw.Connection, ids: Ids, statuses: Sequence[str], now: str | None = None
) -> None:
    """Sets contact_campaigns.status by id where it differs; `now` is the new updated_at."""
    stamp = scalar(connection, "SELECT datetime('now')") if now is None else now
    texts = np.asarray(statuses, np.str_)
    for status in np.unique(texts).tolist():
        targets = np.ascontiguousarray(ids[texts == status], np.int64)
        connection.execute(
            "UPDATE main.contact_campaigns SET status = ?1, updated_at = ?2 "
            "WHERE id IN (SELECT value FROM carray(?3)) AND status IS NOT ?1",
            (status, stamp, apsw.carray(targets)),
        )


# CROSS JOIN: from the few new targets to their rows, and not through all rows by status
_SETTLE = f"""
    WITH settled AS (
        SELECT target.id AS id, row.status AS status
        FROM main.contact_campaigns AS target
        CROSS JOIN main.email_schedules AS row INDEXED BY {IDENTITY_INDEX.name}
        WHERE target.campaign_instance_id = ?1 AND target.status = 'pending'
          AND row.contact_id = target.contact_id
          AND row.email_type = 'campaign_{LEGACY_CAMPAIGN}'
          AND COALESCE(row.campaign_instance_id, 0) = ?1
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
    """Gives the targets that the migration made of old rate increases the status of their plan.

    They have no id before the migration, so that they are found by what they are. Needs the
    indexes of `create_indexes`.
    """
    connection.execute(_SETTLE, (instance, now))


def write_checkpoint(connection: apsw.Connection, **columns: str | int | None) -> None:
    """Writes the run's row of scheduler_checkpoints; that of an earlier try is overwritten.

    Takes the columns of the table by name, `scheduler_run_id` among them.
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
