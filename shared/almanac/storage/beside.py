"""Large files on their way while their reader or writer does something else.

A store that can transfer in the background is a TransfersBeside. With any other, a file is fetched
before what is done beside it, and put after it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol, TypeVar, runtime_checkable

from almanac.storage.checksums import BlockSums
from almanac.storage.store import ObjectInfo, ObjectStore

T = TypeVar("T")

CONNECTIONS = 4  # of one transfer


class TransferStopped(Exception):
    """What was done in the background is not needed any more."""


@runtime_checkable
class TransfersBeside(Protocol):
    """A store that transfers a file in the background; see `fetching` and `putting`."""

    def fetching(
        self, name: str, path: Path, generation: int | None = None
    ) -> AbstractContextManager[Callable[[], ObjectInfo]]: ...

    def putting(
        self, name: str, path: Path, sums: BlockSums
    ) -> AbstractContextManager[Callable[[], ObjectInfo]]: ...


@contextmanager
def fetching(
    store: ObjectStore, name: str, path: Path, generation: int | None = None
) -> Iterator[Callable[[], ObjectInfo]]:
    """Fetch a file within the context; yield what waits for it, with results as of fetch_file.

    A context that is left without waiting leaves no file at path.
    """
    if isinstance(store, TransfersBeside):
        with store.fetching(name, path, generation) as arrived:
            yield arrived
    else:
        info = store.fetch_file(name, path, generation)
        yield lambda: info


@contextmanager
def putting(
    store: ObjectStore, name: str, path: Path, sums: BlockSums, *, move: bool = False
) -> Iterator[Callable[[], ObjectInfo]]:
    """Begin to put a file; yield what completes it, with results and errors as of put_file.

    The object does not exist before that, and may be completed again after a lost answer. sums:
    those of the file, which must not change within the context.
    """
    if isinstance(store, TransfersBeside):
        with store.putting(name, path, sums) as put:
            yield put
    else:
        yield lambda: store.put_file(name, path, move=move, sums=sums)


@contextmanager
def begun(work: Callable[[threading.Event], T]) -> Iterator[Callable[[], T]]:
    """Run work in a thread; yield what waits for its result and raises its error.

    Its event is set at the end of the context, which ends when work has ended.
    """
    stop = threading.Event()
    with ThreadPoolExecutor(1, "transfer") as pool:
        future = pool.submit(work, stop)
        try:
            yield future.result
        finally:
            stop.set()


def at_once(tasks: Sequence[Callable[[], T]], stop: threading.Event) -> list[T]:
    """Run the tasks in a few threads and return their results in order.

    The first error ends all, as the event does: tasks that have not begun are not run any more.
    """

    def run(task: Callable[[], T]) -> T:
        if stop.is_set():
            raise TransferStopped
        return task()

    with ThreadPoolExecutor(CONNECTIONS, "part") as pool:
        futures: list[Future[T]] = [pool.submit(run, task) for task in tasks]
        try:
            done, _ = wait(futures, return_when=FIRST_EXCEPTION)
            errors = [error for future in done if (error := future.exception()) is not None]
            if errors:
                others = (each for each in errors if not isinstance(each, TransferStopped))
                raise next(others, errors[0])
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
    return [future.result() for future in futures]
