"""The objects of a file of JSON lines or of a JSON array, each with the line where it begins."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple

from almanac.csv_input.text import Encoding, Lines
from almanac.errors import InputError

MAX_ARRAY = 256 << 20  # bytes of a JSON array, which is held in memory
_BLANKS = re.compile(r"\s*")


class JsonRow(NamedTuple):
    """An object of a file, or what is there in its place."""

    line: int
    text: str  # as it is in the file
    value: dict[str, Any]
    why: str  # it is no object; '' for one


def json_rows(stream: BinaryIO, lines: Lines, name: str) -> Iterator[JsonRow] | None:
    """Return the objects of a file, or None for one that begins otherwise.

    lines: of the stream, from its beginning. name: what messages call the file. A line that is no
    object costs that line. The iterator raises InputError where an array breaks off.
    """
    start = lines.peek()
    if start.lstrip().startswith("["):
        return _array(_whole_text(stream, lines.encoding, name), name)
    return _lines(lines) if start.lstrip().startswith("{") else None


def _lines(lines: Lines) -> Iterator[JsonRow]:
    for number, line, why in lines.singly():
        found: object = None
        try:
            found = None if why else json.loads(line)
            why = why or ("" if isinstance(found, dict) else "not a JSON object")
        except (ValueError, RecursionError) as error:
            why = f"not JSON: {error}"
        yield JsonRow(number, line.rstrip("\r\n"), found if isinstance(found, dict) else {}, why)


def _whole_text(stream: BinaryIO, encoding: Encoding, name: str) -> str:
    """Return the text of a file. Raise InputError for one that is too large, or not text."""
    stream.seek(0)
    data = stream.read(MAX_ARRAY + 1)
    if len(data) > MAX_ARRAY:
        raise InputError(
            f"{name}: a JSON array of more than {MAX_ARRAY:,} bytes; write one object a line, "
            "without the brackets around all and the commas between them"
        )
    try:
        return data.decode(encoding.codec)
    except UnicodeDecodeError:
        raise InputError(f"{name}: text that is not {encoding.label}") from None


def _array(text: str, name: str) -> Iterator[JsonRow]:
    """Yield the elements of an array.

    Raise InputError where the text is not an array: then nothing of it is to be relied on.
    """
    decoder, line, counted = json.JSONDecoder(), 1, 0
    at = _skip(text, text.index("[") + 1)
    more = text[at : at + 1] != "]"
    while more:
        line, counted = line + text.count("\n", counted, at), at
        try:
            found, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError) as error:
            raise InputError(f"{name}: line {line}: not a JSON array: {error}") from None
        is_object = isinstance(found, dict)
        why = "" if is_object else "not a JSON object"
        yield JsonRow(line, text[at:end], found if is_object else {}, why)
        at = _skip(text, end)
        more = text[at : at + 1] == ","
        if more:
            at = _skip(text, at + 1)
    if text[at : at + 1] != "]" or text[at + 1 :].strip():
        line += text.count("\n", counted, at)
        raise InputError(f"{name}: line {line}: not a JSON array: expected , or ] and nothing more")


def _skip(text: str, at: int) -> int:
    """Return the next position that is not blank."""
    blanks = _BLANKS.match(text, at)
    return blanks.end() if blanks else at
