"""Closed days: the days on which an organization sends nothing (semantics: Closed days).

Public holidays come from the library `holidays`, which is imported only where some are configured.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, Field, ValidationInfo, model_validator

from almanac.config_problems import Takes, near
from almanac.config_values import VALID, Section

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DATE = "a date as YYYY-MM-DD, such as 2026-12-24"
HOLIDAYS = "the code of a country or of a part of one, such as US or US-CA"


def _valid_date(text: str) -> str:
    if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        try:
            return dt.date.fromisoformat(text).isoformat()
        except ValueError:
            pass
    raise ValueError(f"is not {DATE}")


def _valid_holidays(code: str, info: ValidationInfo) -> str:
    if info.context is VALID:
        return code
    import holidays

    known = holidays.list_supported_countries(include_aliases=False)
    country, _, part = code.partition("-")
    if country not in known:
        raise ValueError(f"is not {HOLIDAYS}{near(country, known)}")
    if code != country and part not in known[country]:
        parts = [f"{country}-{each}" for each in known[country]]
        raise ValueError(f"is not {HOLIDAYS}{near(code, parts, cutoff=0.8)}")
    return code


Date = Annotated[str, AfterValidator(_valid_date), Takes(DATE)]
Place = Annotated[str, AfterValidator(_valid_holidays), Takes(HOLIDAYS)]


class ClosedDays(Section):
    """The days on which nothing is sent: weekdays, dates, and the public holidays of places."""

    weekdays: list[Weekday] = Field(default=[])
    dates: list[Date] = Field(default=[])
    holidays: list[Place] = Field(default=[])

    @model_validator(mode="before")
    @classmethod
    def _of_the_agency(cls, given: object) -> object:
        if isinstance(given, dict) and "states" in given:
            raise ValueError(
                "with the key states: closed days are the agency's and hold for contacts of every "
                "state; days on which one state's contacts get nothing are a rule in state_rules; "
                f"allowed: {', '.join(cls.model_fields)}"
            )
        return given

    def why(self, day: dt.date) -> str:
        """Return what closes the day, such as `holidays: US, Christmas Day`; empty if nothing."""
        found = [f"weekdays: {name}" for name in self.weekdays if name == _weekday(day)]
        found += [f"dates: {text}" for text in self.dates if text == str(day)]
        for code in self.holidays:
            name = _public_holidays(code, range(day.year, day.year + 1)).get(day)
            found += [f"holidays: {code}, {name}"] if name else []
        return "; ".join(dict.fromkeys(found))

    def between(self, first: dt.date, last: dt.date) -> list[dt.date]:
        """Return the closed days from `first` to `last`, both included, in order."""
        if not (self.weekdays or self.dates or self.holidays):
            return []
        dates = {dt.date.fromisoformat(text) for text in self.dates}
        for code in self.holidays:
            dates.update(_public_holidays(code, range(first.year, last.year + 1)))
        days = (first + dt.timedelta(days=n) for n in range((last - first).days + 1))
        return [day for day in days if _weekday(day) in self.weekdays or day in dates]


def _weekday(day: dt.date) -> str:
    return str(get_args(Weekday)[day.weekday()])


def _public_holidays(code: str, years: range) -> Mapping[dt.date, str]:
    """Return the public holidays of a place by day, the days on which they are observed too."""
    import holidays

    country, _, part = code.partition("-")
    return holidays.country_holidays(country, subdiv=part or None, years=years)
