"""States as people type them."""

from __future__ import annotations

from almanac.config_problems import near
from almanac.errors import InputError
from almanac.rules.states import STATE_NAMES, USPS_STATES


def read_state(text: str) -> str:
    """Return the USPS code of a code or an English name, in any case; else raise InputError."""
    word = " ".join(text.upper().split())
    if word in USPS_STATES:
        return word
    if word in STATE_NAMES:
        return STATE_NAMES[word]
    hint = near(text, [name.title() for name in STATE_NAMES])
    raise InputError(
        f"STATE: {text!r} is not a state; expected a USPS code or a name, such as VA or Virginia"
        f"{hint}"
    )


def name_of(state: str) -> str:
    """Return the English name of a USPS code."""
    name = next(name for name, code in STATE_NAMES.items() if code == state)
    return name.title().replace(" Of ", " of ")
