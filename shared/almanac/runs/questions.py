"""Questions to the database of a run, answered beside what the run does meanwhile."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Protocol, TypeVar

from almanac.database.reading import Snapshot
from almanac.database.sources import Source, opened_again

T = TypeVar("T")

THREADS = 2  # one for each of two cores: while shards are planned the run itself waits


class Ask(Protocol):
    """Puts a question; the function that it returns waits for the answer."""

    def __call__(self, question: Callable[[Snapshot], T], /) -> Callable[[], T]: ...


@contextmanager
def asking(database: Path | Source) -> Iterator[Ask]:
    """Answer questions in the order in which they come, in threads with connections of their own.

    At the end those at hand are waited for, and those behind them are dropped.
    """
    with ExitStack() as stack:
        pool = ThreadPoolExecutor(THREADS, "questions")
        opened = stack.enter_context(ExitStack())
        stack.callback(pool.shutdown, cancel_futures=True)
        of_thread = threading.local()

        def answer(question: Callable[[Snapshot], T]) -> T:
            if not hasattr(of_thread, "snapshot"):
                of_thread.snapshot = opened.enter_context(_opened(database))
            return question(of_thread.snapshot)

        def ask(question: Callable[[Snapshot], T]) -> Callable[[], T]:
            # with the current span
            return pool.submit(contextvars.copy_context().run, answer, question).result

        yield ask


def _opened(database: Path | Source) -> Snapshot:
    return Snapshot(opened_again(database) if isinstance(database, Source) else database)
