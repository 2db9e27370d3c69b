"""A pool of worker processes that leaves Ctrl-C to the parent, and work in a thread beside."""

from __future__ import annotations

import contextvars
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

from almanac.errors import AlmanacError

if TYPE_CHECKING:
    from concurrent.futures import ProcessPoolExecutor

NICE = 10


@contextmanager
def worker_pool(workers: int, warm: Callable[[], None]) -> Iterator[ProcessPoolExecutor]:
    """Start processes that run `warm` first; they end with the context.

    Those of a background thread have a low priority, so that the other threads answer at once.
    """
    import multiprocessing  # a run in one process does without
    from concurrent.futures import ProcessPoolExecutor

    in_background = threading.current_thread() is not threading.main_thread()
    # spawned, not forked: the parent has threads by now
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, context, _give_way if in_background else None)
    try:
        with _without_interrupts():
            for _ in range(workers):
                pool.submit(warm)
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def lost_workers() -> Iterator[None]:
    """Raise AlmanacError if a worker process of a run ends while its result is waited for."""
    try:
        yield
    except BrokenExecutor as error:
        raise AlmanacError(
            "a worker process ended unexpectedly, perhaps for lack of memory; nothing was "
            "changed; try --workers 1"
        ) from error


@contextmanager
def beside(work: Callable[[], object]) -> Iterator[None]:
    """Do the work in a thread meanwhile; wait for it at the end, and raise its error."""
    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(contextvars.copy_context().run, work)
        yield
    done.result()


def _give_way() -> None:
    """Lower the priority of this process, where the system has one."""
    if hasattr(os, "nice"):
        os.nice(NICE)


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """Start processes within that ignore Ctrl-C: the parent gets it, and stops its workers."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may set handlers, and only it is interrupted
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
