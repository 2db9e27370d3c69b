"""Run a command, and print how long it took: seconds, and processor seconds of all its processes.

`make test` and .ci/run use this. The exit code is the command's.
"""

from __future__ import annotations

import resource
import signal
import subprocess
import sys
import time
from pathlib import Path


def main(command: list[str]) -> int:
    """Run the command, print its times, and return its exit code."""
    started = time.monotonic()
    with subprocess.Popen(command) as process:
        # Ctrl-C goes to the command too: it decides how to end
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        code = process.wait()
    seconds = time.monotonic() - started
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(
        f"{Path(command[0]).name} took {seconds:.0f} s"
        f" and {used.ru_utime + used.ru_stime:.0f} s of processor time"
        f" ({used.ru_utime:.0f} user, {used.ru_stime:.0f} system)",
        flush=True,
    )
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
