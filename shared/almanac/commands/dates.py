"""Dates on the command line: `YYYY-MM-DD`, or by today in the agency's time zone."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from zoneinfo import ZoneInfo

from almanac.errors import InputError
from almanac.names import FIRST_YEAR, LAST_YEAR

Today = Callable[[], dt.date]

EXPECTED = (
    "expected YYYY-MM-DD, today, yesterday, tomorrow, monday to sunday (the next one, today "
    "included), or days from today such as +3 or -3"
)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_DAYS = re.compile(r"[+-][0-9]{1,7}")
_NEAR = {"yesterday": -1, "today": 0, "tomorrow": 1}
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def today_in(zone: ZoneInfo) -> dt.date:
    """Return the date that it is now in a time zone."""
    return dt.datetime.now(dt.UTC).astimezone(zone).date()


def is_date(text: str) -> bool:
    """Return whether a text has the form of a date, so that it is no file or name."""
    word = text.strip().lower()
    relative = word in _NEAR or word in _WEEKDAYS or _DAYS.fullmatch(word)
    return bool(relative) or _DATE.fullmatch(word) is not None


def read_date(text: str, option: str, today: Today) -> dt.date:
    """Return the date that a text means; raise InputError, which names the option.

    today: called for a date by today only, since it takes the configuration's time zone.
    """
    word = text.strip().lower()
    try:
        if _DATE.fullmatch(word):
            date = dt.date.fromisoformat(word)
        elif word in _WEEKDAYS:
            now = today()
            date = now + dt.timedelta(days=(_WEEKDAYS.index(word) - now.weekday()) % 7)
        elif word in _NEAR or _DAYS.fullmatch(word):
            date = today() + dt.timedelta(days=_NEAR[word] if word in _NEAR else int(word))
        else:
            raise ValueError
    except OverflowError:
        raise _out_of_range(option, text) from None
    except ValueError:
        raise InputError(f"{option}: {text!r} is not a date; {EXPECTED}") from None
    return within_years(date, option, text)


def within_years(date: dt.date, option: str, text: str) -> dt.date:
    """Return the date; raise InputError for a year of which Almanac cannot plan."""
    if not FIRST_YEAR <= date.year <= LAST_YEAR:
        raise _out_of_range(option, text)
    return date


def _out_of_range(option: str, text: str) -> InputError:
    return InputError(
        f"{option}: {text} is out of range; expected a year from {FIRST_YEAR} to {LAST_YEAR}"
    )
