"""What an e-mail address is, and how one is read from a file (semantics: Contacts)."""

from __future__ import annotations

import re

# a dot-atom of RFC 5322 before the @, a domain name of two or more labels after it
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?"
EMAIL = rf"^{_ATOM}(\.{_ATOM})*@({_LABEL}\.)+([A-Za-z]{{2,}}|[Xx][Nn]--[A-Za-z0-9-]*[A-Za-z0-9])$"
EMAIL_LENGTH = 254

_ADDRESS = re.compile(EMAIL)
# soft hyphen, zero-width characters, marks of direction and of byte order
_INVISIBLE = re.compile("[\u00ad\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
_NAMED = re.compile(r"[^<>]*<([^<>]*)>")  # Ada Lovelace <ada@example.com>
_SCHEME = re.compile(r"mailto:", re.IGNORECASE)
_QUOTES = {'"': '"', "'": "'", "\u201c": "\u201d", "\u2018": "\u2019", "\u00ab": "\u00bb"}


def is_address(text: str) -> bool:
    """Return whether a trimmed text is an address to which messages can be sent."""
    return len(text) <= EMAIL_LENGTH and _ADDRESS.fullmatch(text) is not None


def clean_address(text: str) -> str:
    """Return the address without what other programs put around it.

    Removed are invisible characters, `mailto:`, a name before angle brackets, the brackets, pairs
    of quotes, and a dot, comma or semicolon at the end. The result need not be an address.
    """
    text = _INVISIBLE.sub("", text).strip()
    while True:
        before = text
        if match := _NAMED.fullmatch(text):
            text = match[1].strip()
        if match := _SCHEME.match(text):
            text = text[match.end() :].partition("?")[0].strip()
        if len(text) > 1 and _QUOTES.get(text[0]) == text[-1]:
            text = text[1:-1].strip()
        text = text.rstrip(".,;").rstrip()
        if text == before:
            return text
