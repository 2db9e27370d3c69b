"""Daily runs through all functions on one machine: what each shard fetches, and the total cost.

    python scripts/bench_shards.py CONTACTS SHARDS [--alone] [--days N]
        [--database FILE --as-of DATE]

Makes an agency and plans it once (or takes a planned FILE as it is), pushes it to the emulated
cloud and runs the next N days (2): a pushed file has no planned rows in columns, the version of a
run has. Requests and bytes of a shard are those in its log; the emulator's own count is below them.
The emulators answer without latency, and two shards share a process, or one with --alone: take the
seconds as computing time only. For Linux; the Pub/Sub emulator is needed.
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
from almanac.storage.versions import current
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
    parser.add_argument("--days", type=int, default=2)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="almanac-bench-") as name:
        folder = Path(name)
        path = asked.database or _planned(folder / "agency.sqlite3", asked.contacts)
        settings = {"ALMANAC_SHARD_CONTACTS": str(-(-asked.contacts // asked.shards))}
        if asked.alone:
            settings["THREADS"] = "1"  # of functions-framework
        with LocalCloud(folder / "cloud", default_sources(), environment=settings) as cloud:
            _push(cloud, path)
            for n in range(asked.days):
                _bench(cloud, asked.as_of + dt.timedelta(days=n), path.stat().st_size)
            _print_peaks(cloud)


def _planned(path: Path, contacts: int) -> Path:
    generate(path, contacts, 1, FIRST_DAY)
    run_file(path, Config(), RunOptions(as_of=FIRST_DAY))
    return path


def _push(cloud: LocalCloud, path: Path) -> None:
    now, started = dt.datetime.now(dt.UTC), time.perf_counter()
    push(cloud.store, ORG, path, expect=0, now=now, progress=lambda *_: None)
    took = time.perf_counter() - started
    print(f"database of {path.stat().st_size / 1e6:.0f} MB, pushed in {took:.1f} s")


def _bench(cloud: LocalCloud, as_of: dt.date, size: int) -> None:
    """Run a day, and print its tables; size: of the database, in bytes, about."""
    there = current(cloud.store, ORG)
    assert there is not None
    cloud.storage.log.clear()
    started = time.perf_counter()
    asked_at = dt.datetime.combine(as_of, dt.time(9), dt.UTC)
    request = RunRequest(org_id=ORG, as_of=as_of, requested_at=asked_at)
    cloud.bus.publish(cloud.topics.run_requests, [to_json(request)])
    run = daily_run_id(as_of)
    result = cloud.wait_for_result(ORG, run, PATIENCE)
    print(
        f"\nrun {run} {result.state} in {time.perf_counter() - started:.1f} s: {result.planned} "
        f"planned, {result.skipped} skipped {result.reason or ''}"
    )
    while len(_done(cloud, "merge", run)) < len(
        _done(cloud, "shard", run)
    ):  # the other deliveries wait for its end
        time.sleep(0.1)
    _print_shards(cloud, run, size)
    _print_traffic(cloud, there[0].path)
    _print_seconds(cloud, run, result)


def _print_shards(cloud: LocalCloud, run: str, size: int) -> None:
    lines = [line for line in cloud.log_lines("shard") if line.get("run_id") == run]
    took = {line["shard"]: line["seconds"] for line in _done(cloud, "shard", run)}
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


def _print_seconds(cloud: LocalCloud, run: str, result: RunResult) -> None:
    print("\nfunction        total seconds of successful deliveries")
    for name in cloud.pids:
        print(f"{name:<15}" + _numbers(sum(line["seconds"] for line in _done(cloud, name, run))))
    print("\nthe merge, seconds by step")
    for step, took in result.seconds.items():
        print(f"{step:<15}" + _numbers(took))


def _print_peaks(cloud: LocalCloud) -> None:
    print("\nfunction         peak MB")
    for name, pid in cloud.pids.items():
        print(f"{name:<15}" + _numbers(_peak_mb(pid)))


def _done(cloud: LocalCloud, function: str, run: str) -> list[dict[str, Any]]:
    lines = cloud.log_lines(function)
    return [line for line in lines if line.get("outcome") == "done" and line.get("run_id") == run]


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
