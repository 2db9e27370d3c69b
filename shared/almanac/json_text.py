"""Values as JSON text. JSON has neither Infinity nor NaN: they are written as null."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from json.encoder import encode_basestring
from typing import Any

# json.dumps builds an encoder for each call with options
_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode


def json_text(value: object) -> str:
    """Return the value as one line of JSON that every reader takes, and that UTF-8 can hold."""
    text = _encoded(value)
    try:
        text.encode()
    except UnicodeEncodeError:  # a lone surrogate: written as an escape
        return json.dumps(_finite(value), allow_nan=False)
    return text


def json_lines(columns: Mapping[str, Sequence[object]]) -> str:
    """Return the rows of columns, each as `json_text` of its object and a line feed.

    An encoder for each row would take three times as long.
    """
    keys = (encode_basestring(name).replace("%", "%%") for name in columns)
    line = "{" + ", ".join(f"{key}: %s" for key in keys) + "}\n"
    parts = map(_each_encoded, columns.values())
    text = "".join([line % row for row in zip(*parts, strict=True)])
    try:
        text.encode()
    except UnicodeEncodeError:
        rows = zip(*columns.values(), strict=True)
        return "".join(json_text(dict(zip(columns, row, strict=True))) + "\n" for row in rows)
    return text


def _each_encoded(values: Sequence[object]) -> Iterable[str]:
    kinds = set(map(type, values))
    if len(kinds) == 1:
        return map(_ENCODERS.get(kinds.pop(), _encoded), values)
    return [_ENCODERS.get(type(value), _encoded)(value) for value in values]


def _encoded(value: object) -> str:
    """Return the value as JSON, in which a lone surrogate stays."""
    try:
        return _encode(value)
    except ValueError:
        return _encode(_finite(value))


_ENCODERS: dict[type, Callable[[Any], str]] = {
    str: encode_basestring,
    int: str,
    type(None): lambda _: "null",
}


def _finite(value: object) -> object:
    """Return the value with None for each number that JSON does not have."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_finite(each) for each in value]
    return value


def indented_json(value: object) -> bytes:
    """Return the value as JSON of many lines, for people, that every reader takes."""
    text = json.dumps(_finite(value), ensure_ascii=False, allow_nan=False, indent=1)
    return f"{text}\n".encode(errors="backslashreplace")  # a lone surrogate: its escape
