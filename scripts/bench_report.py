"""Time, memory and size of the report page of planned databases.

    python scripts/bench_report.py DATABASE ... [--times N]        (default: each three times)

The databases are only read. Each measurement has its own process; the quickest is printed, since
machines are shared and the first one may wait for the disk.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any


def main(databases: list[Path], times: int) -> None:
    """Print one row for each database."""
    print("contacts     file MB  numbers s  cpu s  page s  page MB  all files MB  MB  worker MB")
    for path in databases:
        found = min((_in_new_process(path) for _ in range(times)), key=lambda each: each["numbers"])
        print(
            f"{found['contacts']:>10}  {path.stat().st_size / 1e6:8.0f}  {found['numbers']:9.1f}"
            f"  {found['cpu']:5.1f}  {found['page']:6.2f}  {found['page_mb']:7.2f}"
            f"  {found['files_mb']:12.2f}  {found['mb']:2.0f}  {found['worker_mb']:9.0f}",
            flush=True,
        )


def _in_new_process(path: Path) -> dict[str, Any]:
    command = [sys.executable, __file__, "--measure", str(path)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _measure(path: Path) -> None:
    # imported here, as in the command: workers import this file and all that it imports
    from almanac.report.page import report_files
    from almanac.statistics.file_report import overview

    started = time.perf_counter()
    data = overview(path)
    read = time.perf_counter()
    files = report_files(data, "report.html", "report-tables")
    made = time.perf_counter()
    usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    print(
        json.dumps(
            {
                "contacts": dict(data.facts)["Contacts in the database"],
                "numbers": read - started,
                "cpu": sum(each.ru_utime + each.ru_stime for each in usage),
                "page": made - read,
                "page_mb": len(files["report.html"]) / 1e6,
                "files_mb": sum(map(len, files.values())) / 1e6,
                "mb": usage[0].ru_maxrss / 1024,
                "worker_mb": usage[1].ru_maxrss / 1024,
            }
        )
    )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        _measure(Path(sys.argv[2]))
    else:
        parser = argparse.ArgumentParser(description=__doc__)
        parser.add_argument("databases", nargs="+", type=Path)
        parser.add_argument("--times", type=int, default=3)
        given = parser.parse_args()
        main(given.databases, given.times)
