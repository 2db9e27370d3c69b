"""Civil days in vectors, against `datetime`."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from almanac import civil
from almanac.frames import NO_DAY, Days

FIRST = dt.date(1600, 1, 1)
LAST = dt.date(2400, 12, 31)


@pytest.fixture(scope="module")
def dates() -> list[dt.date]:
    """Every date of the years 1600 to 2400: two whole cycles of leap years and some."""
    return [FIRST + dt.timedelta(days=i) for i in range((LAST - FIRST).days + 1)]


@pytest.fixture(scope="module")
def days(dates: list[dt.date]) -> Days:
    return np.arange(civil.day_of(dates[0]), civil.day_of(dates[-1]) + 1, dtype=np.int32)


def parsed(*texts: str | None) -> list[int]:
    return [int(day) for day in civil.parse_dates(pa.array(texts, pa.string()))]


def test_the_epoch_is_day_zero_and_there_and_back_is_the_same() -> None:
    assert civil.day_of(dt.date(1970, 1, 1)) == 0
    assert civil.day_of(dt.date(1969, 12, 31)) == -1
    assert civil.date_of(civil.day_of(dt.date(2024, 2, 29))) == dt.date(2024, 2, 29)
    assert civil.text_of(civil.day_of(dt.date(987, 6, 5))) == "0987-06-05"


def test_years_are_those_of_datetime(dates: list[dt.date], days: Days) -> None:
    assert civil.year_of(days).tolist() == [date.year for date in dates]


def test_months_and_days_are_those_of_datetime(dates: list[dt.date], days: Days) -> None:
    expected = [(date.month - 1) * 31 + date.day - 1 for date in dates]
    assert civil.month_day_of(days).tolist() == expected


def test_months_are_counted_from_year_zero(dates: list[dt.date], days: Days) -> None:
    assert civil.months_of(days).tolist() == [12 * date.year + date.month - 1 for date in dates]


def test_the_parts_of_a_date_make_its_day(dates: list[dt.date], days: Days) -> None:
    parts = np.array([(date.year, date.month, date.day) for date in dates], np.int32)
    assert civil.days_of_parts(*parts.T).tolist() == days.tolist()


def test_leap_years_are_those_of_the_calendar() -> None:
    years = np.arange(1, 10000, dtype=np.int32)
    expected = [(year % 4 == 0 and year % 100 != 0) or year % 400 == 0 for year in years.tolist()]
    assert civil.is_leap(years).tolist() == expected


def test_the_first_and_the_last_day_of_every_year_belong_to_it() -> None:
    years = np.arange(1, 10000, dtype=np.int32)
    first = np.array([civil.day_of(dt.date(year, 1, 1)) for year in years.tolist()], np.int32)
    last = np.array([civil.day_of(dt.date(year, 12, 31)) for year in years.tolist()], np.int32)
    assert civil.year_of(first).tolist() == years.tolist()
    assert civil.year_of(last).tolist() == years.tolist()


def test_an_anniversary_is_the_same_day_in_another_year_and_29_february_the_28th() -> None:
    births = np.arange(civil.day_of(dt.date(1960, 1, 1)), civil.day_of(dt.date(1961, 1, 1)))
    month_days = civil.month_day_of(births.astype(np.int32))
    for year in (1, 1900, 1999, 2000, 2023, 2024, 2100, 9999):
        years = np.full(len(births), year, np.int32)
        expected = []
        for birth in births.tolist():
            date = civil.date_of(birth)
            leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
            day = 28 if (date.month, date.day) == (2, 29) and not leap else date.day
            expected.append(civil.day_of(dt.date(year, date.month, day)))
        assert civil.anniversary(month_days, years).tolist() == expected


def test_a_date_of_a_leap_year_in_the_next_common_one() -> None:
    leap_day = civil.month_day_of(np.array([civil.day_of(dt.date(2024, 2, 29))], np.int32))
    in_years = civil.anniversary(leap_day, np.array([2025, 2027, 2028], np.int32))
    assert [civil.text_of(day) for day in in_years] == ["2025-02-28", "2027-02-28", "2028-02-29"]


@pytest.mark.parametrize(
    "text", ["2020-02-29", "2020-02-29 00:00:00", "2020-02-29T12:00:00Z", "2020-02-29 what ever"]
)
def test_a_date_may_have_a_time_behind_it(text: str) -> None:
    assert parsed(text) == [civil.day_of(dt.date(2020, 2, 29))]


@pytest.mark.parametrize(
    "text",
    [
        None, "", " ", "06/15/1990", "1990-02-30", "2023-02-29", "1900-02-29", "0000-00-00",
        "0000-01-01", "1990-00-10", "1990-13-01", "1990-01-00", "1990-01-32", "1990-04-31",
        "1990-6-15", "1990-06-5", "90-06-15", "19900615", "1990-06-15x", "1990-06-15t00:00",
        "1990-06-150", " 1990-06-15", "1990/06/15", "1990-06/15", "+990-06-15", "-990-06-15",
        "199O-06-15", "1990-06-", "NULL", "١٩٩٠-٠٦-١٥", "1990–06–15", "\x001990-06-15",
        "12345-06-15", "1990-06-15\n", "1990-06-15\x00",
    ],
)  # fmt: skip
def test_anything_else_is_no_date(text: str | None) -> None:
    assert parsed(text) == [NO_DAY]


def test_the_first_and_the_last_date_of_all_are_dates() -> None:
    assert parsed("0001-01-01", "9999-12-31") == [
        civil.day_of(dt.date.min),
        civil.day_of(dt.date.max),
    ]


def test_all_dates_are_parsed(dates: list[dt.date], days: Days) -> None:
    texts = [date.isoformat() for date in dates]
    assert civil.parse_dates(pa.array(texts)).tolist() == days.tolist()


def test_no_texts_make_no_days() -> None:
    assert parsed() == []
    assert parsed(None, None) == [NO_DAY, NO_DAY]
    assert parsed("", "") == [NO_DAY, NO_DAY]
    assert civil.parse_dates(pa.nulls(2, pa.string())).tolist() == [NO_DAY, NO_DAY]
    assert civil.parse_dates(pa.chunked_array([], pa.string())).tolist() == []


TEXTS = ["2020-01-01", None, "x", "2021-05-06 10:00", "", "1999-12-31", "2000-02-29T", "2000-02-3"]


@pytest.mark.parametrize("start", range(len(TEXTS) + 1))
def test_slices_and_chunks_make_no_difference(start: int) -> None:
    expected = parsed(*TEXTS)
    whole = pa.array(TEXTS)
    assert civil.parse_dates(whole.slice(start)).tolist() == expected[start:]
    assert civil.parse_dates(whole.slice(start, 2)).tolist() == expected[start : start + 2]
    assert civil.parse_dates(whole.slice(0, start)).tolist() == expected[:start]
    chunks = pa.chunked_array([whole.slice(0, start), whole.slice(start)])
    assert civil.parse_dates(chunks).tolist() == expected
    assert civil.parse_dates(whole.cast(pa.large_string())).tolist() == expected
    assert civil.parse_dates(whole.dictionary_encode()).tolist() == expected


def meant(text: str | None) -> int:
    """The rule in plain words: ten characters that are a date, then nothing, a space or a T."""
    if text is None or not text[:10].isascii() or text[10:11] not in ("", " ", "T"):
        return NO_DAY
    parts = text[:10].split("-")
    if [len(part) for part in parts] != [4, 2, 2] or not all(part.isdigit() for part in parts):
        return NO_DAY
    try:
        return civil.day_of(dt.date(*map(int, parts)))
    except ValueError:
        return NO_DAY


NEARLY_DATES = st.from_regex(r"[0-9]{4}-[01][0-9]-[0-3][0-9]([ T].*)?", fullmatch=True)


@given(st.lists(st.none() | NEARLY_DATES | st.dates().map(str) | st.text()))
def test_parsing_is_what_the_rule_says(texts: list[str | None]) -> None:
    assert parsed(*texts) == [meant(text) for text in texts]


PARTS = st.tuples(st.integers(-5, 10005), st.integers(-2, 15), st.integers(-2, 35))


@given(st.lists(PARTS, min_size=1))
def test_parts_that_make_no_date_make_no_day(parts: list[tuple[int, int, int]]) -> None:
    def one(year: int, month: int, day: int) -> int:
        try:
            return civil.day_of(dt.date(year, month, day))
        except ValueError:
            return NO_DAY

    columns = np.array(parts, np.int32).T
    assert civil.days_of_parts(*columns).tolist() == [one(*part) for part in parts]


@given(
    st.one_of(
        st.dates().map(str),
        st.datetimes().map(str),
        st.text(max_size=12),
        st.from_regex(r"[0-9]{4}-[0-9]{2}-[0-9]{2}.?.?", fullmatch=True),
    )
)
def test_one_text_is_read_as_a_column_of_texts_is(text: str) -> None:
    [day] = civil.parse_dates(pa.array([text])).tolist()
    assert civil.parse_date(text) == (None if day == NO_DAY else civil.date_of(day))
