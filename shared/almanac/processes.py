"""A pool of worker processes that leaves Ctrl-C to the parent, and work in a thread beside.

A command starts early what its workers are forked from, which imports what they need while the
command imports what it needs itself: docs/decisions/0079-workers-start-early.md
"""

from __future__ import annotations

import contextvars
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import BrokenExecutor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from almanac.environment import given_to_processes
from almanac.errors import AlmanacError

if TYPE_CHECKING:
    from concurrent.futures import ProcessPoolExecutor

A = TypeVar("A")
B = TypeVar("B")

NICE = 10

_method = "spawn"  # not fork: the parent has threads by then


def start_early(*modules: str) -> None:
    """Start the process that this one's workers are forked from; it imports the modules meanwhile.

    It ends when this process does. Where it cannot start, workers are spawned.
    """
    if sys.platform != "linux":
        return  # libraries of macOS do not bear a fork, and Windows has none
    from multiprocessing import forkserver

    global _method
    forkserver.set_forkserver_preload(list(modules))
    try:
        with _without_interrupts(), given_to_processes(_same_imports()):
            forkserver.ensure_running()
    except OSError:
        return  # say, no folder for its socket
    _method = "forkserver"


@contextmanager
def worker_pool(workers: int, warm: Callable[[], None]) -> Iterator[ProcessPoolExecutor]:
    """Start processes that run `warm` first; they end with the context, or with this process.

    Those of a background thread have a low priority, so that the other threads answer at once.
    """
    import multiprocessing  # a run in one process does without
    from concurrent.futures import ProcessPoolExecutor

    in_background = threading.current_thread() is not threading.main_thread()
    context = multiprocessing.get_context(_method)
    pool = ProcessPoolExecutor(workers, context, _begin, (in_background,))
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


@contextmanager
def ahead(items: Iterable[A], make: Callable[[A], B]) -> Iterator[Iterator[B]]:
    """Yield what is made of the items, in order: in a thread, one ahead of what is used.

    The items are taken by the caller's thread. An error is raised in its turn. The context ends
    when nothing is being made any more.
    """
    source = iter(items)
    with ThreadPoolExecutor(1, "ahead") as pool:

        def begun() -> Future[B] | None:
            failed: Future[B] = Future()
            try:
                item = next(source)
            except StopIteration:
                return None
            except Exception as error:
                failed.set_exception(error)
                return failed
            return pool.submit(contextvars.copy_context().run, make, item)

        def made() -> Iterator[B]:
            current = begun()
            while current is not None:
                following = begun()
                yield current.result()
                current = following

        try:
            yield made()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _begin(in_background: bool) -> None:
    """Make this process a worker that ends with its parent, and perhaps gives way to others."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if in_background and hasattr(os, "nice"):
        os.nice(NICE)


def _end_with_parent() -> None:
    """End this process when its parent has ended: one that was killed has asked no worker to."""
    from multiprocessing import parent_process

    if (parent := parent_process()) is not None:
        parent.join()
        os._exit(1)


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


def _same_imports() -> dict[str, str]:
    """Return the variables by which another Python imports from where this one does.

    By itself it would first look into the working folder, and not where a test runner does.
    """
    path = os.pathsep.join(each or str(Path.cwd()) for each in sys.path)
    return {"PYTHONPATH": path, "PYTHONSAFEPATH": "1"}
