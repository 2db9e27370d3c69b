"""The temporary tables with which SQL unpacks rows of one integer each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, Self

import apsw
import numpy as np

from almanac.civil import date_of
from almanac.database.catalog import insert_rows
from almanac.database.shapes import PACKED_BITS, ShapeTable
from almanac.frames import NO_DAY, Ids, Kind
from almanac.schedule_status import Status

Value = str | int | None

# Every row looks its shape up. Of 50,000 contacts there are some 4 MB of shapes: with SQLite's
# 2 MB they would be read from the temporary file again and again. It only takes what it fills.
CACHE_KIB = 32_768

# A shape has a message, which is a kind with its reason and channels, and three dates. There are
# few messages and dates, so only those are made by Python.
_COLUMNS = {
    "email_type": "message.email_type",
    "scheduled_send_date": "day.text",
    "status": "message.status",
    "skip_reason": "message.skip_reason",
    "priority": "message.priority",
    "campaign_instance_id": "message.campaign_instance_id",
    "email_template": "message.email_template",
    "sms_template": "message.sms_template",
    "event_year": "event.year",
    "event_month": "event.month",
    "event_day": "event.day",
    "ideal_send_date": "ideal.text",
}
SHAPE_COLUMNS = tuple(_COLUMNS)
_OF_MESSAGES = [name for name, value in _COLUMNS.items() if value.startswith("message.")]
_CREATE = {
    "almanac_shapes": f"id INTEGER PRIMARY KEY, {', '.join(SHAPE_COLUMNS)}, detailed",
    "almanac_messages": f"id INTEGER PRIMARY KEY, {', '.join(_OF_MESSAGES)}, detailed",
    "almanac_dates": "id INTEGER PRIMARY KEY, text, year, month, day",
    "almanac_details": "id INTEGER PRIMARY KEY, text",
}
_NEW_SHAPES = f"""
    INSERT INTO temp.almanac_shapes
    SELECT :start + packed.rowid - 1, {", ".join(_COLUMNS.values())}, message.detailed
    FROM carray(:words) AS packed
    CROSS JOIN temp.almanac_messages AS message ON message.id = packed.value >> (3 * :bits)
    CROSS JOIN temp.almanac_dates AS event ON event.id = (packed.value >> (2 * :bits)) & :mask
    CROSS JOIN temp.almanac_dates AS ideal ON ideal.id = (packed.value >> :bits) & :mask
    CROSS JOIN temp.almanac_dates AS day ON day.id = packed.value & :mask
"""


class WrittenShapes(NamedTuple):
    """Shapes of the rows of a statement, with the kinds and reasons that they point into."""

    table: ShapeTable
    kinds: Sequence[Kind]
    reasons: Sequence[str]


class ShapeTables:
    """Creates the tables; the context drops them."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self._drop()
        connection.execute(f"PRAGMA temp.cache_size = -{CACHE_KIB}")
        for name, columns in _CREATE.items():
            connection.execute(f"CREATE TEMP TABLE {name} ({columns})")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._drop()

    def _drop(self) -> None:
        for name in _CREATE:
            self._connection.execute(f"DROP TABLE IF EXISTS temp.{name}")

    def fill_shapes(self, shapes: WrittenShapes) -> None:
        """Hold these shapes by number, and no others."""
        self._connection.execute("DELETE FROM temp.almanac_shapes")
        self._add_shapes(shapes, 0, shapes.table.shape[1])

    def fill_details(self, pairs: Sequence[tuple[int, str]]) -> None:
        """Hold these metadata texts by row, counted from 1, and no others."""
        self._fill("almanac_details", pairs)

    def _add_shapes(self, shapes: WrittenShapes, start: int, stop: int) -> None:
        """Add shapes in one statement; in several where an integer cannot name their parts."""
        kind, *dates, reason, sms, detailed = shapes.table[:, start:stop].astype(np.int64)
        keys = ((kind * len(shapes.reasons) + reason) << 2) | (sms << 1) | detailed
        messages, message = np.unique(keys, return_inverse=True)
        days, day = np.unique(np.array(dates), return_inverse=True)
        event, ideal, sent = day.reshape(3, -1)
        bits = max(1, (len(days) - 1).bit_length())
        if 3 * bits + (len(messages) - 1).bit_length() > PACKED_BITS:
            middle = (start + stop) // 2
            self._add_shapes(shapes, start, middle)
            self._add_shapes(shapes, middle, stop)
            return
        self._fill("almanac_messages", _messages(messages, shapes))
        self._fill("almanac_dates", map(_date, range(len(days)), days.tolist()))
        words = ((((message << bits) | event) << bits | ideal) << bits) | sent
        values = {"words": apsw.carray(np.ascontiguousarray(words, np.int64)), "start": start}
        self._connection.execute(_NEW_SHAPES, values | {"bits": bits, "mask": (1 << bits) - 1})

    def _fill(self, table: str, rows: Iterable[tuple[Value, ...]]) -> None:
        self._connection.execute(f"DELETE FROM temp.{table}")
        insert_rows(self._connection, f"temp.{table}", rows)


def _messages(keys: Ids, shapes: WrittenShapes) -> Iterator[tuple[Value, ...]]:
    """Yield the rows of almanac_messages."""
    for number, key in enumerate(keys.tolist()):
        of, reason = divmod(key >> 2, len(shapes.reasons))
        kind = shapes.kinds[of]
        yield (
            number,
            kind.email_type,
            (Status.SKIPPED if reason else Status.PRE_SCHEDULED).value,
            shapes.reasons[reason] if reason else None,
            kind.priority,
            kind.instance or None,
            kind.email_template,
            kind.sms_template if key & 2 else None,
            key & 1,
        )


def _date(number: int, day: int) -> tuple[Value, ...]:
    """Return a row of almanac_dates."""
    if day == NO_DAY:
        return number, None, None, None, None
    date = date_of(day)
    return number, date.isoformat(), date.year, date.month, date.day
