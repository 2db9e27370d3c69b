"""What a merge moves: a database is checked and published, then fetched, on the emulated store.

    python scripts/bench_transfers.py DATABASE [--as-of DATE]

The emulator is a process of its own, answers without latency and takes processor time too.
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from almanac.config import Config
from almanac.database.census import take_census
from almanac.database.opening import open_database, quick_check
from almanac.storage.opening import open_store
from almanac.storage.publish import NewVersion, publish

T = TypeVar("T")


def main() -> None:
    """Print elapsed and processor seconds of each, and the peak of memory after it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("database", type=Path)
    parser.add_argument("--as-of", type=dt.date.fromisoformat, default=dt.date(2026, 11, 22))
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="almanac-bench-") as name:
        folder = Path(name)
        emulator = "almanac_emulation.cloud_storage.emulator"
        arguments = ["--port", "0", "--bucket", "bench", "--folder", str(folder / "objects")]
        with subprocess.Popen(
            [sys.executable, "-m", emulator, *arguments], stdout=subprocess.PIPE, text=True
        ) as server:
            assert server.stdout is not None
            os.environ["STORAGE_EMULATOR_HOST"] = server.stdout.readline().strip()
            try:
                _bench(asked.database, asked.as_of, folder / "fetched.sqlite3")
            finally:
                server.terminate()


def _bench(database: Path, as_of: dt.date, to: Path) -> None:
    store = open_store("gs://bench")

    def check() -> Mapping[str, Any]:
        quick_check(database)
        connection = open_database(database, writable=False)
        take_census(connection, as_of, Config().contacts)
        connection.close()
        return {}

    now = dt.datetime.now(dt.UTC)
    new = NewVersion(run_id="run", parent=None, as_of=as_of, now=now)
    checked = NewVersion(run_id="checked", parent=None, as_of=as_of, now=now, check=check)
    print(f"{database.stat().st_size / 1e6:.0f} MB            s    s of CPU   peak MB")
    _timed("check", check)
    there = _timed("publish", lambda: publish(store, "1", database, new))
    _timed("both at once", lambda: publish(store, "2", database, checked))
    _timed("fetch", lambda: store.fetch_file(there.path, to))


def _timed(what: str, act: Callable[[], T]) -> T:
    elapsed, cpu = time.perf_counter(), time.process_time()
    result = act()
    elapsed, cpu = time.perf_counter() - elapsed, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{what:<14}{elapsed:10.1f}{cpu:12.1f}{peak:10.0f}", flush=True)
    return result


if __name__ == "__main__":
    main()
