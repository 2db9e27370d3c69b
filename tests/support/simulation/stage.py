"""Where a simulated cloud plays: its folder, and what stands in for what it does not check."""

from __future__ import annotations

import gc
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from unittest.mock import patch

from almanac.report.page_data import PageData

_MEMORY = Path("/dev/shm")
_GARBAGE = 50_000  # objects between two collections: a seed leaves little


def bare_page(data: PageData, tables: object, folder: str) -> str:
    """Return what a page would show, without the page: tests of the report check the real one."""
    return data.model_dump_json()


@contextmanager
def stage() -> Iterator[Path]:
    """Yield a folder for a world, in memory where there is such a place.

    A version's report page is the JSON of its data, without the counts of the whole database, which
    only the page has. As a real page it has the run's seconds in it, so that two attempts differ,
    and a seed plays as with real pages.
    """
    often = gc.get_threshold()
    gc.set_threshold(_GARBAGE, *often[1:])
    place = _MEMORY if _MEMORY.is_dir() else None
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="almanac-", dir=place))
        stack.callback(gc.set_threshold, *often)
        stack.enter_context(patch("almanac.report.page._page", bare_page))
        stack.enter_context(patch("almanac.runs.commit_version.survey", lambda *_: None))
        yield Path(folder)
