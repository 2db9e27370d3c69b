"""What a shard fetches of a database in a store, by ranges, and the memory of its process.

    python scripts/bench_ranged.py CONTACTS SHARDS [EVERY] [--database FILE]

Makes an agency and plans it on three consecutive days, so that the file grows as in the field (or
takes a planned FILE as it is), and plans every EVERYth shard of the fourth day: each in its own
process, cold, and then again with the next shard in the same process, warm. A local folder answers
without latency: count requests and bytes, and take the seconds as computing time only. For Linux.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import apsw
import numpy as np

from almanac.config import Config
from almanac.config_contacts import ContactColumns
from almanac.contact_ranges import ContactRange
from almanac.database.range_tables import ISSUES
from almanac.database.reading import Snapshot
from almanac.generation import generate
from almanac.organizations.brief import run_context_of
from almanac.organizations.snapshots import RangedSnapshots, SnapshotRef
from almanac.planning.brief import RunContext
from almanac.planning.kinds import KindTable
from almanac.planning.plan import plan_shard
from almanac.runs.local import run_file
from almanac.runs.run_options import RunOptions
from almanac.runs.shard import read_range
from almanac.storage.folder import FolderStore

FIRST_DAY = dt.date(2026, 11, 21)
DAYS = 3
NAME = "database.sqlite3"


def main() -> None:
    """Print one row for each shard."""
    parser = argparse.ArgumentParser()
    parser.add_argument("contacts", type=int)
    parser.add_argument("shards", type=int)
    parser.add_argument("every", type=int, nargs="?", default=1)
    parser.add_argument("--database", type=Path)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="almanac-bench-") as name:
        folder = Path(name)
        path = asked.database or _grown(folder / "agency.sqlite3", asked.contacts)
        print("shard     contacts  run   requests      MB  % of file      s  peak MB")
        _bench(folder, path, asked.shards, asked.every)


def _grown(path: Path, contacts: int) -> Path:
    """Make a database as after some days: planned each morning, with the due messages sent."""
    generate(path, contacts, 1, FIRST_DAY)
    for day in (FIRST_DAY + dt.timedelta(days=n) for n in range(DAYS)):
        run_file(path, Config(), RunOptions(as_of=day))
        connection = apsw.Connection(str(path))
        connection.execute(
            "UPDATE email_schedules SET status = 'sent', actual_send_datetime = ?1 || ' 13:30:00' "
            "WHERE status = 'pre-scheduled' AND scheduled_send_date = ?1",
            (day.isoformat(),),
        )
        connection.close()
    return path


def _bench(folder: Path, path: Path, shards: int, every: int) -> None:
    as_of = FIRST_DAY + dt.timedelta(days=DAYS)
    with Snapshot(path) as snapshot:
        context = run_context_of(snapshot, Config(), as_of, as_of)
        parts = np.array_split(snapshot.contact_ids(ContactColumns()), shards)
        bounds = [(int(ids[0]), int(ids[-1])) for ids in parts]
    FolderStore(folder / "store", durable=False).put_file(NAME, path)
    (folder / "brief.json").write_text(context.model_dump_json())
    for number in range(0, shards, every):
        chosen = [bounds[number], bounds[(number + 1) % shards]]
        for run, found in zip(("cold", "warm"), _in_new_process(folder, chosen), strict=True):
            print(
                f"{number:>5}  {found['contacts']:>11}  {run}  {found['requests']:>9}"
                f"  {found['bytes'] / 1e6:6.1f}  {found['bytes'] / path.stat().st_size:9.2%}"
                f"  {found['seconds']:5.2f}  {found['peak_mb']:7.0f}",
                flush=True,
            )


def _in_new_process(folder: Path, ranges: list[tuple[int, int]]) -> list[dict[str, Any]]:
    command = [sys.executable, __file__, "--measure", str(folder), json.dumps(ranges)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def _measure(folder: Path, ranges: list[ContactRange]) -> None:
    """Measure the planning of each of the ranges, one after the other."""
    store = FolderStore(folder / "store", durable=False)
    info = store.stat(NAME)
    assert info is not None
    ref = SnapshotRef(
        name=NAME,
        generation=info.generation,
        size=info.size,
        crc32c=info.crc32c,
        version=1,
        pointer=1,
    )
    context = RunContext.model_validate_json((folder / "brief.json").read_text())
    snapshots = RangedSnapshots(store)
    found = []
    for contacts in ranges:
        started = time.perf_counter()
        with snapshots.open(ref) as snapshot:
            data = read_range(snapshot, context, None, contacts)
            snapshot.read(ISSUES, contacts)
            plan_shard(data, context, KindTable(context))
            found.append(
                {
                    "contacts": data.contacts.num_rows,
                    "requests": snapshot.traffic.requests,
                    "bytes": snapshot.traffic.bytes,
                    "seconds": time.perf_counter() - started,
                    "peak_mb": _peak_mb(),
                }
            )
    print(json.dumps(found))


def _peak_mb() -> float:
    """Return the peak of this process alone; getrusage includes the parent's at the start."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        _measure(Path(sys.argv[2]), json.loads(sys.argv[3]))
    else:
        main()
