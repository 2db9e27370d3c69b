"""What rows of email_schedules have in common, separated from the contacts they are for.

A plan has millions of rows but few different combinations of kind, dates and reason. Such a
combination is a *shape*: its texts are made once, and a row is then one integer, the contact
(or row) id and the number of its shape packed together.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from almanac.frames import Codes, Ids, Mask, ScheduleRows

KEY_LIMIT = 2**62
PACKED_BITS = 63

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


def positions(mask: Mask) -> list[int]:
    """Return the row numbers that the mask selects, from 1 as SQLite numbers rows of an array."""
    found: list[int] = (np.flatnonzero(mask) + 1).tolist()
    return found
