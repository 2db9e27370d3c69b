"""Writing for many requests at once: those of an organization that come together share an object.

The first request of an organization waits some milliseconds for others, and is written with them.
Those that come meanwhile wait, and are written together next. So an organization has one writer at
a time, which spends little on the store however many requests there are, and a request is answered
when the object with its events is durable.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Generic, NamedTuple, TypeVar

from almanac.tracing import apart

T = TypeVar("T")

WINDOW_SECONDS = 0.01  # a write takes some 5 ms of processor time
MAX_BYTES = 4 * 1024 * 1024  # of requests that share an object


class _Waiting(NamedTuple):
    """A request that waits: its items, how many bytes they have, and what it waits for."""

    items: Sequence[object]
    size: int
    written: asyncio.Future[None]


class GroupCommit(Generic[T]):
    """Calls write, in a thread, for each organization with the items of the requests that wait.

    write returns once they are durable. window: seconds for which others are waited for. All
    calls have to come from one event loop.
    """

    def __init__(
        self, write: Callable[[str, Sequence[T]], object], window: float = WINDOW_SECONDS
    ) -> None:
        self._write = write
        self._window = window
        # by organization with a writer: those who wait for it
        self._waiting: dict[str, list[_Waiting]] = {}
        self._writers: set[asyncio.Task[None]] = set()

    async def put(self, org: str, items: Sequence[T], size: int) -> None:
        """Return once the items, of so many bytes, are durable; raise what write has raised."""
        mine = _Waiting(items, size, asyncio.get_running_loop().create_future())
        if org in self._waiting:
            self._waiting[org].append(mine)
        else:
            self._waiting[org] = [mine]
            with apart():  # it writes for other requests too
                writer = asyncio.create_task(self._write_what_waits(org))
            self._writers.add(writer)  # the loop itself forgets a task that is not held
            writer.add_done_callback(self._writers.discard)
        await mine.written

    async def _write_what_waits(self, org: str) -> None:
        """Write until nothing of the organization waits."""
        waiting = self._waiting[org]
        together: list[_Waiting] = []
        try:
            while waiting:
                await asyncio.sleep(self._window)
                together = _taken(waiting)
                _tell(together, await self._error_of_writing(org, together))
        finally:
            del self._waiting[org]
            for each in (*together, *waiting):  # of a process that ends
                each.written.cancel()

    async def _error_of_writing(self, org: str, together: list[_Waiting]) -> Exception | None:
        items = [item for each in together for item in each.items]
        try:
            await asyncio.to_thread(self._write, org, items)  # type: ignore[arg-type]
        except Exception as error:
            return error
        return None


def _tell(together: list[_Waiting], error: Exception | None) -> None:
    """Let requests go on that were written together, or could not be."""
    for each in together:
        if each.written.done():  # cancelled: its caller has gone
            continue
        if error is None:
            each.written.set_result(None)
        else:
            each.written.set_exception(error)


def _taken(waiting: list[_Waiting]) -> list[_Waiting]:
    """Take the first from the list, and as many behind it as fit into an object."""
    size, count = waiting[0].size, 1
    while count < len(waiting) and size + waiting[count].size <= MAX_BYTES:
        size += waiting[count].size
        count += 1
    together = waiting[:count]
    del waiting[:count]
    return together
