"""What tests against the emulators and the real functions share."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from almanac.errors import ConfigError
from almanac_emulation.requirements import require_everything

FUNCTIONS = Path(__file__).parents[2] / "functions"
IN_CI = os.environ.get("CI") == "true"


def _missing() -> str:
    """What has to be installed before the Pub/Sub emulator runs; empty if nothing has."""
    try:
        require_everything()
    except ConfigError as error:
        return str(error)
    return ""


MISSING = _missing()

# A test that nobody can run here is skipped, but in CI it fails: there everything is installed.
needs_pubsub_emulator = pytest.mark.skipif(bool(MISSING) and not IN_CI, reason=MISSING or "-")


def wait_until(true: Callable[[], bool], what: str, seconds: float = 60.0) -> None:
    """Return once it is true; fail if that takes too long."""
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            pytest.fail(f"{what}: not within {seconds:g} seconds")
        time.sleep(0.02)


def living_in_group(group: int) -> set[int]:
    """The processes of a process group that are alive; the dead may wait for their burial."""
    return {pid for pid, pgid in _living() if pgid == group}


def living(pids: set[int]) -> set[int]:
    """Those of the processes that are alive."""
    return pids & {pid for pid, _ in _living()}


def _living() -> list[tuple[int, int]]:
    """Id and process group of every living process of this machine."""
    table = subprocess.run(
        ["ps", "-A", "-o", "pid=,pgid=,stat="], capture_output=True, text=True, check=True
    ).stdout
    rows = [line.split() for line in table.splitlines()]
    return [(int(pid), int(group)) for pid, group, state in rows if not state.startswith("Z")]
