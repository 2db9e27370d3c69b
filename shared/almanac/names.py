"""Identifiers and dates that may come from outside, and their valid forms."""

from __future__ import annotations

import datetime as dt
import functools
import re

from almanac.errors import RequestError

# rules look some years back and ahead of a given day, and all of these must be dates
FIRST_YEAR, LAST_YEAR = 1900, 9000
MIN_ID, MAX_ID = -(1 << 63), (1 << 63) - 1  # of a row of SQLite
ORG_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
EVENT_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
# At the longest: an as_of date, a word, an event id, and the number of a further attempt
# after a tilde, which no event id contains.
RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~-]{0,159}")
_UNIX = re.compile(r"([0-9]{10}(?:\.[0-9]+)?)|([0-9]{13})")  # seconds or milliseconds


def _checked(kind: str, pattern: re.Pattern[str], text: str) -> str:
    if pattern.fullmatch(text):
        return text
    shown = repr(text) if len(text) <= 80 else repr(text[:80]) + "..."
    raise RequestError(f"{kind}: {shown} does not match {pattern.pattern}")


def check_org_id(text: str) -> str:
    """Return the organization id; raise RequestError if it is invalid."""
    return _checked("org_id", ORG_ID, text)


def check_run_id(text: str) -> str:
    """Return the run id; raise RequestError if it is invalid."""
    return _checked("run_id", RUN_ID, text)


def check_event_id(text: str) -> str:
    """Return the event id, which becomes part of a run id; raise RequestError if it is invalid."""
    return _checked("event_id", EVENT_ID, text)


def daily_run_id(as_of: dt.date) -> str:
    """Return the id of the one daily run of a day."""
    return check_run_id(f"{as_of.isoformat()}-daily")


def manual_run_id(as_of: dt.date, message_id: str) -> str:
    """Return the id of a requested run; a repeated delivery of the request is the same run."""
    return check_run_id(f"{as_of.isoformat()}-manual-{message_id}")


def change_run_id(as_of: dt.date, event_id: str) -> str:
    """Return the id of the run of a campaign change."""
    return check_run_id(f"{as_of.isoformat()}-change-{check_event_id(event_id)}")


def event_of_run(run_id: str) -> str:
    """Return the event id in what `change_run_id` made of it."""
    return run_id[len("2027-01-01-change-") :]


def attempt_run_id(run_id: str, attempt: int) -> str:
    """Return the id of the n-th attempt (from 1) at a request."""
    return run_id if attempt == 1 else check_run_id(f"{run_id}~{attempt}")


def date_of_run(run_id: str | None) -> dt.date | None:
    """Return the as_of at the start of a run id; None for the id of another scheduler."""
    match = re.match(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", run_id or "")
    try:
        return dt.date.fromisoformat(match[0]) if match else None
    except ValueError:
        return None


@functools.lru_cache(4096)  # many reports are of the same second
def time_of(text: str) -> dt.datetime:
    """Return the time of a report: ISO 8601, with or without an offset, or Unix time.

    Raise RequestError if the text is not one.
    """
    try:
        if unix := _UNIX.fullmatch(text):
            seconds = float(unix[1]) if unix[1] else int(unix[2]) / 1000
            return dt.datetime.fromtimestamp(seconds, dt.UTC)
        at = dt.datetime.fromisoformat(text)
    except ValueError:
        raise RequestError(
            f"at: {text!r} is not a time; expected such as 2026-11-21T08:30:00-06:00"
        ) from None
    if not FIRST_YEAR <= at.year <= LAST_YEAR:
        raise RequestError(f"at: {text} is out of range")
    return at
