"""Civil days as integers, in vectors: days since 1970-01-01, years, anniversaries, and their text.

All is proleptic Gregorian, and defined for the years 1 to 9999 and some beyond.
"""

from __future__ import annotations

import datetime as dt
import re
from functools import cache

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from almanac.frames import NO_DAY, Codes, Days

EPOCH = dt.date(1970, 1, 1)
UNIX_TIME = r"^\s*([0-9]{10}|[0-9]{13})(\.0)?\s*$"  # seconds or milliseconds
_FIRST_YEAR = -400
_LAST_YEAR = 10800

_MONTH_LENGTHS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]


def day_of(date: dt.date) -> int:
    """Return the days from 1970-01-01 to the date."""
    return (date - EPOCH).days


def date_of(day: int) -> dt.date:
    """Return the date of a day number; OverflowError outside the years 1 to 9999."""
    return EPOCH + dt.timedelta(days=int(day))


def text_of(day: int) -> str:
    """Return `YYYY-MM-DD` of a day number."""
    return date_of(day).isoformat()


@cache
def _year_starts() -> npt.NDArray[np.int32]:
    """Return the day number of 1 January of every year from _FIRST_YEAR to _LAST_YEAR + 1."""
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
    """Return whether each year has a 29 February."""
    leap: npt.NDArray[np.bool_] = (years % 4 == 0) & ((years % 100 != 0) | (years % 400 == 0))
    return leap


def _as_dates(days: Days) -> pa.Array:
    """Return the days as Arrow dates; those outside the table of years as its first or last day."""
    starts = _year_starts()
    return pa.array(np.clip(days, starts[0], starts[-1] - 1), pa.date32())


def year_of(days: Days) -> Codes:
    """Return the civil year of each day."""
    years: Codes = pc.year(_as_dates(days)).to_numpy().astype(np.int32)
    return years


def anniversary(month_day: Codes, years: Codes) -> Days:
    """Return the day of `month_day` (see `month_day_of`) in each year.

    29 February becomes the 28th in a common year.
    """
    years = np.asarray(years, np.int32)
    index = np.clip(years - _FIRST_YEAR, 0, _LAST_YEAR - _FIRST_YEAR)
    day: Days = _year_starts()[index] + _day_in_year()[is_leap(years).astype(np.int8), month_day]
    return day


def month_day_of(days: Days) -> Codes:
    """Return (month-1)*31 + day-1 of each day: the key under which `anniversary` finds it."""
    dates = _as_dates(days)
    month, day = pc.month(dates).to_numpy(), pc.day(dates).to_numpy()
    month_day: Codes = ((month - 1) * 31 + day - 1).astype(np.int32)
    return month_day


def months_of(days: Days) -> Codes:
    """Return the months since year 0: 12 * year + month - 1."""
    dates = _as_dates(days)
    months: Codes = (pc.year(dates).to_numpy() * 12 + pc.month(dates).to_numpy() - 1).astype(
        np.int32
    )
    return months


def parse_dates(texts: pa.Array | pa.ChunkedArray) -> Days:
    """Return the days of texts `YYYY-MM-DD`, alone or followed by a space or `T` and any text.

    Other texts, dates that do not exist and nulls are NO_DAY.
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


def parse_times(texts: pa.Array | pa.ChunkedArray) -> Days:
    """Return the days of times: as `parse_dates`, or Unix seconds or milliseconds (UTC).

    Those are numbers of 10 or 13 digits.
    """
    days = parse_dates(texts)
    unix = pc.match_substring_regex(texts, UNIX_TIME).fill_null(False)
    rows = np.flatnonzero(unix.to_numpy(zero_copy_only=False))
    if len(rows):
        numbers = pc.replace_substring_regex(texts.take(pa.array(rows)), r"^\s+|\.0\s*$|\s+$", "")
        found = pc.utf8_slice_codeunits(numbers, 0, 10).cast(pa.int64())
        days[rows] = found.to_numpy(zero_copy_only=False) // 86_400
    return days


def parse_date(text: str) -> dt.date | None:
    """Return the date of one text, by the same rules as `parse_dates`; None for no date."""
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}([ T].*)?", text, re.DOTALL):
        return None
    try:
        return dt.date.fromisoformat(text[:10])
    except ValueError:
        return None


def days_of_parts(year: Codes, month: Codes, day: Codes) -> Days:
    """Return the days of (year, month, day); NO_DAY if they are no date of the years 1 to 9999."""
    real = (year >= 1) & (year <= 9999) & (month >= 1) & (month <= 12) & (day >= 1) & (day <= 31)
    year = np.where(real, year, 2000).astype(np.int32)
    month_day = np.where(real, (month - 1) * 31 + day - 1, 0).astype(np.int32)
    days = anniversary(month_day, year)
    # 30 February would become another day of the month
    return np.where(real & (month_day_of(days) == month_day), days, NO_DAY).astype(np.int32)
