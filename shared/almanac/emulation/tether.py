"""Runs a command that does not outlive the program that started it.

    python tether.py PARENT COMMAND [ARGUMENT ...]

A program of its own, on the standard library alone: what it asks the system for has to be asked
for between fork and exec, and no Python should run there in a process with threads.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main(parent: int, command: list[str]) -> None:
    """Become the command, to be killed once the parent's thread that started us has ended."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            sys.exit("the program that started this one has ended already")
    os.execvp(command[0], command)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
