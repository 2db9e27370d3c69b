"""Time and memory of `almanac campaign import`, by id and by address.

    python scripts/bench_import.py [CONTACTS] [TARGETS]

Each has its own process, on a generated agency without a run. For Linux.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import apsw

DAY = "2026-11-21"
SHUFFLED = "SELECT id, email FROM contacts ORDER BY id * 2654435761 % 1000003 LIMIT ?"
PROGRAM = [sys.executable, "-c", "from almanac.commands.main import main; main()"]


def main() -> None:
    """Print one row for each command."""
    parser = argparse.ArgumentParser()
    parser.add_argument("contacts", type=int, nargs="?", default=500_000)
    parser.add_argument("targets", type=int, nargs="?", default=500_000)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="almanac-bench-") as name:
        path = Path(name) / "agency.sqlite3"
        # this process stays small, since the peak of a child begins with that of its parent
        generate = ["generate", str(path), "--contacts", str(asked.contacts), "--as-of", DAY]
        subprocess.run([*PROGRAM, *generate], check=True, stdout=subprocess.DEVNULL)
        print("import                        s  CPU s  peak MB  added")
        for instance, column, place in ((1, "contact_id", 0), (2, "email", 1), (2, "email", 1)):
            file = path.with_name(f"{column}.csv")
            _write(file, path, column, place, asked.targets)
            _measure(column, path, instance, file)


def _write(file: Path, agency: Path, column: str, place: int, targets: int) -> None:
    """Write targets in no order: every contact repeatedly, each time in another month."""
    connection = apsw.Connection(str(agency))
    left, month = targets, 0
    with file.open("w", encoding="utf-8") as out:
        out.write(f"{column},trigger_date\n")
        while left:
            month = month % 12 + 1
            for row in connection.execute(SHUFFLED, (left,)):
                out.write(f"{row[place]},2027-{month:02}-11\n")
                left -= 1
    connection.close()


def _measure(column: str, path: Path, instance: int, file: Path) -> None:
    words = ["campaign", "import", str(path), str(instance), str(file), "--json"]
    begun = time.perf_counter()
    process = subprocess.Popen([*PROGRAM, *words], stdout=subprocess.PIPE)
    assert process.stdout is not None
    result = json.loads(process.stdout.read())
    _, _, usage = os.wait4(process.pid, 0)
    seconds, peak = time.perf_counter() - begun, usage.ru_maxrss / 1024
    cpu = usage.ru_utime + usage.ru_stime
    print(f"{column:25} {seconds:5.1f} {cpu:6.1f} {peak:8.0f}  {result['added']:,}", flush=True)


if __name__ == "__main__":
    main()
