"""What may be written into the columns of `contacts`, read as planning reads them.

A value that planning could not read is refused: it would be taken for a missing one.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Mapping

import pyarrow as pa
import pyarrow.compute as pc

from almanac import civil
from almanac.database.contact_lookup import Value
from almanac.database.contact_writing import CREATED, FLAG
from almanac.email_address import clean_address, is_address
from almanac.errors import RequestError
from almanac.frames import NO_DAY, Mask
from almanac.names import MAX_ID, MIN_ID
from almanac.planning.contacts import FIRST_DATE, phone_digits
from almanac.planning.instance_fields import FALSE_WORDS, TRUE_WORDS
from almanac.planning.texts import codes, mask
from almanac.rules.states import STATE_NAMES, USPS_STATES
from almanac.rules.zip import state_codes_of
from almanac.validation_text import checked_text, shown_value

_TEXTS = frozenset(
    {"zip_code", "state", "birth_date", "effective_date", "carrier", "phone_number", "status"}
)
_FIRST = civil.text_of(FIRST_DATE)


def read_value(role: str, name: str, value: object) -> Value:
    """Return what is written into a column; None for an empty value.

    name: what the entry calls the column. A text of a role in `unreadable` is looked at there, for
    all entries at once. Raises RequestError.
    """
    if isinstance(value, str):
        value = checked_text(name, value)
    elif not (value is None or isinstance(value, int | float)) or _is_no_number(value):
        found = shown_value(value)
        raise RequestError(f"{name}: {found} is no text, number, true, false or null")
    if value is None or value == "":
        return None
    if role == FLAG:
        return _flag(name, value)
    if role == "email":
        return read_address(name, value)
    if role in _TEXTS or role == CREATED:
        if isinstance(value, bool):
            raise RequestError(f"{name}: {value!r} is not text")
        return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
    if isinstance(value, int) and not MIN_ID <= value <= MAX_ID:
        raise RequestError(f"{name}: {value} has more than 64 bits")
    return int(value) if isinstance(value, bool) else value


def read_address(name: str, value: object) -> str:
    """Return an address without what other programs put around it. Raises RequestError."""
    text = checked_text(name, value) if isinstance(value, str) else ""
    address = text if is_address(text) else clean_address(text)
    if not is_address(address):
        raise RequestError(f"{name}: {shown_value(value)} is not an e-mail address")
    return address


def _is_no_number(value: object) -> bool:
    return isinstance(value, float) and not math.isfinite(value)


def _flag(name: str, value: str | int | float) -> int:
    word = str(int(value) if isinstance(value, bool) else value).lower()
    if word not in TRUE_WORDS and word not in FALSE_WORDS:
        raise RequestError(f"{name}: {shown_value(value)} is neither true nor false")
    return int(word in TRUE_WORDS)


def unreadable(as_of: dt.date) -> Mapping[str, tuple[Callable[[pa.Array], Mask], str]]:
    """Return by role which of some texts planning cannot read, and what it takes instead."""
    last = civil.day_of(as_of)

    def no_date(texts: pa.Array, latest: int | None) -> Mask:
        days = civil.parse_dates(texts)
        wrong: Mask = (days == NO_DAY) | (days < FIRST_DATE)
        return wrong if latest is None else wrong | (days > latest)

    def no_state(texts: pa.Array) -> Mask:
        wrong: Mask = codes(pc.utf8_upper(texts), [*USPS_STATES, *STATE_NAMES]) < 0
        return wrong

    def no_number(texts: pa.Array) -> Mask:
        return mask(pc.equal(phone_digits(texts), ""))

    return {
        "birth_date": (
            lambda texts: no_date(texts, last),
            f"a date YYYY-MM-DD from {_FIRST} to {as_of}",
        ),
        "effective_date": (
            lambda texts: no_date(texts, None),
            f"a date YYYY-MM-DD from {_FIRST} on",
        ),
        CREATED: (
            lambda texts: civil.parse_times(texts) == NO_DAY,
            "a date YYYY-MM-DD, with or without a time, or a Unix time",
        ),
        "state": (no_state, "a USPS state code or the name of a state"),
        "zip_code": (lambda texts: state_codes_of(texts) < 0, "a known ZIP code"),
        "phone_number": (no_number, "a phone number of 10 to 15 digits"),
    }
