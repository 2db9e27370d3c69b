"""What events that wait cost a run of an organization in a store.

    python scripts/bench_absorb.py [CONTACTS [MARKS]]        (default: 1000000 100000)

Three runs, each in a process of its own, read ranges of a version from a folder, one shard after
the other: one without marks; one of a version that has the marks, of the messages that are due
first; and one that finds them in the inbox, 1,000 in each event. The last two plan the same, so
what they differ by is what it costs to absorb. Trust the ratio of processor seconds.
"""

from __future__ import annotations

import datetime as dt
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from unittest.mock import patch

import apsw

from almanac.config import Config
from almanac.database.opening import open_database, transaction
from almanac.generation import generate
from almanac.intake import inbox
from almanac.intake.absorb import absorb
from almanac.intake.inbox import Received
from almanac.organizations.transfer import push
from almanac.progress import silent
from almanac.runs.absorb import absorb_waiting
from almanac.runs.in_store import run_in_store
from almanac.runs.local import run_file
from almanac.runs.run_options import RunOptions
from almanac.storage import layout
from almanac.storage.folder import FolderStore

ORG, SEED = "206", 1
DAY = dt.date(2026, 11, 21)
NOW = dt.datetime(2026, 11, 22, 9, tzinfo=dt.UTC)


def main(contacts: int, marks: int) -> None:
    """Print one row for each run."""
    with tempfile.TemporaryDirectory(prefix="almanac-bench-") as folder:
        stores = {name: Path(folder) / name for name in ("none", "applied", "waiting")}
        path = Path(folder) / "agency.sqlite3"
        generate(path, contacts, SEED, DAY)
        run_file(path, Config(), RunOptions(as_of=DAY))
        events = _events(_due(path, marks))
        push(FolderStore(stores["none"]), ORG, path, expect=0, now=NOW, progress=silent)
        shutil.copytree(stores["none"], stores["waiting"])
        inbox.put(FolderStore(stores["waiting"]), ORG, events)
        _apply(path, events)
        push(FolderStore(stores["applied"]), ORG, path, expect=0, now=NOW, progress=silent)
        path.unlink()
        print("marks    run, s  cpu, s  absorb, s  cpu, s   pages   MB  peak MB")
        for marked, store in stores.items():
            command = [sys.executable, __file__, "--measure", str(store)]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
            found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
            print(
                f"{marked:<8} {found['seconds']:6.1f} {found['cpu']:7.1f}  {found['absorb']:9.1f}"
                f" {found['absorb_cpu']:7.1f}  {found['pages']:6} {found['bytes'] / 1e6:4.0f}"
                f"  {found['peak']:7.0f}",
                flush=True,
            )
            shutil.rmtree(store)


def _due(path: Path, marks: int) -> list[int]:
    connection = apsw.Connection(str(path))
    sql = (
        "SELECT id FROM email_schedules WHERE status = 'pre-scheduled' "
        "ORDER BY scheduled_send_date, id LIMIT ?"
    )
    found = [row[0] for row in connection.execute(sql, (marks,))]
    connection.close()
    return found


def _events(rows: list[int]) -> list[Received]:
    found = []
    for number, at in enumerate(range(0, len(rows), 1000)):
        entries = [
            {"id": row, "status": "sent", "at": "2026-11-21T14:30:00Z"}
            for row in rows[at : at + 1000]
        ]
        event = {"event_id": f"marks-{number}", "org_id": ORG, "entries": entries}
        found.append(Received(kind="deliveries", event=event, received=NOW, source="http"))
    return found


def _apply(path: Path, events: list[Received]) -> None:
    connection = open_database(path, writable=True)
    with transaction(connection, path):
        absorb(connection, events, Config(), NOW, "bench")
    connection.close()


def _measure(folder: Path) -> None:
    store, spent = FolderStore(folder), [0.0, 0.0]

    def timed(*arguments: Any) -> Any:
        began, used = time.perf_counter(), time.process_time()
        found = absorb_waiting(*arguments)
        spent[:] = time.perf_counter() - began, time.process_time() - used
        return found

    began, used = time.perf_counter(), time.process_time()
    with patch("almanac.runs.start.absorb_waiting", timed):
        run_in_store(store, ORG, NOW.date(), NOW, silent)
    seconds, cpu = time.perf_counter() - began, time.process_time() - used
    pages = [each for each in store.list(layout.runs(ORG)) if each.name.endswith(".pages")]
    size = sum(each.size for each in pages)
    result = {
        "seconds": seconds,
        "cpu": cpu,
        "absorb": spent[0],
        "absorb_cpu": spent[1],
        "pages": size // 4096,
        "bytes": size,
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    print(json.dumps(result))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        _measure(Path(sys.argv[2]))
    else:
        given = [int(each) for each in sys.argv[1:3]]
        main(*given, *(1_000_000, 100_000)[len(given) :])
