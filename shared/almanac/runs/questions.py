"""Questions to the database of a run, answered in a thread beside what the run does meanwhile."""

from __future__ import annotations

import contextvars
import functools
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Protocol, TypeVar

from almanac.database.reading import Snapshot
from almanac.database.sources import Source, opened_again

T = TypeVar("T")


class Ask(Protocol):
    """Puts a question; the function that it returns waits for the answer."""

    def __call__(self, question: Callable[[Snapshot], T], /) -> Callable[[], T]: ...


@contextmanager
def asking(database: Path | Source) -> Iterator[Ask]:
    """Answer questions one after the other, in a thread with a connection of its own.

    At the end the question at hand is waited for, and those behind it are dropped. A source that
    cannot be opened again is asked in this thread, when an answer is wanted.
    """
    if isinstance(database, Source) and not database.uri:
        with Snapshot(database) as snapshot:
            yield lambda question: functools.partial(question, snapshot)
        return
    with ExitStack() as stack:
        pool = ThreadPoolExecutor(1, "questions")
        closing = stack.enter_context(ExitStack())
        stack.callback(pool.shutdown, cancel_futures=True)
        opened = pool.submit(lambda: closing.enter_context(_opened(database)))

        def ask(question: Callable[[Snapshot], T]) -> Callable[[], T]:
            # with the current span
            run = contextvars.copy_context().run
            return pool.submit(lambda: run(question, opened.result())).result

        yield ask


def _opened(database: Path | Source) -> Snapshot:
    return Snapshot(opened_again(database) if isinstance(database, Source) else database)
