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
from almanac.octets import Words, octets_of, words_of

EPOCH = dt.date(1970, 1, 1)
FIRST_DAY = (dt.date.min - EPOCH).days
UNIX_TIME = r"^\s*([0-9]{10}|[0-9]{13})(\.0)?\s*$"  # seconds or milliseconds
_FIRST_YEAR = -400
_LAST_YEAR = 10800

_MONTH_LENGTHS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
_LEAP = 12 * 31  # see `_month_days`

_BLOCK = 8_192  # texts that are parsed together: their words fit into the processor's cache
_ZEROS = np.frombuffer(b"0000-00-", "<u8")[0]
_SLACK = np.frombuffer(bytes([6, 6, 6, 6, 15, 6, 6, 15]), "<u8")[0]
_UPPER, _UPPER_OF_TWO = np.uint64(0xF0F0F0F0F0F0F0F0), np.uint64(0xF0F0)
_BYTE, _TEN = np.uint64(0xFF), np.uint64(10)
_SPACE, _T = (np.uint64(ord(character) ^ ord("0")) for character in " T")


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
def _years() -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """Return by year from _FIRST_YEAR to _LAST_YEAR + 1 the day number of its 1 January, and where
    its days begin in `_month_days`: 0, or _LEAP of a leap year."""
    years = np.arange(_FIRST_YEAR, _LAST_YEAR + 2, dtype=np.int64)
    before = years - 1
    starts = before * 365 + before // 4 - before // 100 + before // 400 - 719162
    return starts.astype(np.int32), _LEAP * is_leap(years.astype(np.int32)).astype(np.int32)


@cache
def _month_days() -> tuple[npt.NDArray[np.int32], npt.NDArray[np.bool_]]:
    """Return by (month-1)*31 + day-1, and behind _LEAP again for leap years, the days since
    1 January and whether the month has the day; one that it does not have counts as its last."""
    since, exists = np.zeros(2 * _LEAP, np.int32), np.zeros(2 * _LEAP, np.bool_)
    for first, february in ((0, 28), (_LEAP, 29)):
        start = 0
        for month, length in enumerate([31, february, *_MONTH_LENGTHS[2:]]):
            days = slice(first + month * 31, first + month * 31 + 31)
            since[days] = start + np.minimum(np.arange(31), length - 1)
            exists[days] = np.arange(31) < length
            start += length
    return since, exists


def is_leap(years: Codes) -> npt.NDArray[np.bool_]:
    """Return whether each year has a 29 February."""
    leap: npt.NDArray[np.bool_] = (years % 4 == 0) & ((years % 100 != 0) | (years % 400 == 0))
    return leap


def _as_dates(days: Days) -> pa.Array:
    """Return the days as Arrow dates; those outside the table of years as its first or last day."""
    starts, _ = _years()
    return pa.array(np.clip(days, starts[0], starts[-1] - 1), pa.date32())


def year_of(days: Days) -> Codes:
    """Return the civil year of each day."""
    years: Codes = pc.year(_as_dates(days)).to_numpy().astype(np.int32)
    return years


def anniversary(month_day: Codes, years: Codes) -> Days:
    """Return the day of `month_day` (see `month_day_of`) in each year.

    29 February becomes the 28th in a common year.
    """
    starts, leap = _years()
    index = np.clip(np.asarray(years, np.int32) - _FIRST_YEAR, 0, _LAST_YEAR - _FIRST_YEAR)
    day: Days = starts[index] + _month_days()[0][leap[index] + month_day]
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

    Other texts, dates that do not exist and nulls are NO_DAY. Of a dictionary each text is read
    once.
    """
    if isinstance(texts, pa.ChunkedArray):
        texts = texts.unify_dictionaries().combine_chunks()
    if isinstance(texts, pa.DictionaryArray):
        each: Days = np.append(parse_dates(texts.dictionary), np.int32(NO_DAY))
        found: Days = each[texts.indices.fill_null(-1).to_numpy()]
        return found
    if pc.all(pc.equal(pc.binary_length(texts), 10)).as_py() is False:
        return _parse_each(texts)
    try:
        days = texts.cast(pa.date32()).cast(pa.int32()).fill_null(NO_DAY).to_numpy()
    except pa.ArrowInvalid:  # some text is no date
        return _parse_each(texts)
    return np.where(days < FIRST_DAY, NO_DAY, days)


def _parse_each(texts: pa.Array) -> Days:
    """Return the same, whatever the texts are."""
    octets, starts, lengths = octets_of(texts)
    usable = lengths >= 10
    if texts.null_count:
        usable &= texts.is_valid().to_numpy(zero_copy_only=False)
    days = np.full(len(texts), NO_DAY, np.int32)
    rows, words = np.flatnonzero(usable), words_of(octets)
    for start in range(0, len(rows), _BLOCK):
        some = rows[start : start + _BLOCK]
        at = starts[some]
        days[some] = _days_of_words(words[at], words[at + 8], lengths[some] == 10)
    return days


def _days_of_words(month: Words, rest: Words, ends: npt.NDArray[np.bool_]) -> Days:
    """Return the days of texts: their first 8 bytes, `YYYY-MM-`, the 8 bytes behind these, and
    whether the text ends with its tenth byte.

    Without the bytes of `0000-00-` a digit is its value, and a hyphen 0. Adding 6 to a digit and 15
    to a hyphen leaves the upper half of a byte empty if it is one; only from a byte that is none,
    anything is carried to the next. Ten times a digit and the next one fit into a byte.
    """
    month, rest = month ^ _ZEROS, rest ^ _ZEROS
    wrong = ((month | (month + _SLACK)) & _UPPER) | ((rest | (rest + _SLACK)) & _UPPER_OF_TWO)
    behind = (rest >> np.uint64(16)) & _BYTE
    real = (wrong == 0) & (ends | (behind == _SPACE) | (behind == _T))
    month, rest = month * _TEN + (month >> np.uint64(8)), rest * _TEN + (rest >> np.uint64(8))
    parts = (
        (month & _BYTE) * np.uint64(100) + ((month >> np.uint64(16)) & _BYTE),
        (month >> np.uint64(40)) & _BYTE,
        rest & _BYTE,
    )
    days = days_of_parts(*(part.astype(np.int32) for part in parts))
    return np.where(real, days, NO_DAY).astype(np.int32)


def parse_times(texts: pa.Array | pa.ChunkedArray) -> Days:
    """Return the days of times: as `parse_dates`, or Unix seconds or milliseconds (UTC).

    Those are numbers of 10 or 13 digits.
    """
    days = parse_dates(texts)
    rows = np.flatnonzero(days == NO_DAY)
    unix = pc.match_substring_regex(texts.take(pa.array(rows)), UNIX_TIME).fill_null(False)
    rows = rows[unix.to_numpy(zero_copy_only=False)]
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
    starts, leap = _years()
    index = np.where(real, year, 1) - _FIRST_YEAR
    month_day = leap[index] + np.where(real, month * 31 + day - 32, 0)
    since, exists = _month_days()
    return np.where(real & exists[month_day], starts[index] + since[month_day], NO_DAY)
