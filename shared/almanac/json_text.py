"""Values as JSON text. JSON has neither Infinity nor NaN: they are written as null."""

from __future__ import annotations

import json
import math

# json.dumps builds an encoder for each call with options
_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode


def json_text(value: object) -> str:
    """Return the value as one line of JSON that every reader takes, and that UTF-8 can hold."""
    try:
        text = _encode(value)
    except ValueError:
        value = _finite(value)
        text = _encode(value)
    try:
        text.encode()
    except UnicodeEncodeError:  # a lone surrogate: written as an escape
        return json.dumps(value, allow_nan=False)
    return text


def _finite(value: object) -> object:
    """Return the value with None for each number that JSON does not have."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_finite(each) for each in value]
    return value
