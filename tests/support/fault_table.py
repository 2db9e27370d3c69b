"""The table of commands by kinds of fault: `python -m tests.support.fault_table [COMMAND...]`.

A cell is the number of points tried, with the number of those that failed before a slash.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import pytest
import structlog

from tests.support.fault_commands import COMMANDS
from tests.support.fault_matrix import KINDS, Matrix

MOST = 20  # points of a command and a kind: all requests of a command, a sample of a run's


def tried(matrix: Matrix, command: str, kind: str, most: int) -> tuple[int, list[str]]:
    """How many points were tried, and what failed at which."""
    numbers = matrix.sampled(command, kind, most)
    found = {at: matrix.failures(command, kind, at) for at in numbers}
    failures = [
        f"{command}, {kind}, request {at}: {'; '.join(each)}" for at, each in found.items() if each
    ]
    return len(numbers), failures


def main(commands: list[str]) -> None:
    """Print the table in Markdown, and the failures on standard error."""
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    print(f"| command | requests | {' | '.join(KINDS)} |")
    print("| --- " * (len(KINDS) + 2) + "|")
    with (
        tempfile.TemporaryDirectory() as folder,
        pytest.MonkeyPatch.context() as patch,
        Matrix(Path(folder), patch) as matrix,
    ):
        for command in commands or COMMANDS:
            cells = []
            for kind in KINDS:
                points, failures = tried(matrix, command, kind, MOST)
                cells.append(f"{len(failures)}/{points}" if failures else str(points))
                print(*failures, sep="\n", end="\n" if failures else "", file=sys.stderr)
            requests = len(matrix.plain(command)[1].requests)
            print(f"| {command} | {requests} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("command", nargs="*", metavar="COMMAND", help=", ".join(COMMANDS))
    given = parser.parse_args().command
    if unknown := set(given) - set(COMMANDS):
        parser.error(f"no such command: {', '.join(sorted(unknown))}")
    main(given)
