"""Entries packed into events, each as large as an event may be."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

from almanac.errors import RequestError
from almanac.intake.events import MAX_BYTES, MAX_ENTRIES

T = TypeVar("T")

LARGEST = MAX_BYTES - 1_000  # bytes of JSON of an event's entries, besides which it has a few keys


def packed(items: Iterable[tuple[T, int]]) -> Iterator[list[T]]:
    """Yield items that fit into one event together, in their order; each comes with its bytes."""
    part: list[T] = []
    size = 0
    for item, length in items:
        if len(part) == MAX_ENTRIES or (part and size + length + 2 > LARGEST):
            yield part
            part, size = [], 0
        part.append(item)
        size += length + 2  # a comma and a blank
    if part:
        yield part


def check_entry_size(size: int) -> None:
    """Raise RequestError for an entry of more bytes than an event can have."""
    if size + 2 > LARGEST:
        raise RequestError(f"{size:,} bytes of JSON; an event has {MAX_BYTES:,} at most")
