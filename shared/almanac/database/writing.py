"""Write the rows of email_schedules that differ, and no others, in the caller's transaction.

Rows go to SQLite as arrays (`carray`) of one integer a row and are unpacked in SQL, where no Python
runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Protocol

import apsw
import numpy as np
import pyarrow as pa

from almanac.database.schema import (
    PLANNED,
    PRE_SCHEDULED,
)
from almanac.database.shape_tables import SHAPE_COLUMNS, ShapeTables, WrittenShapes
from almanac.database.shapes import Packed, find_shapes, pack, positions, shape_table
from almanac.database.triggers import ignored_in_words, ignoring_triggers
from almanac.errors import DatabaseError, SnapshotMoved
from almanac.frames import Ids, Kind, Mask, ScheduleRows
from almanac.schedule_status import SkipCode, Status

_RUN = {
    "scheduled_send_time": ":send_time",
    "scheduler_run_id": ":run",
    "batch_id": ":run",
    "updated_at": ":now",
    "metadata": """CASE WHEN shape.detailed THEN
        (SELECT text FROM temp.almanac_details AS details WHERE details.id = packed.rowid) END""",
}
# the columns that both a new and a changed row gets, with the SQL of their values
BASE_COLUMNS = {name: f"shape.{name}" for name in SHAPE_COLUMNS} | _RUN
_NAMED = ", ".join(f"{value} AS {name}" for name, value in BASE_COLUMNS.items())
# CROSS JOIN keeps SQLite from reading the shapes first
FROM_PACKED = """FROM carray(:words) AS packed
    CROSS JOIN temp.almanac_shapes AS shape ON shape.id = packed.value & :mask"""
ID_OF_PACKED = ":base + (packed.value >> :bits)"

_INSERT = f"""
    INSERT INTO main.email_schedules (contact_id, {", ".join(BASE_COLUMNS)}, created_at)
    SELECT {ID_OF_PACKED}, {", ".join(BASE_COLUMNS.values())}, :now {FROM_PACKED}
"""
# NOT INDEXED: by rowid; without statistics SQLite would take the index by status
_UPDATE = f"""
    UPDATE main.email_schedules AS row NOT INDEXED
    SET {", ".join(f"{name} = changed.{name}" for name in BASE_COLUMNS)}
    FROM (SELECT {ID_OF_PACKED} AS id, {_NAMED} {FROM_PACKED}) AS changed
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


class InsertObserver(Protocol):
    """Notes which rows are inserted, so that this can be undone."""

    def takes_next(self) -> bool:
        """Return whether to note the rows of the next statement."""
        ...

    def unrecorded(self) -> AbstractContextManager[None]:
        """Surround the statement that inserts rows."""
        ...

    def add(
        self,
        packed: Packed,
        shapes: WrittenShapes,
        details: Sequence[tuple[int, str]],
        run: Mapping[str, object],
        last: int,
    ) -> None:
        """Note the rows of one statement; last: the id of the last."""
        ...


@dataclass(frozen=True)
class Statement:
    """Rows to insert or to update in place, as they are bound.

    parts: each with its metadata texts by row, counted from 1.
    """

    inserting: bool
    shapes: WrittenShapes
    parts: Sequence[tuple[Packed, list[tuple[int, str]]]]


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
        observer: InsertObserver | None = None,
    ) -> None:
        self._connection = connection
        self._kinds = kinds
        self._reasons = reasons
        self._observer = observer
        self._run: dict[str, object] = {"send_time": send_time, "run": run_id, "now": now}
        self._tables = ShapeTables(connection)

    def close(self) -> None:
        """Drop the writer's temporary tables."""
        self._tables.__exit__()

    def prepared(
        self, rows: ScheduleRows, details: Sequence[str] | pa.Array = ()
    ) -> list[Statement]:
        """Return what inserts the rows with row_id 0 in their order, and updates the others.

        details: the metadata texts that `rows.details` points into. The connection is not used, so
        that another thread may call it meanwhile.
        """
        new = rows.row_id == 0
        found = []
        for inserting, part in ((True, rows.take(new)), (False, rows.take(~new))):
            if len(part) == 0:
                continue
            shapes = find_shapes(part)
            written = WrittenShapes(shape_table(part, shapes), self._kinds, self._reasons)
            ids = part.contact_id if inserting else part.row_id
            parts = [
                (each, _details_of(part.take(slice(each.start, each.stop)), details))
                for each in pack(ids, shapes)
            ]
            found.append(Statement(inserting, written, parts))
        return found

    def write(self, statements: Iterable[Statement]) -> None:
        """Write the rows; raise SnapshotMoved if one to update is not a planned row."""
        for statement in statements:
            self._tables.fill_shapes(statement.shapes)
            for packed, texts in statement.parts:
                self._tables.fill_details(texts)
                self._execute(statement, packed, texts)

    def remove(self, row_ids: Ids) -> None:
        """Delete planned rows; SnapshotMoved if one of them is not a planned row."""
        self._change(_DELETE, row_ids, {})

    def expire(self, row_ids: Ids) -> None:
        """Skip PRE_SCHEDULED rows whose deadline has passed; SnapshotMoved if one is none."""
        self._change(_EXPIRE, row_ids, {"run": self._run["run"], "now": self._run["now"]})

    def _execute(
        self, statement: Statement, packed: Packed, texts: Sequence[tuple[int, str]]
    ) -> None:
        observer = self._observer if statement.inserting else None
        if observer and not observer.takes_next():
            observer = None
        with observer.unrecorded() if observer else nullcontext():
            sql = _INSERT if statement.inserting else _UPDATE
            self._connection.execute(sql, self._run | bindings(packed))
        self._expect(packed.stop - packed.start)
        if observer:
            last = self._connection.last_insert_rowid()
            observer.add(packed, statement.shapes, texts, self._run, last)

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


def _details_of(rows: ScheduleRows, details: Sequence[str] | pa.Array) -> list[tuple[int, str]]:
    """Return the metadata texts by row, counted from 1."""
    detailed: Mask = rows.details >= 0
    if not detailed.any():
        return []
    texts = _texts(details, rows.details[detailed].tolist())
    return list(zip(positions(detailed), texts, strict=True))


def bindings(packed: Packed) -> dict[str, object]:
    """Return the values that FROM_PACKED and ID_OF_PACKED name."""
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
