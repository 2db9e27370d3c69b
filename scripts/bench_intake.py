"""Load on the function `intake`: 1,000 events a second into one process, on the emulated store.

    python scripts/bench_intake.py [EVENTS_A_SECOND] [SECONDS]        (default: 1000 60)

Each event is a request of its own, with one mark. Its time counts from the moment at which it was
to be sent, so that a slow answer is not hidden by what then waits for it. Afterwards every event
must be in the inbox, once. Then a burst: 100,000 marks in ten requests at once.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from almanac.intake import inbox
from almanac.storage import layout
from almanac.storage.cloud import CloudStore
from almanac_emulation.cloud_storage.emulator import StorageEmulator
from almanac_emulation.functions import INTAKE, default_sources, function_service, source_of

ORG, BUCKET = "206", "bench"
CONNECTIONS = 64
LOST = 2  # exit code
_HEAD = (
    "POST /orgs/{org}/deliveries HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n"
    "Idempotency-Key: {key}\r\nContent-Length: {length}\r\n\r\n"
)

Answer = tuple[int, float]  # its code, and milliseconds


def main(rate: int, seconds: int) -> int:
    with StorageEmulator() as storage, tempfile.TemporaryDirectory() as folder:
        storage.create_bucket(BUCKET)
        store = CloudStore(BUCKET, client=storage.client())
        store.write(layout.current(ORG), b"{}", 0)
        service = function_service(
            INTAKE,
            source_of(INTAKE, default_sources()),
            Path(folder) / "log",
            Path(folder) / "tmp",
            {
                "ALMANAC_STORE": f"gs://{BUCKET}",
                "ALMANAC_PROJECT": "bench",
                "STORAGE_EMULATOR_HOST": storage.url,
                "THREADS": str(CONNECTIONS + 16),
            },
        )
        service.start()
        try:
            service.wait_until_ready()
            _load(service.port, [_mark(0)], 1)  # its first request makes what it works with
            marks = [_mark(number) for number in range(1, rate * seconds + 1)]
            _print(f"{rate} events a second for {seconds} s", _load(service.port, marks, rate))
            lost = _lost(store, rate * seconds)
            burst = [_marks(number) for number in range(10)]
            _print("100,000 marks in 10 requests", _load(service.port, burst, 10_000))
        finally:
            service.stop()
        lost += _lost(store, rate * seconds + 100_000)
    return LOST if lost else 0


def _mark(number: int) -> tuple[str, bytes]:
    """Return a key and a body with one mark."""
    mark = {"id": number, "status": "sent", "message_id": f"m-{number}"}
    return f"mark-{number}", json.dumps(mark).encode()


def _marks(number: int) -> tuple[str, bytes]:
    """Return a key and a body with 10,000 marks."""
    first = 10_000_000 + number * 10_000
    marks = [{"id": row, "status": "sent"} for row in range(first, first + 10_000)]
    return f"burst-{number}", json.dumps(marks).encode()


def _load(port: int, bodies: Sequence[tuple[str, bytes]], rate: int) -> list[Answer]:
    """Post the bodies at a rate from a process of their own; return the answers."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_post_all, (port, bodies, rate))


def _post_all(port: int, bodies: Sequence[tuple[str, bytes]], rate: int) -> list[Answer]:
    return asyncio.run(_posted(port, bodies, rate))


async def _posted(port: int, bodies: Sequence[tuple[str, bytes]], rate: int) -> list[Answer]:
    answers: list[Answer] = []
    began = time.perf_counter()
    turns = iter(enumerate(bodies))

    async def post_in_turn() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for turn, (key, body) in turns:
            due = began + turn / rate
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            head = _HEAD.format(org=ORG, key=key, length=len(body)).encode()
            writer.write(head + body)
            code, stays_open = await _answer(reader)
            answers.append((code, (time.perf_counter() - due) * 1000))
            if not stays_open:
                writer.close()
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.close()

    await asyncio.gather(*(post_in_turn() for _ in range(min(CONNECTIONS, len(bodies)))))
    return answers


async def _answer(reader: asyncio.StreamReader) -> tuple[int, bool]:
    """Read an answer; return its code, and whether the connection stays open."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    length = int(head.partition("content-length: ")[2].partition("\r\n")[0])
    await reader.readexactly(length)
    return int(head.split(" ", 2)[1]), "connection: close" not in head


def _print(what: str, answers: list[Answer]) -> None:
    times = sorted(spent for _, spent in answers)
    p99 = times[min(len(times) - 1, int(len(times) * 0.99))]
    codes = dict(Counter(code for code, _ in answers))
    print(
        f"{what}: answers {codes}, milliseconds: median {statistics.median(times):.0f}, "
        f"p99 {p99:.0f}, longest {times[-1]:.0f}",
        flush=True,
    )


def _lost(store: CloudStore, expected: int) -> int:
    """Return how many of the marks are not in the inbox exactly once; print it."""
    objects = inbox.waiting(store, ORG)
    found = Counter(
        entry["id"] for event in inbox.read(store, objects) for entry in event.event["entries"]
    )
    wrong = expected + 1 - len(found) + sum(count > 1 for count in found.values())
    print(
        f"  {len(found) - 1:,} marks in {len(objects):,} objects, {wrong} lost or twice", flush=True
    )
    return wrong


if __name__ == "__main__":
    given = [int(each) for each in sys.argv[1:]]
    sys.exit(main(*(given or [1000, 60])))
