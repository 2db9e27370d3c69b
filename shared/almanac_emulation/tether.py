"""Run a command that does not outlive the process that started it.

    python tether.py PARENT COMMAND [ARGUMENT ...]

A separate program on the standard library alone: its system call belongs between fork and exec,
where a process with threads should run no Python.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main(parent: int, command: list[str]) -> None:
    """Execute the command, which is killed when the thread of the parent that started it ends."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            sys.exit("the parent process has ended already")
    os.execvp(command[0], command)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
