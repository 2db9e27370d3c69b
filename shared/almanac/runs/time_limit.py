"""The end that a step makes of itself before its function is cut off.

A function that was cut off goes on in its instance, without the processor, until the next message
comes; then both would have a database in memory.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from almanac.errors import TransientError
from almanac.storage.patience import check_before_requests


class OutOfTime(TransientError):
    """The step was given up, since its function would have been cut off."""


@contextmanager
def time_limit(
    store: object, seconds: float | None, clock: Callable[[], float] = time.monotonic
) -> Iterator[Callable[[], None]]:
    """Yield a check that raises OutOfTime after so many seconds; None: it never does.

    Until the end of the context each request to the store checks too, so that no transfer goes on
    for long.
    """
    end = None if seconds is None else clock() + seconds

    def check() -> None:
        if end is not None and clock() >= end:
            raise OutOfTime(
                f"given up after {seconds:g} seconds, before the function is cut off; more time is "
                "a merge job (docs/operations.md, Sizes and limits)"
            )

    check_before_requests(store, check)
    try:
        yield check
    finally:
        check_before_requests(store, None)
