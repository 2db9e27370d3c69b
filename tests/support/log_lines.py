"""The lines of the log that a test causes."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from almanac.logs import configure


@contextmanager
def logged() -> Iterator[list[dict[str, Any]]]:
    """The lines that are logged within, in a list that is filled at the end."""
    stream = io.StringIO()
    lines: list[dict[str, Any]] = []
    configure("DEBUG", stream)
    yield lines
    lines += map(json.loads, stream.getvalue().splitlines())
