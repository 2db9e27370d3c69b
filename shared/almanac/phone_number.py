"""What a phone number is (semantics: Contacts)."""

from __future__ import annotations

import re

# a number that was stored as a real one ends in .0
_NOT_DIGITS = re.compile(r"\.0\s*$|[^0-9]")


def bare_number(text: str) -> str:
    """Return the digits of a phone number, in which numbers are compared.

    Without the leading 1 of eleven digits, the country code of the United States.
    """
    digits = _NOT_DIGITS.sub("", text)
    return digits[1:] if len(digits) == 11 and digits[0] == "1" else digits


def is_number(text: str) -> bool:
    """Return whether a text is a phone number: 10 to 15 digits, not all the same."""
    digits = _NOT_DIGITS.sub("", text)
    return 10 <= len(digits) <= 15 and len(set(digits)) > 1
