"""Counts with their nouns, for messages and pages."""

from __future__ import annotations


def plural(count: int, one: str, many: str | None = None) -> str:
    """Return the count with its noun, such as `1 day` or `1,015 days`.

    `many` is the noun for any count but 1, by default `one` with an s.
    """
    return f"{count:,} {one if count == 1 else many or one + 's'}"
