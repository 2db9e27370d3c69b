"""Time and memory of a first run and of the next day's, by number of contacts.

    python -m scripts.bench [CONTACTS ...] [--ratios FILE]        (default: 25000)

Each run has its own process. Between the two runs a sender marks the due messages as sent, so that
the next day has follow-ups and new ideal dates, as in the field. Machines differ and are shared:
trust the ratios, which are between runs of one call. Agencies of up to REPEATED contacts are
planned TIMES times: a row is the median of these.
"""

from __future__ import annotations

import datetime as dt
import json
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import apsw

from almanac.config import Config
from almanac.generation import generate
from almanac.runs.local import run_file
from almanac.runs.run_options import RunOptions
from scripts.bench_ratios import arguments, children_seconds, floor, median_ratio, record

DAY = dt.date(2026, 11, 21)
SEED = 1
TIMES, REPEATED = 3, 100_000
RUNS = (("first", DAY), ("next day", DAY + dt.timedelta(days=1)))


def main(sizes: list[int], ratios: Path | None) -> None:
    """Print one row for each run, and the cost per contact relative to the smallest agency."""
    print(
        "contacts   run        s   us/contact  ratio    cpu s  x floor  merge MB  shard MB"
        "  file MB  by step"
    )
    base: dict[str, float] = {}
    cpu_base: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="almanac-bench-") as folder:
        for contacts in sizes:
            found, megabytes = _measured(Path(folder), contacts)
            for run, rounds in found.items():
                middle = statistics.median_low([each["seconds"] for each in rounds])
                shown = next(each for each in rounds if each["seconds"] == middle)
                cost = middle / contacts * 1e6
                ratio = cost / base.setdefault(run, cost)
                floors = median_ratio([r["cpu"] for r in rounds], [r["floor"] for r in rounds])
                slope = floors / contacts
                scaling = slope / cpu_base.setdefault(run, slope)
                name = f"{run} of {contacts:,} contacts"
                record(ratios, {f"run: {name}": floors})
                if contacts != sizes[0]:
                    record(ratios, {f"a contact: {name} against {sizes[0]:,}": scaling})
                steps = ", ".join(f"{k} {v:.1f}" for k, v in shown["steps"].items() if v >= 0.05)
                print(
                    f"{contacts:<9}  {run:<8} {middle:5.1f}  {cost:10.1f} {ratio:6.2f}"
                    f"  {shown['cpu']:7.1f}  {floors:7.2f}  {shown['merge_mb']:8.0f}"
                    f"  {shown['shard_mb']:8.0f}  {megabytes:7.0f}  {steps}",
                    flush=True,
                )


def _measured(folder: Path, contacts: int) -> tuple[dict[str, list[dict[str, Any]]], float]:
    """Return by run what was found each time, with the floor beside it; and the file's MB."""
    agency, path = folder / "agency.sqlite3", folder / "planned.sqlite3"
    generate(agency, contacts, SEED, DAY)
    found: dict[str, list[dict[str, Any]]] = {run: [] for run, _ in RUNS}
    megabytes = 0.0
    for _ in range(TIMES if contacts <= REPEATED else 1):
        shutil.copyfile(agency, path)
        for run, day in RUNS:
            if run == "next day":
                _send(path, DAY)
            found[run].append(_in_new_process(path, day) | {"floor": floor()})
        megabytes = path.stat().st_size / 1e6
        path.unlink()
    agency.unlink()
    return found, megabytes


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
    command = [sys.executable, "-m", "scripts.bench", "--measure", str(path), day.isoformat()]
    root = Path(__file__).parent.parent
    found: dict[str, Any] = {}

    def measure() -> None:
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=root)
        found.update(json.loads(done.stdout))

    return {"cpu": children_seconds(measure)} | found


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
        chosen, ratios_file = arguments("CONTACTS", __doc__)
        main(chosen or [25_000], ratios_file)
