"""Cold start of each function: from the start of its process to its first byte of work.

    python scripts/bench_cold_start.py [TIMES]        (default: 5)

The function runs under functions-framework as in the cloud, and gets its first message as soon
as its port answers. Work begins with its first request to Cloud Storage, here an emulator. Times
are wall-clock seconds, the median and the worst; other load on the machine adds to them. Exits
with 1 if a median is above the limit.
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


def main(times: int) -> int:
    """Print one row for each function."""
    print("function           port   work  worst  answer")
    slow = False
    with StorageEmulator() as storage, tempfile.TemporaryDirectory() as folder:
        storage.create_bucket("bench")
        for function in FUNCTIONS:
            starts = [cold_start(function, storage, Path(folder)) for _ in range(times)]
            port, work, answer = (statistics.median(each) for each in zip(*starts, strict=True))
            worst = max(start.work for start in starts)
            print(f"{function:<16} {port:6.2f} {work:6.2f} {worst:6.2f} {answer:7.2f}", flush=True)
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
        return Start(port, work, time.perf_counter() - began)
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
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 5))
