"""Civil days as integers, in vectors: days since 1970-01-01, years, anniversaries, and their text.

Everything is proleptic Gregorian and total for the years 1 to 9999 and some beyond.
"""

from __future__ import annotations

import datetime as dt
import re
from functools import cache

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from almanac.frames import NO_DAY, Codes, Days

EPOCH = dt.date(1970, 1, 1)
_FIRST_YEAR = -400
_LAST_YEAR = 10800

_MONTH_LENGTHS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]


def day_of(date: dt.date) -> int:
    """Days from 1970-01-01 to the date."""
    return (date - EPOCH).days


def date_of(day: int) -> dt.date:
    """The date of a day number; outside the years 1 to 9999 an OverflowError."""
    return EPOCH + dt.timedelta(days=int(day))


def text_of(day: int) -> str:
    """`YYYY-MM-DD` of a day number."""
    return date_of(day).isoformat()


@cache
def _year_starts() -> npt.NDArray[np.int32]:
    """Day number of 1 January of every year from _FIRST_YEAR."""
    years = np.arange(_FIRST_YEAR, _LAST_YEAR + 2, dtype=np.int64)
    before = years - 1
    starts = before * 365 + before // 4 - before // 100 + before // 400 - 719162
    return starts.astype(np.int32)


@cache
def _day_in_year() -> npt.NDArray[np.int32]:
    """[leap, (month-1)*31 + day-1] -> days since 1 January; 29 February is the 28th unless leap."""
    table = np.zeros((2, 372), np.int32)
    for leap in (0, 1):
        start = 0
        for month, length in enumerate(_MONTH_LENGTHS):
            length += leap and month == 1
            for day in range(31):
                table[leap, month * 31 + day] = start + min(day, length - 1)
            start += length
    return table


def is_leap(years: Codes) -> npt.NDArray[np.bool_]:
    """Whether each year has a 29 February."""
    leap: npt.NDArray[np.bool_] = (years % 4 == 0) & ((years % 100 != 0) | (years % 400 == 0))
    return leap


def year_of(days: Days) -> Codes:
    """The civil year of each day."""
    starts = _year_starts()
    last = len(starts) - 2
    guess = np.floor_divide(days.astype(np.int64) * 400, 146097) + (1970 - _FIRST_YEAR)
    index = np.clip(guess, 0, last).astype(np.int32)
    index += (days >= starts[np.minimum(index + 1, last)]) & (index < last)
    index -= (days < starts[index]) & (index > 0)
    year: Codes = (index + _FIRST_YEAR).astype(np.int32, copy=False)
    return year


def anniversary(month_day: Codes, years: Codes) -> Days:
    """The day of `month_day` (see `month_day_of`) in each year; 29 February becomes the 28th."""
    years = np.asarray(years, np.int32)
    index = np.clip(years - _FIRST_YEAR, 0, _LAST_YEAR - _FIRST_YEAR)
    day: Days = _year_starts()[index] + _day_in_year()[is_leap(years).astype(np.int8), month_day]
    return day


def month_day_of(days: Days) -> Codes:
    """(month-1)*31 + day-1 of each day: the key under which `anniversary` finds it."""
    years = year_of(days)
    within = days - _year_starts()[years - _FIRST_YEAR]
    month_day: Codes = _month_day_table()[is_leap(years).astype(np.int8), within]
    return month_day


@cache
def _month_day_table() -> npt.NDArray[np.int32]:
    table = np.zeros((2, 366), np.int32)
    for leap in (0, 1):
        days = [
            month * 31 + day
            for month, length in enumerate(_MONTH_LENGTHS)
            for day in range(length + (leap and month == 1))
        ]
        table[leap, : len(days)] = days
    return table


def months_of(days: Days) -> Codes:
    """Months since year 0: 12 * year + month - 1."""
    return year_of(days) * np.int32(12) + month_day_of(days) // 31


def parse_dates(texts: pa.Array | pa.ChunkedArray) -> Days:
    """Days of the texts `YYYY-MM-DD`, alone or with a space or `T` and anything behind.

    Anything else, dates that do not exist and nulls are NO_DAY.
    """
    if isinstance(texts, pa.ChunkedArray):
        texts = texts.combine_chunks()
    texts = texts.cast(pa.large_binary())
    count = len(texts)
    if count == 0:
        return np.empty(0, np.int32)
    offsets = np.frombuffer(texts.buffers()[1], np.int64, count + 1 + texts.offset)[texts.offset :]
    data = texts.buffers()[2]
    octets = np.frombuffer(data, np.uint8) if data is not None else np.empty(0, np.uint8)
    lengths = np.diff(offsets)
    usable = lengths >= 10
    if texts.null_count:
        usable &= texts.is_valid().to_numpy(zero_copy_only=False)
    days = np.full(count, NO_DAY, np.int32)
    rows = np.flatnonzero(usable)
    if len(rows) == 0:
        return days
    first = offsets[rows]
    digits = [octets[first + i] for i in (0, 1, 2, 3, 5, 6, 8, 9)]
    valid = (octets[first + 4] == 45) & (octets[first + 7] == 45)
    for digit in digits:
        valid &= (digit >= 48) & (digit <= 57)
    behind = octets[np.minimum(first + 10, len(octets) - 1)]
    valid &= (lengths[rows] == 10) | (behind == 32) | (behind == 84)
    numbers = [d.astype(np.int32) - 48 for d in digits]
    year = ((numbers[0] * 10 + numbers[1]) * 10 + numbers[2]) * 10 + numbers[3]
    month = numbers[4] * 10 + numbers[5]
    day = numbers[6] * 10 + numbers[7]
    days[rows] = np.where(valid, days_of_parts(year, month, day), NO_DAY)
    return days


def parse_date(text: str) -> dt.date | None:
    """What `parse_dates` makes of one text."""
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}([ T].*)?", text, re.DOTALL):
        return None
    try:
        return dt.date.fromisoformat(text[:10])
    except ValueError:
        return None


def days_of_parts(year: Codes, month: Codes, day: Codes) -> Days:
    """Days of (year, month, day); NO_DAY where they make no date of the years 1 to 9999."""
    real = (year >= 1) & (year <= 9999) & (month >= 1) & (month <= 12) & (day >= 1) & (day <= 31)
    year = np.where(real, year, 2000).astype(np.int32)
    month_day = np.where(real, (month - 1) * 31 + day - 1, 0).astype(np.int32)
    days = anniversary(month_day, year)
    # a 30 February lands on another day of the month than the one that was asked for
    return np.where(real & (month_day_of(days) == month_day), days, NO_DAY).astype(np.int32)
