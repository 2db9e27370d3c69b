"""The body of a request: an event, an entry, or entries as an array or as JSON lines."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from almanac.errors import RequestError
from almanac.intake.answers import HttpProblem
from almanac.validation_text import shown_value

MAX_ENTRIES = 100_000  # of a request
JSON_TYPES = ("application/json",)
LINES_TYPES = ("application/x-ndjson", "application/ndjson", "application/jsonl")
EVENT_KEYS = ("event_id", "org_id", "entries", "replan")
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


@dataclass(frozen=True)
class RequestBody:
    """What a request brings: its entries by their index, those refused with why, and the rest."""

    entries: list[tuple[int, dict[str, Any]]]
    refused: list[tuple[int, str]]
    event_id: str | None = None
    replan: bool = False


def read_body(data: bytes, content_type: str, org: str) -> RequestBody:
    """Return what is in the body; raise HttpProblem (400, 413, 415, 422).

    An object with the key `entries` is an event if it is the whole body. Any other object is an
    entry, as is each element of an array and each line of JSON lines. A line that is no JSON costs
    that line.
    """
    values: list[object]
    text = _text(data)
    if content_type in LINES_TYPES:
        values = list(_lines(text))
    elif content_type in JSON_TYPES or content_type.endswith("+json"):
        values = _values(text)
    else:
        raise HttpProblem(
            415,
            f"Content-Type: {shown_value(content_type)} is not application/json or, for JSON "
            "lines, application/x-ndjson",
        )
    match values:
        case [dict(event)] if "entries" in event:
            return _event(event, data, org)
        case [list() as entries]:
            return _sorted(entries, data)
    return _sorted(values, data)


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise HttpProblem(400, f"the body is not UTF-8: byte {error.start}") from None


def _values(text: str) -> list[object]:
    """Return the one value of the text, or those of its lines if the first is an object."""
    try:
        return [_parsed(text)]
    except RequestError as error:
        first = text.lstrip().partition("\n")[0]
        try:
            several = isinstance(_parsed(first), dict)
        except RequestError:
            several = False
        if not several:
            raise HttpProblem(400, f"the body is {error}") from None
    return list(_lines(text))


def _lines(text: str) -> Iterator[object]:
    """Yield the value of each line that is not blank, a RequestError for a broken one."""
    for line in text.split("\n"):
        if line.strip():
            try:
                yield _parsed(line)
            except RequestError as error:
                yield error


def _parsed(text: str) -> object:
    """Return the JSON value; raise RequestError, `not JSON: ...`."""
    try:
        return _DECODER.decode(text)
    except RecursionError:
        raise RequestError("not JSON that can be read: it is nested too deeply") from None
    except ValueError as error:
        raise RequestError(f"not JSON: {error}") from None


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:40]} is too large a number")
    return number


_DECODER = json.JSONDecoder(parse_constant=_no_constant, parse_float=_finite)


def _event(event: Mapping[str, Any], data: bytes, org: str) -> RequestBody:
    for key in event:
        if key not in EVENT_KEYS:
            raise HttpProblem(
                422, f"{shown_value(key)} is no key of an event ({', '.join(EVENT_KEYS)})"
            )
    if (named := event.get("org_id", org)) != org:
        raise HttpProblem(422, f"org_id: {shown_value(named)} is not {org}, that of the address")
    if not isinstance(entries := event["entries"], list):
        raise HttpProblem(422, f"entries: {shown_value(entries)} is not a list of objects")
    event_id, replan = event.get("event_id"), event.get("replan", False)
    if not isinstance(event_id, str | None):
        raise HttpProblem(422, f"event_id: {shown_value(event_id)} is not text")
    if not isinstance(replan, bool):
        raise HttpProblem(422, f"replan: {shown_value(replan)} is not true or false")
    body = _sorted(entries, data)
    return RequestBody(body.entries, body.refused, event_id, replan)


def _sorted(values: list[object], data: bytes) -> RequestBody:
    """Return the values that can be entries, and why the others cannot."""
    if not values:
        raise HttpProblem(422, "there is no entry")
    if len(values) > MAX_ENTRIES:
        raise HttpProblem(413, f"{len(values)} entries: a request has at most {MAX_ENTRIES}")
    doubtful = _SURROGATE.search(data) is not None
    entries: list[tuple[int, dict[str, Any]]] = []
    refused: list[tuple[int, str]] = []
    for index, value in enumerate(values):
        match value:
            case RequestError():
                refused.append((index, str(value)))
            case dict() if "entries" in value:
                refused.append((index, "an event among entries: an event is a body of its own"))
            case dict() if doubtful and not _can_be_written(value):
                refused.append((index, "text with half a character (a surrogate)"))
            case dict():
                entries.append((index, value))
            case _:
                refused.append((index, f"{shown_value(value)} is not an object"))
    return RequestBody(entries, refused)


def _can_be_written(value: object) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True
