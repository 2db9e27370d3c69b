"""Errors of pydantic in words: what was found, and what is taken.

For everything but the configuration, whose errors also name its keys and bounds (config_problems).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from almanac.errors import RequestError

if TYPE_CHECKING:
    from pydantic import ValidationError

_LONGEST = 80  # characters of what was found

# by the beginning of pydantic's type of error, the longer ones first
_TAKEN = {
    "timezone": "a time with a zone, such as 2026-11-21T14:00:00Z",
    "datetime": "a date with a time, such as 2026-11-21T14:00:00Z",
    "date": "a date YYYY-MM-DD",
    "finite": "a finite number",
    "float": "a number",
    "int": "a whole number",
    "bool": "true or false",
    "string_pattern": "of the form {pattern}",
    "string_too_long": "text of at most {max_length} characters",
    "string_too_short": "text of at least {min_length} characters",
    "string": "text",
    "bytes": "bytes",
    "greater_than_equal": "{ge} or more",
    "greater_than": "more than {gt}",
    "less_than_equal": "{le} or less",
    "less_than": "less than {lt}",
    "literal": "{expected}",
    "enum": "{expected}",
    "list": "a list",
    "too_long": "a list of at most {max_length} items",
    "too_short": "a list of at least {min_length} items",
    "tuple": "a list",
    "frozen_set": "a list",
    "set": "a list",
    "dict": "an object",
    "mapping": "an object",
    "model": "an object",
    "dataclass": "an object",
    "none": "null",
}


def first_problem(error: ValidationError) -> tuple[str, str]:
    """Return the path of the first key in error, such as `days.0`, or nothing, and a sentence."""
    details = error.errors(include_url=False)[0]
    return ".".join(map(str, details["loc"])), _in_words(details)


def first_problem_text(error: ValidationError) -> str:
    """Return the first error in one line: the key, if there is one, and what is wrong."""
    where, text = first_problem(error)
    return f"{where}: {text}" if where else text


def problems_by_item(error: ValidationError) -> dict[int, str]:
    """Return what is wrong with the items of a list, the first problem of each by its index."""
    problems: dict[int, str] = {}
    for details in error.errors(include_url=False):
        item, *keys = details["loc"]
        where, text = ".".join(map(str, keys)), _in_words(details)
        where = where if len(where) <= _LONGEST else f"{where[:_LONGEST]}..."
        problems.setdefault(int(item), f"{where}: {text}" if where else text)
    return problems


def shown_value(value: object) -> str:
    """Return what was found as Python writes it, cut where it is long."""
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def checked_text(name: str, text: str) -> str:
    """Return a text without blanks around it. Raises RequestError if no database can hold it."""
    if "\0" in text:
        raise RequestError(f"{name}: text with a NUL character")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise RequestError(f"{name}: {shown_value(text)} is not UTF-8") from None
    return text.strip()


def _in_words(details: Any) -> str:
    kind, context = details["type"], details.get("ctx", {})
    match kind:
        case "missing":
            return "is missing"
        case "extra_forbidden":
            return "unknown key"
        case "value_error":
            return " ".join(str(context["error"]).split())
        case "json_invalid":
            return f"is not JSON: {context['error']}"
    found = shown_value(details["input"])
    for beginning, taken in _TAKEN.items():
        if kind.startswith(beginning):
            return f"{found} is not {taken.format(**context)}"
    return f"{found} cannot be taken here"
