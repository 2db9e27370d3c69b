"""Checks of single values of the configuration: the value, or ValueError."""

from __future__ import annotations

import datetime as dt
import re
from zoneinfo import ZoneInfo, available_timezones

from almanac.config_problems import near

COLUMN = "the name of a column of contacts"
STATUS = "a status of contacts, such as active"
# Zone names that stand for the setting of the machine.
_MACHINE_ZONES = {"localtime", "posixrules", "Factory"}
MONTH_DAY = 'a day of the year as MM-DD, such as "09-15"'
TIME_OF_DAY = 'a time of day as HH:MM, such as "08:30"'
ZONE = "an IANA time zone such as America/Chicago"


def valid_month_day(text: str) -> str:
    """Return a day of the year."""
    if re.fullmatch(r"[0-9]{2}-[0-9]{2}", text):
        try:
            dt.date(2024, int(text[:2]), int(text[3:]))
        except ValueError:
            pass
        else:
            return text
    raise ValueError(f"is not {MONTH_DAY}")


def valid_time_of_day(text: str) -> str:
    """Return a time of day."""
    if not re.fullmatch(r"([01][0-9]|2[0-3]):[0-5][0-9]", text):
        raise ValueError(f"is not {TIME_OF_DAY}")
    return text


def valid_zone(name: str) -> str:
    """Return the name of a time zone."""
    try:
        ZoneInfo(name)
    # a missing zone is a KeyError, a folder of zones an OSError, a path outside a ValueError
    except (KeyError, OSError, ValueError):
        pass
    else:
        if name not in _MACHINE_ZONES:
            return name
    zones = sorted(available_timezones() - _MACHINE_ZONES)
    raise ValueError(f"is not {ZONE}{near(name, zones, cutoff=0.8)}")


def valid_template(text: str) -> str:
    """Return the name of a template."""
    if not text.strip() or not text.isprintable():
        raise ValueError("is not the name of a template")
    return text


def valid_column(name: str) -> str:
    """Return the name of a column."""
    if not name.strip():
        raise ValueError(f"is not {COLUMN}")
    return name


def valid_status(text: str) -> str:
    """Return a status of contacts."""
    if not text.strip():
        raise ValueError(f"is not {STATUS}")
    return text
