"""Cold start of each function: from the start of its process to its first byte of work.

    python -m scripts.bench_cold_start [TIMES] [--ratios FILE]        (default: 5)

The function runs under functions-framework as in the cloud, and gets its first message as soon
as its port answers. Work begins with its first request to Cloud Storage, here an emulator. Times
are wall-clock seconds, the median and the worst; other load on the machine adds to them, but not to
the ratio, which is of processor time until the answer (Linux only). Exits with 1 if a median is
above the limit.
"""

from __future__ import annotations

import base64
import json
import statistics
import sys
import tempfile
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from almanac.intake import sendgrid
from almanac_emulation.cloud_storage.emulator import StorageEmulator
from almanac_emulation.functions import FUNCTIONS, default_sources, function_service, source_of
from scripts.bench_ratios import arguments, floor, group_seconds, median_ratio, record

LIMIT = 1.5  # seconds
PROJECT = "almanac-bench"
# For an organization that does not exist: the work ends soon after it has begun.
MESSAGES = {
    "orchestrator": {"org_id": "none"},
    "shard": {"org_id": "none", "run_id": "none", "shard": 0, "first_id": 1, "last_id": 2},
    "merge": {"org_id": "none", "run_id": "none", "shard": 0},
    "campaign_change": {"event_id": "none", "org_id": "none", "campaign_instance_id": 1},
    "intake_events": {"kind": "activity", "org_id": "none", "entries": [{}]},
}
# What programs post, for the same organization: it is refused once the store has been asked.
POSTS = {"intake": "orgs/none/activity", "webhooks": "orgs/none/webhooks/sendgrid"}


class Start(NamedTuple):
    """Seconds since the start of the process."""

    port: float  # until its port answers
    work: float  # until its first request to Cloud Storage
    answer: float  # until the message is answered
    cpu: float  # processor seconds of the process and its children until then; 0 if unknown


def main(times: int, ratios: Path | None) -> int:
    """Print one row for each function."""
    print("function           port   work  worst  answer  x floor")
    slow = False
    with StorageEmulator() as storage, tempfile.TemporaryDirectory() as folder:
        storage.create_bucket("bench")
        for function in FUNCTIONS:
            starts, floors = [], []
            for _ in range(times):
                starts.append(cold_start(function, storage, Path(folder)))
                floors.append(floor())
            port, work, answer, _ = (statistics.median(e) for e in zip(*starts, strict=True))
            worst = max(start.work for start in starts)
            ratio = median_ratio([start.cpu for start in starts], floors)
            if ratio:
                record(ratios, {f"cold start: {function}": ratio})
            print(
                f"{function:<16} {port:6.2f} {work:6.2f} {worst:6.2f} {answer:7.2f}  {ratio:7.2f}",
                flush=True,
            )
            slow = slow or work > LIMIT
    return int(slow)


def cold_start(function: str, storage: StorageEmulator, folder: Path) -> Start:
    """Start the function's process and give it one message."""
    service = function_service(
        function,
        source_of(function, default_sources()),
        folder / "log",
        folder / "tmp",
        {
            "ALMANAC_STORE": "gs://bench",
            "ALMANAC_PROJECT": PROJECT,
            "STORAGE_EMULATOR_HOST": storage.url,
            "PUBSUB_EMULATOR_HOST": "127.0.0.1:1",  # no process listens: nothing is published
        },
    )
    storage.log.clear()
    began = time.perf_counter()
    service.start()
    try:
        service.wait_until_ready()
        port = time.perf_counter() - began
        with ThreadPoolExecutor(1) as pool:
            answer = pool.submit(send, service.url, function)
            while not storage.log.of() and not answer.done():
                time.sleep(0.001)
            work = time.perf_counter() - began
            answer.result()
        answered = time.perf_counter() - began
        return Start(port, work, answered, group_seconds(service.pid))
    finally:
        service.stop()


def send(url: str, function: str) -> None:
    """Send the function its message, post to it, or request the status."""
    if function in POSTS:
        signed = {
            sendgrid.SIGNATURE: "",
            sendgrid.TIMESTAMP: "",
            "Content-Type": "application/json",
        }
        post = urllib.request.Request(f"{url}/{POSTS[function]}", b"{}", signed)
        with suppress(urllib.error.HTTPError):
            urllib.request.urlopen(post, timeout=60).close()
        return
    message = MESSAGES.get(function)
    if message is None:
        urllib.request.urlopen(url, timeout=60).close()
        return
    content = {
        "data": base64.b64encode(json.dumps(message).encode()).decode(),
        "messageId": "1",
        "publishTime": "2026-11-21T10:00:00Z",
    }
    request = urllib.request.Request(
        f"{url}/projects/{PROJECT}/topics/bench",
        json.dumps({"message": content, "subscription": "bench"}).encode(),
        {"Content-Type": "application/json"},
    )
    urllib.request.urlopen(request, timeout=60).close()


if __name__ == "__main__":
    chosen, ratios_file = arguments("TIMES", __doc__)
    sys.exit(main(chosen[0] if chosen else 5, ratios_file))
