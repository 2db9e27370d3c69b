"""The days of campaigns, full days and closed days as an iCalendar file (RFC 5545)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import quote

from almanac import __version__
from almanac.plurals import plural
from almanac.report.page_data import PageData
from almanac.report.text import shown

LONGEST = 75  # octets of a line, without its end
CONTINUES = "\r\n "
_ESCAPED = str.maketrans({"\\": "\\\\", ";": "\\;", ",": "\\,"})


class AllDayEvent(NamedTuple):
    """An event of a whole day. key: with the day it names the event, whatever its text."""

    key: str
    day: dt.date
    summary: str
    category: str


def calendar_text(data: PageData) -> str:
    """Return the calendar of the plan.

    An event keeps its UID from plan to plan, so that a calendar that is fetched again replaces it.
    Its stamp is the day of the plan: the same plan gives the same text.
    """
    lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        f"PRODID:-//Almanac//Almanac {__version__}//EN",
        "CALSCALE:GREGORIAN",
        "METHOD:PUBLISH",
        f"X-WR-CALNAME:{_escaped(f'Almanac: {data.title}')}",
    ]
    for event in events(data):
        lines += [
            "BEGIN:VEVENT",
            f"UID:{event.key}-{event.day:%Y%m%d}@{quote(data.title, errors='replace')}",
            f"DTSTAMP:{data.as_of:%Y%m%d}T000000Z",
            f"DTSTART;VALUE=DATE:{event.day:%Y%m%d}",
            f"DTEND;VALUE=DATE:{event.day + dt.timedelta(days=1):%Y%m%d}",
            f"SUMMARY:{_escaped(event.summary)}",
            f"CATEGORIES:{event.category}",
            "TRANSP:TRANSPARENT",
            "END:VEVENT",
        ]
    lines.append("END:VCALENDAR")
    return "".join(f"{_folded(line)}\r\n" for line in lines)


def events(data: PageData) -> Iterator[AllDayEvent]:
    """Yield the events: of each campaign instance by day, then full days, then closed days."""
    names = {line.instance_id: line.name for line in data.campaigns}
    for instance, days in sorted(data.campaign_days.items()):
        name = names.get(instance) or f"Campaign {instance}"
        for day, count in sorted(days.items()):
            if date := _date(day):
                summary = f"{name}: {plural(count, 'message')}"
                yield AllDayEvent(f"campaign-{instance}", date, summary, "Campaign")
    for day, total in sorted(data.totals.items()):
        if total >= data.daily_cap and data.is_open(day) and (date := _date(day)):
            above = f"above the ceiling of {data.ceiling:,}"
            how = above if total > data.ceiling else f"the cap is {data.daily_cap:,}"
            yield AllDayEvent("cap", date, f"Full: {plural(total, 'message')}, {how}", "Full day")
    for day in data.closed_days:
        total = data.totals.get(day, 0)
        what = f"Closed, but {plural(total, 'message')}" if total else "Closed: nothing is sent"
        yield AllDayEvent("closed", dt.date.fromisoformat(day), what, "Closed day")


def _date(text: str) -> dt.date | None:
    """Return a day; None for a text of an old row that is not a date."""
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        return None


def _escaped(text: str) -> str:
    return shown(text).translate(_ESCAPED)


def _folded(line: str) -> str:
    """Return a line of at most LONGEST octets, going on in the next ones behind a blank."""
    octets = line.encode(errors="replace")
    parts = []
    longest = LONGEST
    while len(octets) > longest:
        end = longest
        while octets[end] & 0xC0 == 0x80:  # not within a character
            end -= 1
        parts.append(octets[:end])
        octets = octets[end:]
        longest = LONGEST - 1  # for the blank
    return CONTINUES.join(part.decode() for part in (*parts, octets))
