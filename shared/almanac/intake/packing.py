"""Entries packed into events, each as large as an event may be."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from almanac.errors import RequestError
from almanac.intake.events import MAX_BYTES, MAX_ENTRIES

T = TypeVar("T")

LARGEST = MAX_BYTES - 1_000  # bytes of JSON of an event's entries, besides which it has a few keys
_BETWEEN = 2  # bytes: a comma and a blank


def packed(
    items: Iterable[T],
    text_of: Callable[[T], str],
    refuse: Callable[[T, str], None] | None = None,
) -> Iterator[list[T]]:
    """Yield items that fit into one event together, in their order; text_of: the JSON of one.

    refuse: called with each that fits into none, and why; without it that raises RequestError.
    """
    part: list[T] = []
    size = 0
    for item in items:
        length = len(text_of(item).encode("utf-8", "replace")) + _BETWEEN
        if length > LARGEST:
            why = f"{length - _BETWEEN:,} bytes of JSON; an event has {MAX_BYTES:,} at most"
            if refuse is None:
                raise RequestError(why)
            refuse(item, why)
            continue
        if len(part) == MAX_ENTRIES or size + length > LARGEST:
            yield part
            part, size = [], 0
        part.append(item)
        size += length
    if part:
        yield part


def numbered(event_id: str, number: int) -> str:
    """Return the id of an event of several, from 1: behind that of the first is a number."""
    return event_id if number == 1 else f"{event_id}.{number}"
