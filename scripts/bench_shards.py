"""A daily run through all functions on one machine: what each shard fetches, and the total cost.

    python scripts/bench_shards.py CONTACTS SHARDS [--alone] [--database FILE --as-of DATE]

Makes an agency and plans it once (or takes a planned FILE as it is), pushes it to the emulated
cloud and runs the next day. Requests and bytes of a shard are those in its log; the emulator's own
count is below them. The emulators answer without latency, and two shards share a process, or one
with --alone: take the seconds as computing time only. For Linux; the Pub/Sub emulator is needed.
"""

from __future__ import annotations

import argparse
import datetime as dt
import statistics
import subprocess
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from almanac.config import Config
from almanac.generation import generate
from almanac.messaging.messages import RunRequest, to_json
from almanac.names import daily_run_id
from almanac.organizations.transfer import push
from almanac.runs.local import run_file
from almanac.runs.results import RunResult
from almanac.runs.run_options import RunOptions
from almanac_emulation.functions import default_sources
from almanac_emulation.local_cloud import LocalCloud

FIRST_DAY = dt.date(2026, 11, 21)
ORG = "bench"
PATIENCE = 3600.0  # seconds


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("contacts", type=int)
    parser.add_argument("shards", type=int)
    parser.add_argument("--database", type=Path)
    parser.add_argument(
        "--as-of", type=dt.date.fromisoformat, default=FIRST_DAY + dt.timedelta(days=1)
    )
    parser.add_argument(
        "--alone", action="store_true", help="a function processes one message at a time"
    )
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="almanac-bench-") as name:
        folder = Path(name)
        path = asked.database or _planned(folder / "agency.sqlite3", asked.contacts)
        settings = {"ALMANAC_SHARD_CONTACTS": str(-(-asked.contacts // asked.shards))}
        if asked.alone:
            settings["THREADS"] = "1"  # of functions-framework
        with LocalCloud(folder / "cloud", default_sources(), environment=settings) as cloud:
            _bench(cloud, path, asked.as_of)


def _planned(path: Path, contacts: int) -> Path:
    generate(path, contacts, 1, FIRST_DAY)
    run_file(path, Config(), RunOptions(as_of=FIRST_DAY))
    return path


def _bench(cloud: LocalCloud, path: Path, as_of: dt.date) -> None:
    size = path.stat().st_size
    now = dt.datetime.now(dt.UTC)
    started = time.perf_counter()
    pushed = push(cloud.store, ORG, path, expect=0, now=now, progress=lambda *_: None)
    print(f"database of {size / 1e6:.0f} MB, pushed in {time.perf_counter() - started:.1f} s")
    cloud.storage.log.clear()
    started = time.perf_counter()
    asked_at = dt.datetime.combine(as_of, dt.time(9), dt.UTC)
    request = RunRequest(org_id=ORG, as_of=as_of, requested_at=asked_at)
    cloud.bus.publish(cloud.topics.run_requests, [to_json(request)])
    result = cloud.wait_for_result(ORG, daily_run_id(as_of), PATIENCE)
    print(
        f"run {result.state} in {time.perf_counter() - started:.1f} s: {result.planned} planned, "
        f"{result.skipped} skipped {result.reason or ''}"
    )
    while len(_done(cloud, "merge")) < len(
        _done(cloud, "shard")
    ):  # the other deliveries wait for its end
        time.sleep(0.1)
    _print_shards(cloud, size)
    _print_traffic(cloud, pushed.path)
    _print_functions(cloud, result)


def _print_shards(cloud: LocalCloud, size: int) -> None:
    lines = cloud.log_lines("shard")
    took = {line["shard"]: line["seconds"] for line in _done(cloud, "shard")}
    planned = [line for line in lines if line["message"] == "shard planned"]
    print(f"\n{len(planned)} shards            least    median      most")
    columns: dict[str, list[float]] = {
        "contacts": [line["contacts"] for line in planned],
        "requests": [line["fetched"]["requests"] for line in planned],
        "MB": [line["fetched"]["bytes"] / 1e6 for line in planned],
        "% of the file": [line["fetched"]["bytes"] / size * 100 for line in planned],
        "fragment, MB": [line["fragment_bytes"] / 1e6 for line in planned],
        "seconds": [took[line["shard"]] for line in planned],
    }
    for name, values in columns.items():
        print(f"{name:<15}" + _numbers(min(values), statistics.median(values), max(values)))


def _print_traffic(cloud: LocalCloud, database: str) -> None:
    """Print the emulator's answers by operation and kind of object."""
    found: dict[tuple[str, str], list[float]] = defaultdict(lambda: [0, 0.0, 0.0])
    for each in cloud.storage.log.of():
        kind = "the snapshot" if each.name == database else _kind(each.name)
        total = found[each.operation, kind]
        total[0] += 1
        total[1] += each.received / 1e6
        total[2] += each.sent / 1e6
    print("\nrequests to the store             number     MB in    MB out")
    for (operation, kind), total in sorted(found.items(), key=lambda item: -sum(item[1][1:])):
        print(f"{operation:<9} {kind:<22}" + _numbers(*total))


def _kind(name: str) -> str:
    if "/fragments/" in name:
        return "fragments"
    return name.rpartition("/")[2] or name


def _print_functions(cloud: LocalCloud, result: RunResult) -> None:
    print("\nfunction         peak MB   total seconds of successful deliveries")
    for name, pid in cloud.pids.items():
        seconds = sum(line["seconds"] for line in _done(cloud, name))
        print(f"{name:<15}" + _numbers(_peak_mb(pid), seconds))
    print("\nthe merge, seconds by step")
    for step, took in result.seconds.items():
        print(f"{step:<15}" + _numbers(took))


def _done(cloud: LocalCloud, function: str) -> list[dict[str, Any]]:
    return [line for line in cloud.log_lines(function) if line.get("outcome") == "done"]


def _peak_mb(group: int | None) -> float:
    """Return the peak of the largest process of the group, the server's worker."""
    table = subprocess.run(
        ["ps", "-A", "-o", "pid=,pgid="], stdout=subprocess.PIPE, text=True, check=True
    ).stdout
    rows: Iterable[Any] = (map(int, line.split()) for line in table.splitlines())
    peaks = [0.0]
    for pid, pgid in rows:
        if pgid == group:
            status = Path(f"/proc/{pid}/status").read_text()
            peaks.append(int(status.split("VmHWM:")[1].split()[0]) / 1024)
    return max(peaks)


def _numbers(*values: float) -> str:
    return "".join(f"{value:10.{0 if value == round(value) else 2}f}" for value in values)


if __name__ == "__main__":
    main()
