"""Write the rows of email_schedules that differ, and no others, in the caller's transaction.

Rows go to SQLite as arrays (`carray`) of one integer a row and are unpacked in SQL, where no Python
runs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import apsw
import numpy as np
import pyarrow as pa

from almanac.database.schema import (
    PLANNED,
    PRE_SCHEDULED,
)
from almanac.database.shapes import (
    Packed,
    Shapes,
    find_shapes,
    pack,
    positions,
    shape_values,
)
from almanac.database.triggers import ignored_in_words, ignoring_triggers
from almanac.errors import DatabaseError, SnapshotMoved
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
    """Writes the rows of one run, in any number of calls within one transaction."""

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
        """Drop the writer's temporary tables."""
        for sql in _DROP:
            self._connection.execute(sql)

    def write(self, rows: ScheduleRows, details: Sequence[str] | pa.Array = ()) -> None:
        """Insert the rows with row_id 0 in their order, and update the others in place.

        details: the metadata texts that `rows.details` points into. Raises SnapshotMoved if a row
        to update is not a planned row.
        """
        new = rows.row_id == 0
        self._apply(_INSERT, rows.take(new), details, inserting=True)
        self._apply(_UPDATE, rows.take(~new), details, inserting=False)

    def remove(self, row_ids: Ids) -> None:
        """Delete planned rows; SnapshotMoved if one of them is not a planned row."""
        self._change(_DELETE, row_ids, {})

    def expire(self, row_ids: Ids) -> None:
        """Skip PRE_SCHEDULED rows whose deadline has passed; SnapshotMoved if one is none."""
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
        if found != rows and (names := ignoring_triggers(self._connection, "email_schedules")):
            raise DatabaseError(
                f"{ignored_in_words('email_schedules', names)}: {found} of {rows} rows were "
                "written; drop it, or let it pass the rows of a run"
            )
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
