"""What `make bench` remembers: ratios of processor time, compared with those that are committed.

    python -m scripts.bench_ratios FOUND [--write-baseline]

A ratio is the processor time of something divided by that of a fixed piece of work (`floor`) in the
same call, so that it says the same on a fast, a slow and a busy machine. FOUND is the JSON file
that the benchmarks have written with `record`; the baseline is scripts/bench_baseline.json.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sqlite3
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

BASELINE = Path(__file__).with_name("bench_baseline.json")
TOLERANCE = 0.25  # more than this much worse fails
FLOOR = [sys.executable, "-m", "scripts.bench_ratios", "--floor"]
_ROOT = Path(__file__).parent.parent

Ratios = dict[str, float]


@dataclass(frozen=True)
class Change:
    """A ratio that differs from the baseline by more than TOLERANCE."""

    name: str
    was: float
    now: float

    def __str__(self) -> str:
        return (
            f"{self.name}: was {self.was:.2f}, is {self.now:.2f} ({self.now / self.was - 1:+.0%})"
        )


@dataclass(frozen=True)
class Comparison:
    """Found ratios beside the baseline; `unknown` have none there."""

    compared: int
    worse: tuple[Change, ...]
    better: tuple[Change, ...]
    unknown: tuple[str, ...]


def compare(baseline: Mapping[str, float], found: Mapping[str, float]) -> Comparison:
    """Compare the ratios that both have: what is only in the baseline was not measured."""
    changes = [Change(name, baseline[name], now) for name, now in found.items() if name in baseline]
    return Comparison(
        compared=len(changes),
        worse=tuple(c for c in changes if c.now > c.was * (1 + TOLERANCE)),
        better=tuple(c for c in changes if c.now * (1 + TOLERANCE) < c.was),
        unknown=tuple(name for name in found if name not in baseline),
    )


def report(comparison: Comparison) -> tuple[list[str], int]:
    """Return the lines to print, and the exit code: 1 if anything is worse."""
    lines = [f"Worse than the baseline: {change}" for change in comparison.worse]
    lines += [f"Better than the baseline: {change}" for change in comparison.better]
    if comparison.unknown:
        lines.append(f"No baseline for: {', '.join(comparison.unknown)}")
    if not comparison.worse:
        lines.append(f"{comparison.compared} ratios are at most {TOLERANCE:.0%} worse than before")
    if comparison.worse or comparison.better:
        lines.append("To take what was found as the baseline: make bench BASELINE=write")
    return lines, int(bool(comparison.worse))


def read(path: Path) -> Ratios:
    """Return the ratios in a file; none if it does not exist."""
    if not path.exists():
        return {}
    found = json.loads(path.read_text("utf-8"))
    return {str(name): float(ratio) for name, ratio in found.items()}


def record(path: Path | None, ratios: Mapping[str, float]) -> None:
    """Add ratios to those in a file, in order of their names; do nothing without a file."""
    if path is None:
        return
    path.parent.mkdir(exist_ok=True)
    both = read(path) | {name: round(ratio, 3) for name, ratio in ratios.items()}
    path.write_text(json.dumps(both, indent=2, sort_keys=True) + "\n", "utf-8")


def parser_for(numbers: str, about: str | None) -> argparse.ArgumentParser:
    """Return a benchmark's parser: of `numbers`, and of `ratios`, the file for them, if any.

    numbers: what they are called.
    """
    parser = argparse.ArgumentParser(description=(about or "").splitlines()[0])
    parser.add_argument("numbers", metavar=numbers, nargs="*", type=int)
    parser.add_argument("--ratios", metavar="FILE", type=Path, help="add the ratios to this file")
    return parser


def arguments(numbers: str, about: str | None) -> tuple[list[int], Path | None]:
    """Return the numbers on a benchmark's command line, and the file for its ratios, if any."""
    found = parser_for(numbers, about).parse_args()
    return found.numbers, found.ratios


def children_seconds(work: Callable[[], object]) -> float:
    """Return the processor seconds of all processes that `work` starts and waits for."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    work()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def group_seconds(group: int | None) -> float:
    """Return the processor seconds of a process group so far; 0 without /proc.

    Those of processes that have ended are among them if one of the group has waited for them.
    """
    ticks = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has ended meanwhile
            fields = stat.read_text("utf-8", "replace").rpartition(")")[2].split()
            if int(fields[2]) == group:
                ticks += sum(map(int, fields[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")


def floor(times: int = 1) -> float:
    """Return the processor seconds of the fixed work, in a process of its own; the median."""
    once = partial(subprocess.run, FLOOR, check=True, cwd=_ROOT)
    return statistics.median(children_seconds(once) for _ in range(times))


def median_ratio(seconds: Sequence[float], floors: Sequence[float]) -> float:
    """Return the median of measurements, each divided by the floor measured beside it."""
    return statistics.median(a / b for a, b in zip(seconds, floors, strict=True))


def _floor_work() -> None:
    """Sort, gather and insert: what a run spends its time on, without any code of ours."""
    import numpy as np
    import pyarrow as pa

    numbers = np.random.default_rng(1).integers(0, 1 << 40, 1_000_000)
    order = np.argsort(numbers, kind="stable")
    texts = pa.array(numbers[order][:150_000]).cast(pa.string())
    rows = zip(range(len(texts)), texts.to_pylist(), strict=True)
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE numbers (id INTEGER PRIMARY KEY, text TEXT)")
    connection.executemany("INSERT INTO numbers VALUES (?, ?)", rows)
    connection.execute("CREATE INDEX by_text ON numbers (text)")
    connection.close()


def main() -> int:
    """Compare, or write the baseline; return the exit code."""
    parser = argparse.ArgumentParser(description="Compare the ratios of make bench.")
    parser.add_argument("found", metavar="FOUND", nargs="?", type=Path)
    parser.add_argument("--write-baseline", action="store_true", help="take them as the baseline")
    parser.add_argument("--floor", action="store_true", help="do the fixed work, and nothing else")
    options = parser.parse_args()
    if options.floor:
        _floor_work()
        return 0
    if options.found is None or not (found := read(options.found)):
        print(f"There are no ratios to compare in {options.found}", file=sys.stderr)
        return 1
    if options.write_baseline:
        record(BASELINE, found)
        print(f"{len(found)} ratios are in {BASELINE.name} now")
        return 0
    lines, code = report(compare(read(BASELINE), found))
    print("\n".join(lines), file=sys.stderr if code else sys.stdout)
    return code


if __name__ == "__main__":
    sys.exit(main())
