"""One immutable object in a store, read by ranges through a cache of blocks."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future

from almanac.database.sources import Traffic
from almanac.errors import Corrupt, TransientError

BLOCK_BYTES = 256 << 10  # holds whole pages of any size that SQLite knows
CACHE_BYTES = 64 << 20
AHEAD_BYTES = 2 << 20
_STREAMS = 64
_DENSE = 1_000  # bytes of a database for each byte of changes

Fetch = Callable[[int, int], bytes]  # (start, length) -> length bytes


def block_bytes(database: int, changes: int) -> int:
    """Return how large the blocks are that changes of so many bytes are applied through.

    Where changes are dense, nearly all blocks are read: in larger ones it is a quarter of the
    requests (1,140 of 4,283 for 100,000 marks at 3 million contacts), and hardly more bytes.
    """
    return 4 * BLOCK_BYTES if changes * _DENSE >= database else BLOCK_BYTES


class Blocks:
    """A cache of an object's blocks, safe for threads, which share what each of them fetches.

    A block that is being fetched is waited for and not requested again. Adjacent misses, in either
    direction (SQLite reuses free pages from the last one on), are treated as a scan: the third
    fetches two blocks, and so on up to `ahead_bytes` a request. Any other miss fetches one. The
    least recently used blocks are dropped when there are more than `cache_bytes`.
    """

    def __init__(
        self,
        name: str,
        size: int,
        fetch: Fetch,
        *,
        block_bytes: int = BLOCK_BYTES,
        cache_bytes: int = CACHE_BYTES,
        ahead_bytes: int = AHEAD_BYTES,
    ) -> None:
        self.size = size  # bytes
        self._name = name
        self._fetch = fetch
        self._block_bytes = block_bytes
        self._capacity = max(1, cache_bytes // block_bytes)  # blocks
        self._ahead = max(1, ahead_bytes // block_bytes)  # blocks
        self._lock = threading.Lock()
        self._held: OrderedDict[int, bytes] = OrderedDict()
        self._coming: dict[int, Future[bytes]] = {}
        # the block that would continue a scan -> how many to fetch then, and in which direction
        self._streams: OrderedDict[int, tuple[int, int]] = OrderedDict()

    def read(self, start: int, length: int, traffic: Traffic) -> bytes:
        """Return bytes [start, start + length), fewer only at the end; count fetches in `traffic`.

        Raises what the store raises, and Corrupt if it returns fewer bytes than requested.
        """
        stop = min(start + length, self.size)
        if start >= stop:
            return b""
        first, last = start // self._block_bytes, (stop - 1) // self._block_bytes
        if first == last:
            at = start - first * self._block_bytes
            return self._block(first, traffic)[at : at + stop - start]
        blocks = [self._block(number, traffic) for number in range(first, last + 1)]
        whole, before = b"".join(blocks), first * self._block_bytes
        return whole[start - before : stop - before]

    def _block(self, number: int, traffic: Traffic) -> bytes:
        with self._lock:
            held = self._held.get(number)
            if held is not None:
                self._held.move_to_end(number)
                return held
            claimed = range(0)
            if number not in self._coming:
                claimed = self._claim(number)
            coming = self._coming[number]
        if claimed:
            self._bring(claimed, traffic)
        return coming.result()

    def _claim(self, number: int) -> range:
        """Claim the missing blocks to fetch in one request with `number`; other readers wait."""
        stream = self._streams.pop(number, None)
        wanted, step = stream or (1, 1)
        stop = number + step
        while abs(stop - number) < wanted and self._is_missing(stop):
            stop += step
        self._expect(stop, (min(2 * wanted, self._ahead) if stream else 1, step))
        if stream is None:
            self._expect(number - 1, (1, -1))
        claimed = range(number, stop) if step > 0 else range(stop + 1, number + 1)
        self._coming.update((block, Future()) for block in claimed)
        return claimed

    def _expect(self, number: int, stream: tuple[int, int]) -> None:
        self._streams[number] = stream
        if len(self._streams) > _STREAMS:
            self._streams.popitem(last=False)

    def _is_missing(self, number: int) -> bool:
        there = 0 <= number * self._block_bytes < self.size
        return there and number not in self._held and number not in self._coming

    def _bring(self, claimed: range, traffic: Traffic) -> None:
        """Fetch the blocks, and give them or the error to all readers that wait for them."""
        start = claimed.start * self._block_bytes
        length = min(claimed.stop * self._block_bytes, self.size) - start
        try:
            data = self._fetch(start, length)
            if len(data) != length:
                raise Corrupt(
                    f"{self._name}: {len(data)} bytes came back where {length} were asked for"
                )
        except BaseException as error:
            # an interrupt of this thread (Ctrl-C) must not stop the other readers
            stopped = TransientError(f"{self._name}: reading it was interrupted")
            for waiting in self._release(claimed):
                waiting.set_exception(error if isinstance(error, Exception) else stopped)
            raise
        traffic.requests += 1
        traffic.bytes += length
        size = self._block_bytes
        blocks = [data[at : at + size] for at in range(0, length, size)]
        for waiting, block in zip(self._release(claimed, blocks), blocks, strict=True):
            waiting.set_result(block)

    def _release(self, claimed: range, blocks: list[bytes] | None = None) -> list[Future[bytes]]:
        """End the claim of blocks: they are held now, or missing again."""
        with self._lock:
            if blocks is not None:
                self._held.update(zip(claimed, blocks, strict=True))
                while len(self._held) > self._capacity:
                    self._held.popitem(last=False)
            return [self._coming.pop(number) for number in claimed]
