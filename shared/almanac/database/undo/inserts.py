"""The rows that a run inserted, as the packed integers and shapes that they were written from.

SQLite's session extension takes as long over a million new rows as the run takes to write them.
Their ids follow one another, so what they were written from says all: which rows are to go, and
what each must still be.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import astuple
from typing import Any, NamedTuple

import apsw
import numpy as np

from almanac.database.catalog import as_text, describe, quoted, scalar, text_as_blob
from almanac.database.shape_tables import ShapeTables, WrittenShapes
from almanac.database.shapes import SHAPE_ROWS, Packed
from almanac.database.undo.packing import Packer, unpacked
from almanac.database.undo.schema import default_of, is_literal
from almanac.database.writing import (
    BASE_COLUMNS,
    FROM_PACKED,
    ID_OF_PACKED,
    bindings,
)
from almanac.errors import AlmanacError
from almanac.frames import Kind

TABLE = "email_schedules"
SHOWN = 3  # rows that differ, in a message


class InsertLog:
    """Collects what rows are inserted from, while the session looks away."""

    def __init__(self, connection: apsw.Connection, session: apsw.Session) -> None:
        self._connection = connection
        self._session: apsw.Session | None = session
        table = describe(connection, TABLE)
        self._highest = 0
        if table is not None and table.has_rowid:
            self._highest = scalar(connection, f"SELECT max(rowid) FROM main.{TABLE}") or 0
        self._packer = Packer()
        self.rows = 0

    @property
    def size(self) -> int:
        """Return the bytes collected so far, compressed."""
        return self._packer.size

    def takes_next(self) -> bool:
        """Return whether the next rows get ids that no row has had in this transaction.

        Without AUTOINCREMENT they may be those of deleted rows: then the session records both.
        """
        if self._session is None:
            return False
        sql = "SELECT sql LIKE '%AUTOINCREMENT%' FROM main.sqlite_schema WHERE lower(name) = ?"
        if scalar(self._connection, sql, TABLE):
            return True
        highest = scalar(self._connection, f"SELECT max(rowid) FROM main.{TABLE}") or 0
        return int(highest) >= self._highest

    @contextmanager
    def unrecorded(self) -> Iterator[None]:
        """Keep the session from recording the rows."""
        if self._session is None:
            yield
            return
        self._session.enabled = False
        try:
            yield
        finally:
            self._session.enabled = True

    def stop(self) -> None:
        """Collect nothing more: there is too much."""
        self._session = None
        self._packer = Packer()

    def add(
        self,
        packed: Packed,
        shapes: WrittenShapes,
        details: Sequence[tuple[int, str]],
        run: Mapping[str, object],
        last: int,
    ) -> None:
        """Add rows that were inserted in one statement, the last of them with the id `last`."""
        count = packed.stop - packed.start
        header = {
            "first": last - count + 1,
            "rows": count,
            "base": packed.base,
            "bits": packed.bits,
            "run": dict(run),
            "shapes": shapes.table.shape[1],
            "kinds": [astuple(kind) for kind in shapes.kinds],
            "reasons": list(shapes.reasons),
            "details": details,
        }
        self._packer.add(json.dumps(header).encode() + b"\n")
        self._packer.add(np.ascontiguousarray(packed.words, "<i8").tobytes())
        self._packer.add(np.ascontiguousarray(shapes.table, "<i4").tobytes())
        self.rows += count
        self._highest = max(self._highest, last)

    def blob(self) -> bytes:
        """Return it all; b'' if no row was inserted. Nothing can be added after that."""
        return self._packer.end() if self.rows else b""


class Inserted(NamedTuple):
    """The rows of one statement."""

    first: int
    packed: Packed
    shapes: WrittenShapes
    details: list[list[Any]]
    run: dict[str, object]


def remove_inserted(connection: apsw.Connection, blob: bytes) -> int:
    """Delete the rows that a run inserted; return how many.

    Raises AlmanacError if one of them is no longer what the run wrote.
    """
    count = 0
    for rows in _read(blob):
        last = rows.first + rows.packed.stop - 1
        _check(connection, rows)
        connection.execute(
            f"DELETE FROM main.{TABLE} NOT INDEXED WHERE id BETWEEN ? AND ?", (rows.first, last)
        )
        count += connection.changes()
    return count


def inserted_ranges(blob: bytes) -> list[tuple[int, int]]:
    """Return the first and the last id of the rows of each statement."""
    return [(rows.first, rows.first + rows.packed.stop - 1) for rows in _read(blob)]


def _read(blob: bytes) -> Iterator[Inserted]:
    data = unpacked(blob)
    start = 0
    while start < len(data):
        end = data.index(b"\n", start)
        header = json.loads(data[start:end])
        start, rows, size = end + 1, int(header["rows"]), SHAPE_ROWS * int(header["shapes"])
        words = np.frombuffer(data, "<i8", rows, start).astype(np.int64)
        table = np.frombuffer(data, "<i4", size, start + 8 * rows).astype(np.int32)
        start += 8 * rows + 4 * size
        packed = Packed(0, rows, int(header["base"]), int(header["bits"]), words)
        kinds = [Kind(*each) for each in header["kinds"]]
        shapes = WrittenShapes(table.reshape(SHAPE_ROWS, -1), kinds, header["reasons"])
        yield Inserted(int(header["first"]), packed, shapes, header["details"], header["run"])


def _check(connection: apsw.Connection, rows: Inserted) -> None:
    """Compare the rows with what they were written from, column by column, in SQL."""
    wanted = {"contact_id": ID_OF_PACKED, **BASE_COLUMNS, "created_at": ":now"}
    differ = [f"row.{name} IS NOT {value}" for name, value in wanted.items()]
    names = [*wanted, *(others := _others(connection, wanted))]
    differ += [f"row.{quoted(name)} IS NOT {default}" for name, default in others.items()]
    row_id = ":first + packed.rowid - 1"
    sql = (
        f"SELECT {row_id}, row.id, {', '.join(differ)} {FROM_PACKED} "
        f"LEFT JOIN main.{TABLE} AS row NOT INDEXED ON row.id = {row_id} "
        f"WHERE row.id IS NULL OR {' OR '.join(differ)} LIMIT {SHOWN + 1}"
    )
    with ShapeTables(connection) as tables:
        tables.fill_shapes(rows.shapes)
        tables.fill_details([(int(place), str(text)) for place, text in rows.details])
        values = rows.run | bindings(rows.packed) | {"first": rows.first}
        found = connection.execute(sql, values).fetchall()
    if found:
        words = [_difference(connection, names, row) for row in found[:SHOWN]]
        more = " and more" if len(found) > SHOWN else ""
        raise AlmanacError(f"others have written since: {'; '.join(words)}{more}")


def _others(connection: apsw.Connection, wanted: Mapping[str, str]) -> dict[str, str]:
    """Return the columns that a run does not write, with their defaults, where these are values."""
    sql = "SELECT lower(name) FROM pragma_table_xinfo(?) WHERE hidden = 0"
    names = [name for (name,) in connection.execute(sql, (TABLE,)) if name not in {*wanted, "id"}]
    defaults = {name: default_of(connection, TABLE, name) for name in names}
    return {name: default for name, default in defaults.items() if is_literal(default)}


def _difference(
    connection: apsw.Connection, names: Sequence[str], row: Sequence[apsw.SQLiteValue]
) -> str:
    row_id, there, *flags = row
    if there is None:
        return f"{TABLE} id {row_id} is gone"
    changed = [name for name, differs in zip(names, flags, strict=True) if differs]
    columns = ", ".join(text_as_blob(quoted(name)) for name in changed)
    sql = f"SELECT {columns} FROM main.{TABLE} WHERE id = ?"
    values = connection.execute(sql, (row_id,)).fetchall()[0]
    encoding = str(scalar(connection, "PRAGMA encoding"))
    shown = (as_text(each, encoding) if isinstance(each, bytes) else each for each in values)
    pairs = ", ".join(f"{name} is {value!r}" for name, value in zip(changed, shown, strict=True))
    return f"{TABLE} id {row_id} has changed: {pairs}"
