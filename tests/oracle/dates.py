"""Civil dates (semantics: Input database, Windows)."""

import re
from datetime import date, datetime, timedelta

_DATE = re.compile(r"(\d{4})-(\d{2})-(\d{2})(?:[ T].*)?", re.ASCII | re.DOTALL)


def parse_date(value: object) -> date | None:
    """The date of a stored value, or None where it is no date (semantics: Input database)."""
    found = _DATE.fullmatch(value) if isinstance(value, str) else None
    return make_date(*(int(part) for part in found.groups())) if found else None


def parse_time(value: object) -> date | None:
    """The date of a stored time, which may be Unix seconds or milliseconds too (UTC)."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    digits = str(value).strip() if isinstance(value, (int, str)) else ""
    if re.fullmatch(r"[0-9]{10}|[0-9]{13}", digits, re.ASCII):
        seconds = int(digits) if len(digits) == 10 else int(digits) // 1000
        return (datetime(1970, 1, 1) + timedelta(seconds=seconds)).date()
    return parse_date(value)


def make_date(year: object, month: object, day: object) -> date | None:
    """The date that three event columns make, if they make one."""
    if not (isinstance(year, int) and isinstance(month, int) and isinstance(day, int)):
        return None
    try:
        return date(year, month, day)
    except (ValueError, OverflowError):
        return None


def plus(day: date, days: int) -> date:
    """The day so many days later; the calendar's ends stop it (9999-12-31 is a common 'never')."""
    try:
        return day + timedelta(days=days)
    except OverflowError:
        return date.max if days > 0 else date.min


def anniversary(day: date, year: int) -> date:
    """The same month and day in a year; 29 February may be the 28th (semantics: Windows)."""
    try:
        return day.replace(year=year)
    except ValueError:
        return date(year, 2, 28)


def months(a: date, b: date) -> int:
    """Calendar months from a to b, days of the month left aside (semantics: Candidates)."""
    return 12 * (b.year - a.year) + b.month - a.month


def first_of_month(day: date, months_later: int) -> date:
    """The first day of the month so many months after that of a date."""
    index = 12 * day.year + day.month - 1 + months_later
    return date(index // 12, index % 12 + 1, 1) if index // 12 <= 9999 else date.max


def days_between(a: date, b: date) -> list[date]:
    """Every day from the earlier to the later of two, both included."""
    first, last = min(a, b), max(a, b)
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]
