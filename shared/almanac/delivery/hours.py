"""The moments at which the messages of a day go out (semantics: Hours)."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable
from typing import NamedTuple, assert_never
from zoneinfo import ZoneInfo

from almanac.civil import parse_date
from almanac.config import Config
from almanac.database.catalog import Batch
from almanac.delivery.places import Place, PlaceCodes, place_codes, whereabouts

_TIME = re.compile(r"\s*([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]*)?)?\s*")
_DAY = dt.timedelta(days=1)
# a text message that is late for its hours keeps this distance to their end, since sending takes
# its time
_BEFORE_END = dt.timedelta(hours=1)

Span = tuple[dt.datetime, dt.datetime]  # from the first until before the second, both UTC


class Moments(NamedTuple):
    """When a message goes out, as RFC 3339 with offset; None: there is no such moment."""

    email_at: str | None = None
    sms_at: str | None = None
    sms_until: str | None = None  # the end of the hours in which sms_at is


class Clock:
    """Computes the moments of rows, each combination of place, day and time once."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._known: dict[tuple[PlaceCodes, object, object], Moments] = {}

    def moments(self, rows: Batch) -> list[Moments]:
        """Return the moments of each row of a batch of `rows_to_send`."""
        found = []
        codes = place_codes(rows["contact.state"], rows["contact.zip_code"])
        days, times = rows["scheduled_send_date"], rows["scheduled_send_time"]
        for key in zip(codes, days, times, strict=True):
            moments = self._known.get(key)
            if moments is None:
                moments = self._known[key] = self._computed(*key)
            found.append(moments)
        return found

    def _computed(self, codes: PlaceCodes, date: object, time: object) -> Moments:
        day, clock = parse_date(str(date)), self._time_of_day(time)
        if day is None or clock is None:
            return Moments()
        contact = whereabouts(codes)
        own_zone = ZoneInfo(contact.zone) if contact.zone else self._config.zone
        zone = own_zone if by_contact(self._config) else self._config.zone
        try:
            planned = _instants(day, clock, zone)
            sms = self._sms(day, planned, own_zone, contact.places)
        except OverflowError:  # at the ends of the calendar
            return Moments()
        texts = [None, None] if sms is None else [_text(moment, own_zone) for moment in sms]
        return Moments(_text(planned[0], zone), *texts)

    def _time_of_day(self, value: object) -> dt.time | None:
        """Return the time of a row, by default that of the configuration; None if it is none."""
        if value is None or value == "":
            return self._config.send_clock
        if not isinstance(value, str) or not _TIME.fullmatch(value):
            return None
        return dt.time.fromisoformat(value.strip().partition(".")[0])

    def _sms(
        self,
        day: dt.date,
        planned: tuple[dt.datetime, ...],
        zone: ZoneInfo,
        places: Iterable[Place],
    ) -> Span | None:
        """Return the moment on the day in the zone at which a text message goes out, and the end
        of its hours; None if no moment of the day is within the hours of all places."""
        hours = self._config.delivery.sms_hours
        allowed = [(_midnight(day, zone), _midnight(day + _DAY, zone))]
        for name, begin, end in {(p.zone, *hours.of_state(p.state)) for p in places}:
            allowed = _intersection(allowed, _hours_around(day, ZoneInfo(name), begin, end))
        for moment in planned:
            for begin_at, end_at in allowed:
                if begin_at <= moment < end_at:
                    return moment, end_at
        for span in allowed:
            if span[0] > planned[0]:
                return span
        for begin_at, end_at in allowed[-1:]:
            return max(begin_at, end_at - _BEFORE_END), end_at
        return None


def by_contact(config: Config) -> bool:
    """Return whether messages go out at their time where the contact lives."""
    match config.delivery.zone:
        case "contact":
            return True
        case "agency":
            return False
        case _:
            assert_never(config.delivery.zone)


def in_words(config: Config, state: str, zip_code: str) -> str:
    """Return the zone of a contact's messages and the hours of its text messages."""
    (codes,) = place_codes([state], [zip_code])
    contact = whereabouts(codes)
    zone = contact.zone if by_contact(config) else None
    mail = f"e-mail in the zone {zone or config.timezone}"
    if contact.zone is None:
        return f"{mail}; text messages when every place of the country allows them"
    all_hours = {
        (place.zone, *config.delivery.sms_hours.of_state(place.state)): None
        for place in contact.places
    }
    spans = [f"{begin} to {end} in {name}" for name, begin, end in all_hours]
    return f"{mail}; text messages from {', and from '.join(spans)}"


def _instants(day: dt.date, clock: dt.time, zone: ZoneInfo) -> tuple[dt.datetime, ...]:
    """Return the moments of a local time, in UTC and in order: two in the hour that comes twice.

    A time that daylight saving skips moves forward by what is skipped.
    """
    first, second = _both(day, clock, zone)
    return (first, second) if second > first else (first,)


def _both(day: dt.date, clock: dt.time, zone: ZoneInfo) -> Span:
    """Return a local time by the offset before and by that after a change, as PEP 495 has them."""
    local = dt.datetime.combine(day, clock, zone)
    return local.astimezone(dt.UTC), local.replace(fold=1).astimezone(dt.UTC)


def _midnight(day: dt.date, zone: ZoneInfo) -> dt.datetime:
    return _instants(day, dt.time(), zone)[0]


def _hours_around(day: dt.date, zone: ZoneInfo, begin: str, end: str) -> list[Span]:
    """Return the hours of a place on a day and on those beside it, which another zone's day meets.

    Where daylight saving changes at their begin or end, the shorter ones.
    """
    first, last = dt.time.fromisoformat(begin), dt.time.fromisoformat(end)
    days = (day - _DAY, day, day + _DAY)
    spans = [(max(_both(d, first, zone)), min(_both(d, last, zone))) for d in days]
    return [span for span in spans if span[0] < span[1]]


def _intersection(spans: list[Span], others: list[Span]) -> list[Span]:
    found = [(max(a, c), min(b, d)) for a, b in spans for c, d in others]
    return [span for span in found if span[0] < span[1]]


def _text(moment: dt.datetime, zone: ZoneInfo) -> str:
    return moment.astimezone(zone).isoformat()
