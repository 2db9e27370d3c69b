"""Dates on the command line."""

from __future__ import annotations

import datetime as dt

import pytest

from almanac.commands.dates import is_date, read_date
from almanac.errors import InputError

TODAY = dt.date(2026, 11, 25)  # a Wednesday


def never() -> dt.date:
    raise AssertionError("today is not needed")


@pytest.mark.parametrize(
    ("text", "date"),
    [
        ("today", "2026-11-25"),
        ("Tomorrow", "2026-11-26"),
        ("yesterday", "2026-11-24"),
        ("wednesday", "2026-11-25"),
        ("monday", "2026-11-30"),
        ("+3", "2026-11-28"),
        ("-3", "2026-11-22"),
    ],
)
def test_a_date_by_today(text: str, date: str) -> None:
    assert str(read_date(text, "--on", lambda: TODAY)) == date
    assert is_date(text)


def test_a_date_in_full_needs_no_today() -> None:
    assert read_date("2026-11-21", "--on", never) == dt.date(2026, 11, 21)


@pytest.mark.parametrize("text", ["mon", "next week", "2026-02-30", "20261121", "+", ""])
def test_what_is_no_date_is_refused_with_all_that_is_accepted(text: str) -> None:
    with pytest.raises(InputError) as error:
        read_date(text, "--on", never)
    for word in ("--on", repr(text), "YYYY-MM-DD", "today", "yesterday", "tomorrow", "monday"):
        assert word in str(error.value)
    assert "+3 or -3" in str(error.value)


@pytest.mark.parametrize("text", ["+9999999", "-800000", "1066-10-14"])
def test_a_day_beyond_the_calendar_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="out of range; expected a year from 1900 to 9000"):
        read_date(text, "--on", lambda: TODAY)
