"""What of the environment is read without `settings`, which read and check all of a kind."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

CACHE = "ALMANAC_CACHE"


def cache_folder() -> Path | None:
    """Return the folder in which planned rows of files are kept, ALMANAC_CACHE, if it is set."""
    named = os.environ.get(CACHE)
    return Path(named) if named else None


def editor() -> str | None:
    """Return the command of the user's editor, None if no variable names one."""
    return os.environ.get("VISUAL") or os.environ.get("EDITOR")


@contextmanager
def given_to_processes(variables: Mapping[str, str]) -> Iterator[None]:
    """Start processes within that have these variables beside the others of this one."""
    before = {name: os.environ[name] for name in variables if name in os.environ}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name in variables:
            del os.environ[name]
        os.environ.update(before)
