"""Child processes that serve on a port: started, restarted when they die, never left behind."""

from __future__ import annotations

import atexit
import contextlib
import itertools
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from almanac.errors import AlmanacError
from almanac.logs import get_log
from almanac_emulation import tether

HOST = "127.0.0.1"
# below the ports of outgoing connections, so that none of these takes one of our ports while a
# process is restarted
_PORTS = range(20_000, 32_000)
_turn = itertools.count(os.getpid() * 61)  # concurrent programs begin at different ports
_READY_SECONDS = 60.0
_POLL_SECONDS = 0.02
_RESTART_SECONDS = 0.2  # before a process that died is restarted


class Service:
    """A process that serves on a port of this machine until it is stopped.

    Its output is appended to the log file. With restart it is restarted on the same port
    whenever it dies. It has its own process group: Ctrl-C reaches only this program, and the
    children of the process are killed with it. On Linux it is also killed when this program is.
    """

    def __init__(
        self,
        name: str,
        command: Callable[[int], Sequence[str]],
        log: Path,
        *,
        environment: Mapping[str, str] | None = None,
        restart: bool = False,
    ) -> None:
        """command makes the command line from the port; environment extends the current one."""
        self.name = name
        self.port = free_port()
        self.log = log
        self._command = list(command(self.port))
        self._environment = {**os.environ, **(environment or {})}
        self._restart = restart
        self._process: subprocess.Popen[bytes] | None = None
        self._deaths = 0
        self._was_ready = False
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        # the thread that starts the process has to live as long as it: see tether
        self._thread = threading.Thread(target=self._run, name=f"service {name}", daemon=True)

    def start(self) -> None:
        """Start the process without waiting until it is ready."""
        atexit.register(self.stop)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    @property
    def pid(self) -> int | None:
        """Return the process, which is also its process group; None if none runs."""
        process = self._process
        return process.pid if process is not None and process.returncode is None else None

    def wait_until_ready(self, seconds: float = _READY_SECONDS) -> None:
        """Wait until the port answers; raise AlmanacError if that takes too long.

        Raise it also if the process dies before it was ready once: it would die again.
        """
        deadline = time.monotonic() + seconds
        while not _answers(self.port):
            hopeless = self._deaths and not self._was_ready
            if hopeless or time.monotonic() > deadline:
                what = "ended" if hopeless else f"gave no answer for {seconds:g} seconds"
                raise AlmanacError(f"{self.name}: {what} while starting; {self._last_line()}")
            time.sleep(_POLL_SECONDS)
        self._was_ready = True

    def kill(self) -> None:
        """Kill the process and its children, as a power failure would."""
        with self._lock:
            self._kill()

    def stop(self) -> None:
        """Kill the process and do not restart it; return when it has ended."""
        self._stopping.set()
        self.kill()
        if self._thread.is_alive():
            self._thread.join()
        atexit.unregister(self.stop)

    def _run(self) -> None:
        while not self._stopping.is_set():
            # a concurrent stop either prevents the start or finds the process to kill
            with self._lock:
                if self._stopping.is_set():
                    return
                self._process = process = self._start()
            code = process.wait()
            self._deaths += 1
            with self._lock:
                self._kill()  # the children that it left behind
            if self._stopping.is_set() or not self._restart:
                return
            get_log().warning("process died, restarting it", process=self.name, code=code)
            self._stopping.wait(_RESTART_SECONDS)

    def _start(self) -> subprocess.Popen[bytes]:
        launcher = [sys.executable, "-I", "-S", tether.__file__, str(os.getpid())]
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [*launcher, *self._command],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _kill(self) -> None:
        if self._process is not None:
            # the group may be empty, or (on macOS) hold only zombies
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def _last_line(self) -> str:
        try:
            lines = self.log.read_text(errors="replace").strip().splitlines()
        except OSError:
            lines = []
        return f"the last line of {self.log}: {lines[-1] if lines else 'none'}"


def free_port() -> int:
    """Return a port of this machine that is free; never the same port twice."""
    for _ in _PORTS:
        port = _PORTS[next(_turn) % len(_PORTS)]
        with socket.socket() as probe:
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return port
    raise AlmanacError(f"no free port from {_PORTS.start} to {_PORTS.stop - 1}")


def _answers(port: int) -> bool:
    try:
        with socket.create_connection((HOST, port), timeout=1):
            return True
    except OSError:
        return False
