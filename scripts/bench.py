"""Time and memory of a first run and of the next day's, and what SQLite alone takes, by contacts.

    python -m scripts.bench [CONTACTS ...] [--rounds N] [--targets N] [--issues PERCENT] [--cache]

Each run has its own process. Between the two runs a sender marks the due messages as sent, so that
the next day has follow-ups and new ideal dates, as in the field. After the first run SQLite reads
the contacts and copies the rows, without us (`scripts.bench_sqlite`): both runs are divided by it.
With --cache both runs once more, with planned rows kept for the next one, and between them the same
messages marked by `almanac mark`, with --cache and, in a copy of the file, without.

Machines differ and are shared: trust the ratios, which are between measurements of one call. A row
is the median of its rounds; without --rounds agencies of up to REPEATED contacts have ROUNDS.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import multiprocessing
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apsw

from scripts.bench_ratios import (
    children_seconds,
    floor,
    group_seconds,
    median_ratio,
    parser_for,
    record,
)

ROOT = Path(__file__).parent.parent
DAY = dt.date(2026, 11, 21)
SEED = 1
ROUNDS, REPEATED = 3, 100_000
RUNS = (("first", DAY), ("next day", DAY + dt.timedelta(days=1)))
ALMANAC = ["-c", "from almanac.commands.main import main; main()"]
# what a contact has an issue for: column, and the generator's change of its text
ODD = (
    ("birth_date", "no such day"),
    ("effective_date", "zeros"),
    ("email", "no at"),
    ("state", "no state"),
    ("zip_code", "elsewhere"),
)
HEAD = (
    "contacts   run                     s  us/contact  ratio  x SQLite    cpu s  x SQLite  x floor"
    "  merge MB  worker MB  file MB  by step"
)

Found = dict[str, Any]


@dataclass(frozen=True)
class Agency:
    """What is generated; None leaves it to the generator."""

    contacts: int
    targets: int | None
    issues: float | None  # percent of the contacts

    def shape(self) -> dict[str, object]:
        """Return what differs from the generator's own shape, as `generate --like` reads it."""
        shape: dict[str, object] = {"format": "almanac-shape-1", "contacts": self.contacts}
        if self.targets is not None:
            share = self.targets / self.contacts
            shape |= {"targets": min(1.0, share), "second_targets": max(0.0, share - 1)}
        if self.issues is not None:
            each = self.issues / 100 / len(ODD)
            shape["oddities"] = [[(column, change, each) for column, change in ODD]]
        return shape

    def __str__(self) -> str:
        targets = f", {self.targets:,} targets" if self.targets is not None else ""
        issues = f", {self.issues:g}% with issues" if self.issues is not None else ""
        return f"{self.contacts:,} contacts{targets}{issues}"


def main(options: argparse.Namespace) -> None:
    """Print a row for each run, and one for SQLite, with the cost relative to the first agency."""
    print(HEAD)
    agencies = [Agency(n, options.targets, options.issues) for n in options.numbers or [25_000]]
    costs: dict[str, float] = {}
    slopes: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="almanac-bench-") as folder:
        for agency in agencies:
            rounds = options.rounds or (ROUNDS if agency.contacts <= REPEATED else 1)
            found, megabytes = _measured(Path(folder), agency, rounds, options.cache)
            for run in found:
                row = _row(run, agency.contacts, found, costs)
                print(f"{row}  {megabytes:7.0f}  {_steps(_middle(found[run]))}", flush=True)
            for run, _ in RUNS:
                floors = _floors(found[run])
                slope = floors / agency.contacts
                first = slopes.setdefault(run, slope)
                record(options.ratios, {f"run: {run} of {agency}": floors})
                if agency is not agencies[0]:
                    name = f"a contact: {run} of {agency} against {agencies[0].contacts:,}"
                    record(options.ratios, {name: slope / first})


def _row(run: str, contacts: int, found: dict[str, list[Found]], costs: dict[str, float]) -> str:
    rounds, middle = found[run], _middle(found[run])
    cost = middle["seconds"] / contacts * 1e6
    by_sqlite = [
        median_ratio([each[key] for each in rounds], [each[key] for each in found["SQLite"]])
        for key in ("seconds", "work")
    ]
    peaks = [f"{middle[key]:.0f}" if middle.get(key) else "-" for key in ("merge_mb", "worker_mb")]
    floors = f"{_floors(rounds):.2f}" if run in dict(RUNS) else "-"
    return (
        f"{contacts:<9}  {run:<17} {middle['seconds']:7.2f} {cost:11.1f}"
        f" {cost / costs.setdefault(run, cost):6.2f} {by_sqlite[0]:9.2f} {middle['work']:8.2f}"
        f" {by_sqlite[1]:9.2f} {floors:>8} {peaks[0]:>9} {peaks[1]:>10}"
    )


def _middle(rounds: Sequence[Found]) -> Found:
    """Return the round of the median time."""
    return sorted(rounds, key=lambda each: float(each["seconds"]))[(len(rounds) - 1) // 2]


def _floors(rounds: Sequence[Found]) -> float:
    return median_ratio([each["cpu"] for each in rounds], [each["floor"] for each in rounds])


def _steps(found: Found) -> str:
    steps = {step: took for step, took in found["steps"].items() if step != "total"}
    return ", ".join(f"{step} {took:.1f}" for step, took in steps.items() if took >= 0.05)


def _measured(
    folder: Path, agency: Agency, rounds: int, cached: bool
) -> tuple[dict[str, list[Found]], float]:
    """Return by run what was found in each round, with SQLite and floor; and the file's MB."""
    generated, path = folder / "agency.sqlite3", folder / "planned.sqlite3"
    shape = folder / "shape.json"
    shape.write_text(json.dumps(agency.shape()), "utf-8")
    like = ["--like", str(shape), "--seed", str(SEED), "--as-of", DAY.isoformat()]
    _python([*ALMANAC, "generate", str(generated), *like])
    found: dict[str, list[Found]] = {run: [] for run in ("SQLite", *dict(RUNS))}
    megabytes = 0.0
    for _ in range(rounds):
        shutil.copyfile(generated, path)
        for run, day in RUNS:
            if run == "next day":
                found["SQLite"].append(_found(["-m", "scripts.bench_sqlite", str(path)]))
                _send(path, DAY)
            measure = ["-m", "scripts.bench", "--measure", str(path), day.isoformat()]
            found[run].append(_found(measure) | {"floor": floor()})
        megabytes = path.stat().st_size / 1e6
        path.unlink()
        for run, what in _cached(folder, generated).items() if cached else ():
            found.setdefault(run, []).append(what)
    generated.unlink()
    return found, megabytes


def _cached(folder: Path, generated: Path) -> dict[str, Found]:
    """Return what was found of the runs and marks of an agency with --cache, by what it is."""
    path, other, marks = (folder / name for name in ("kept.sqlite3", "other.sqlite3", "marks.csv"))
    cache = folder / "kept"
    cache.mkdir(exist_ok=True)
    shutil.copyfile(generated, path)
    found: dict[str, Found] = {}
    for run, day in RUNS:
        if run == "next day":
            _write_marks(path, DAY, marks)
            shutil.copyfile(path, other)
            found["mark"] = _called("mark", str(other), str(marks))
            found["mark, --cache"] = _called("mark", str(path), str(marks), "--cache", str(cache))
            other.unlink()
        measure = ["-m", "scripts.bench", "--measure", str(path), day.isoformat(), str(cache)]
        found[f"{run}, --cache"] = _found(measure)
    (kept,) = cache.iterdir()
    print(f"kept: {kept.stat().st_size / 1e6:.1f} MB")
    kept.unlink()
    path.unlink()
    return found


def _send(path: Path, day: dt.date) -> None:
    """Mark the messages of a day as sent, as a sender does."""
    connection = apsw.Connection(str(path))
    connection.execute(
        "UPDATE email_schedules SET status = 'sent', actual_send_datetime = ? || ' 13:30:00' "
        "WHERE status = 'pre-scheduled' AND scheduled_send_date = ?",
        (day.isoformat(), day.isoformat()),
    )
    connection.close()


def _write_marks(path: Path, day: dt.date, out: Path) -> None:
    """Write the same as marks."""
    connection = apsw.Connection(str(path))
    sql = (
        "SELECT id FROM email_schedules WHERE status = 'pre-scheduled' AND scheduled_send_date = ?"
    )
    lines = [f"{row},sent,{day}T13:30:00Z" for (row,) in connection.execute(sql, (str(day),))]
    connection.close()
    out.write_text("\n".join(["id,status,at", *lines, ""]), "utf-8")


def _called(*words: str) -> Found:
    """Return the seconds of a command, and as `work` those of the processor."""
    started = time.perf_counter()
    work = children_seconds(lambda: _python([*ALMANAC, *words]))
    return {"seconds": time.perf_counter() - started, "work": work, "steps": {}}


def _python(words: Sequence[str]) -> str:
    """Return the output of a Python process; this one stays small, as their peak includes it."""
    command = [sys.executable, *words]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=ROOT).stdout


def _found(words: Sequence[str]) -> Found:
    """Return what a process prints, and its processor seconds as `cpu` unless it says them."""
    found: Found = {}
    cpu = children_seconds(lambda: found.update(json.loads(_python(words))))
    return {"cpu": cpu} | found


def _measure(path: Path, day: dt.date, cache: Path | None) -> None:
    """Run as `almanac run` does, and print seconds, processor seconds and peaks of memory.

    cpu: processor seconds since the process began, those of its workers included, for which it does
    not wait itself. work: of them, those since the run began, which is after the imports.
    """
    os.setpgrp()  # the process with its workers
    from almanac.runs.early_workers import start_workers_for

    start_workers_for(path)
    from almanac.config import Config
    from almanac.organizations.cache_folder import CacheFolder
    from almanac.runs.local import run_file
    from almanac.runs.run_options import RunOptions

    peaks = [0]
    imports, started = group_seconds(os.getpgrp()), time.perf_counter()
    kept = CacheFolder(path, cache) if cache is not None else None
    options = RunOptions(as_of=day, cache=kept)
    summary = run_file(path, Config(), options, lambda *_: peaks.append(_worker_peak()))
    seconds, cpu = time.perf_counter() - started, group_seconds(os.getpgrp())
    found = {
        "seconds": seconds,
        "cpu": cpu,
        "work": cpu - imports,
        "steps": summary.seconds,
        "merge_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "worker_mb": max(peaks) / 1024,
    }
    print(json.dumps(found))


def _worker_peak() -> int:
    """Return the peak memory in KiB of the largest worker process that there is; 0 without."""
    peak = 0
    for worker in multiprocessing.active_children():
        with suppress(OSError):  # it has ended meanwhile
            lines = Path(f"/proc/{worker.pid}/status").read_text("utf-8").splitlines()
            peak = max([peak, *(int(line.split()[1]) for line in lines if "VmHWM" in line)])
    return peak


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        file, day, *cache = sys.argv[2:]
        _measure(Path(file), dt.date.fromisoformat(day), Path(cache[0]) if cache else None)
    else:
        parser = parser_for("CONTACTS", __doc__)
        parser.add_argument("--rounds", metavar="N", type=int, help="measure so many times")
        parser.add_argument("--targets", metavar="N", type=int, help="campaign targets")
        parser.add_argument(
            "--issues", metavar="PERCENT", type=float, help="contacts with an issue, in percent"
        )
        parser.add_argument("--cache", action="store_true", help="also with planned rows kept")
        asked = parser.parse_args()
        if asked.targets is not None and asked.targets > 2 * min(asked.numbers or [25_000]):
            parser.error("--targets: a contact is a target of two campaigns at most")
        main(asked)
