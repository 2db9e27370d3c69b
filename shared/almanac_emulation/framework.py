"""Run functions-framework with workers that do not outlive it, as tether does for itself.

    python framework.py [ARGUMENT OF FUNCTIONS-FRAMEWORK ...]

Its server forks a worker. One with an event loop does not notice that the server was killed.
"""

from __future__ import annotations

import ctypes
import os
import runpy
import signal
import sys

_PR_SET_PDEATHSIG = 1


def _die_with_the_server() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


if __name__ == "__main__":
    if sys.platform == "linux":
        os.register_at_fork(after_in_child=_die_with_the_server)
    sys.path[0] = ""  # as python -m has it
    runpy.run_module("functions_framework", run_name="__main__", alter_sys=True)
