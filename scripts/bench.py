"""Time and memory of a first run and of the next day's, by number of contacts.

    python scripts/bench.py [CONTACTS ...]        (default: 25000 500000)

Each run has its own process. Between the two runs a sender marks the due messages as sent, so that
the next day has follow-ups and new ideal dates, as in the field. Machines differ and are shared:
trust the ratios, which are between runs of one call.
"""

from __future__ import annotations

import datetime as dt
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import apsw

from almanac.config import Config
from almanac.generation import generate
from almanac.runs.local import RunOptions, run_file

DAY = dt.date(2026, 11, 21)
SEED = 1


def main(sizes: list[int]) -> None:
    """Print one row for each run, and the cost per contact relative to the smallest agency."""
    print("contacts   run        s   us/contact  ratio  merge MB  shard MB  file MB  by step")
    base: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="almanac-bench-") as folder:
        for contacts in sizes:
            path = Path(folder) / f"{contacts}.sqlite3"
            generate(path, contacts, SEED, DAY)
            for run, day in (("first", DAY), ("next day", DAY + dt.timedelta(days=1))):
                if run == "next day":
                    _send(path, DAY)
                found = _in_new_process(path, day)
                cost = found["seconds"] / contacts * 1e6
                ratio = cost / base.setdefault(run, cost)
                steps = ", ".join(f"{k} {v:.1f}" for k, v in found["steps"].items() if v >= 0.05)
                print(
                    f"{contacts:<9}  {run:<8} {found['seconds']:5.1f}  {cost:10.1f} {ratio:6.2f}"
                    f"  {found['merge_mb']:8.0f}  {found['shard_mb']:8.0f}"
                    f"  {path.stat().st_size / 1e6:7.0f}  {steps}",
                    flush=True,
                )
            path.unlink()


def _send(path: Path, day: dt.date) -> None:
    """Mark the messages of a day as sent, as a sender does."""
    connection = apsw.Connection(str(path))
    connection.execute(
        "UPDATE email_schedules SET status = 'sent', actual_send_datetime = ? || ' 13:30:00' "
        "WHERE status = 'pre-scheduled' AND scheduled_send_date = ?",
        (day.isoformat(), day.isoformat()),
    )
    connection.close()


def _in_new_process(path: Path, day: dt.date) -> dict[str, Any]:
    command = [sys.executable, __file__, "--measure", str(path), day.isoformat()]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _measure(path: Path, day: dt.date) -> None:
    started = time.perf_counter()
    summary = run_file(path, Config(), RunOptions(as_of=day))
    seconds = time.perf_counter() - started
    peak = {
        name: resource.getrusage(who).ru_maxrss / 1024
        for name, who in (
            ("merge_mb", resource.RUSAGE_SELF),
            ("shard_mb", resource.RUSAGE_CHILDREN),
        )
    }
    print(json.dumps({"seconds": seconds, "steps": summary.seconds, **peak}))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        _measure(Path(sys.argv[2]), dt.date.fromisoformat(sys.argv[3]))
    else:
        main([int(size) for size in sys.argv[1:]] or [25_000, 500_000])
