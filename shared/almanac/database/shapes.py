"""What rows of email_schedules have in common, separated from the contacts they are for.

A plan has millions of rows but few different combinations of kind, dates and reason. Such a
combination is a *shape*: its texts are made once, and a row is then one integer, the contact
(or row) id and the number of its shape packed together.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from almanac.civil import date_of
from almanac.frames import NO_DAY, Codes, Ids, Kind, Mask, ScheduleRows
from almanac.schedule_status import Status

KEY_LIMIT = 2**62
PACKED_BITS = 63

Value = str | int | None
# a column for each shape; rows: kind, event, ideal, day, reason, and as 0 or 1 sms and detailed
ShapeTable = npt.NDArray[np.int32]
SHAPE_ROWS = 7


@dataclass(frozen=True)
class Shapes:
    """The number of each row's shape, and for every shape the first row that has it."""

    number: Codes
    first: npt.NDArray[np.intp]


@dataclass(frozen=True)
class Packed:
    """Rows `start` to `stop`: `base + (word >> bits)` is the id, the low bits are the shape."""

    start: int
    stop: int
    base: int
    bits: int
    words: Ids


def find_shapes(rows: ScheduleRows) -> Shapes:
    """Find the shapes of the rows; a row with details has another shape than one without."""
    key = np.zeros(len(rows), np.int64)
    span = 1
    dates = (rows.event, rows.ideal, rows.day)
    for column in (rows.kind, *dates, rows.reason, rows.sms, rows.details >= 0):
        values = column.astype(np.int64)
        lowest = int(values.min())
        width = int(values.max()) - lowest + 1
        if span * width > KEY_LIMIT:
            key, span = _renumber(key)
        key = key * width + (values - lowest)
        span *= width
    number, count = _renumber(key)
    first = np.empty(count, np.intp)
    first[number[::-1]] = np.arange(len(rows) - 1, -1, -1)
    return Shapes(number.astype(np.int32), first)


def _renumber(key: Ids) -> tuple[Ids, int]:
    """Return the values as 0, 1, 2, ... in order of appearance, and their number."""
    encoded = pa.array(key).dictionary_encode()
    return encoded.indices.to_numpy().astype(np.int64), len(encoded.dictionary)


def pack(ids: Ids, shapes: Shapes, start: int = 0, stop: int | None = None) -> Iterator[Packed]:
    """Yield the rows' ids and shapes as integers; ids too far apart for that in several parts."""
    stop = len(ids) if stop is None else stop
    bits = max(1, (len(shapes.first) - 1).bit_length())
    part = ids[start:stop]
    base = int(part.min())
    if int(part.max()) - base >= 1 << (PACKED_BITS - bits):
        middle = (start + stop) // 2
        yield from pack(ids, shapes, start, middle)
        yield from pack(ids, shapes, middle, stop)
        return
    words = ((part - base) << bits) | shapes.number[start:stop]
    yield Packed(start, stop, base, bits, words)


def shape_table(rows: ScheduleRows, shapes: Shapes) -> ShapeTable:
    """Return what the shapes differ in."""
    examples = rows.take(shapes.first)
    dates = (examples.event, examples.ideal, examples.day)
    columns = (examples.kind, *dates, examples.reason, examples.sms, examples.details >= 0)
    return np.array(columns, np.int32)


def shape_values(
    table: ShapeTable, kinds: Sequence[Kind], reasons: Sequence[str]
) -> Iterator[tuple[Value, ...]]:
    """Yield each shape's number and its values in the order of writing.SHAPE_COLUMNS."""
    texts = _date_texts(table[2:4])
    parts = {day: _parts(day) for day in np.unique(table[1]).tolist()}
    of_kind = [
        (k.email_type, k.priority, k.instance or None, k.email_template, k.sms_template)
        for k in kinds
    ]
    planned, skipped = Status.PRE_SCHEDULED.value, Status.SKIPPED.value
    for number, (of, event, ideal, day, reason, sms, detailed) in enumerate(
        zip(*table.tolist(), strict=True)
    ):
        email_type, priority, instance, email_template, sms_template = of_kind[of]
        year, month, date = parts[event]
        yield (
            number,
            email_type,
            texts[day],
            skipped if reason else planned,
            reasons[reason] if reason else None,
            priority,
            instance,
            email_template,
            sms_template if sms else None,
            year,
            month,
            date,
            texts[ideal],
            detailed,
        )


def _date_texts(columns: ShapeTable) -> dict[int, str | None]:
    days = np.unique(columns).tolist()
    return {day: None if day == NO_DAY else date_of(day).isoformat() for day in days}


def _parts(day: int) -> tuple[Value, Value, Value]:
    if day == NO_DAY:
        return None, None, None
    date = date_of(day)
    return date.year, date.month, date.day


def positions(mask: Mask) -> list[int]:
    """Return the row numbers that the mask selects, from 1 as SQLite numbers rows of an array."""
    found: list[int] = (np.flatnonzero(mask) + 1).tolist()
    return found
