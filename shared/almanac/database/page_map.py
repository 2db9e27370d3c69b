"""Which pages of a database were written over, and how they come into a file of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from almanac.frames import Ids


@dataclass(frozen=True)
class PageMap:
    """Which pages of a database were written. numbers: from 0, sorted.

    size: of the database with them, in bytes. kept: so many bytes at the beginning of the base
    still count, where no page is written; what follows them reads as zeros.
    """

    page_bytes: int
    kept: int
    size: int
    numbers: Ids

    def between(self, start: int, stop: int) -> slice:
        """Return which of the pages, by place, have bytes in [start, stop)."""
        first, end = start // self.page_bytes, -(-stop // self.page_bytes)
        low, high = np.searchsorted(self.numbers, [first, end])
        return slice(int(low), int(high))


def write_pages(path: Path, pages: PageMap, content: Iterable[bytes]) -> None:
    """Write the pages, whose content comes in their order, into the local file of the base."""
    with path.open("r+b") as file:
        file.truncate(pages.kept)
        file.truncate(pages.size)
        numbers = iter(pages.numbers.tolist())
        for chunk in content:
            for at in range(0, len(chunk), pages.page_bytes):
                file.seek(next(numbers) * pages.page_bytes)
                file.write(chunk[at : at + pages.page_bytes])
