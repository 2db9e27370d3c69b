"""What sections of the configuration are made of, and checks of single values: the value, or
ValueError."""

from __future__ import annotations

import datetime as dt
import re
from typing import Annotated
from zoneinfo import ZoneInfo, available_timezones

from pydantic import BaseModel, ConfigDict, Field

from almanac.config_problems import near

# the context in which pydantic reads what a step before has validated
VALID = {"valid": True}


class Section(BaseModel):
    """A mapping in the YAML; unknown keys are invalid."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        allow_inf_nan=False,
        defer_build=True,  # only what is used is built: commands start sooner
    )


Days = Annotated[int, Field(ge=0, le=366)]

# columns of contacts that are read, which contacts.columns can map
CONTACT_COLUMNS = (
    *("id", "email", "zip_code", "state", "birth_date", "effective_date", "carrier"),
    *("failed_underwriting", "phone_number", "status", "created_at"),
)
COLUMN = "the name of a column of contacts"
STATUS = "a status of contacts, such as active"
# Zone names that stand for the setting of the machine.
_MACHINE_ZONES = {"localtime", "posixrules", "Factory"}
DATE = "a date as YYYY-MM-DD"
MONTH_DAY = 'a day of the year as MM-DD, such as "09-15"'
TEXT = "a text that can be printed"
TIME_OF_DAY = 'a time of day as HH:MM, such as "08:30"'
URL = "an address that begins with https:// or http://"
ZONE = "an IANA time zone such as America/Chicago"


def read_date(value: object) -> dt.date:
    """Return the date of a text, or of a date that a program gives."""
    if isinstance(value, dt.date) and not isinstance(value, dt.datetime):
        return value
    if isinstance(value, str) and re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        try:
            return dt.date.fromisoformat(value)
        except ValueError:
            pass
    raise ValueError(f"is not {DATE}")


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


def valid_text(text: str) -> str:
    """Return a text that is not empty and has no control characters."""
    if not text.strip() or not text.isprintable():
        raise ValueError(f"is not {TEXT}")
    return text


def valid_url(text: str) -> str:
    """Return an address of the web."""
    if not re.fullmatch(r"https?://[^\s<>\"']+", text):
        raise ValueError(f"is not {URL}")
    return text


def valid_column(name: str) -> str:
    """Return the name of a column."""
    if not name.strip():
        raise ValueError(f"is not {COLUMN}")
    return name


def valid_contact_column(name: str) -> str:
    """Return the name of a column that another one may stand for."""
    if name not in CONTACT_COLUMNS:
        hint = near(name, CONTACT_COLUMNS) or ";"
        known = ", ".join(CONTACT_COLUMNS)
        raise ValueError(f"is not a column that Almanac reads{hint} allowed: {known}")
    return name


def valid_status(text: str) -> str:
    """Return a status of contacts."""
    if not text.strip():
        raise ValueError(f"is not {STATUS}")
    return text
