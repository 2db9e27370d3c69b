"""Programs that run beside this one: started, started again when they die, never left behind."""

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

from almanac.emulation import tether
from almanac.errors import AlmanacError
from almanac.logs import get_log

HOST = "127.0.0.1"
# below the ports that systems give to outgoing connections, so that none takes one of ours
# while a process is started again
_PORTS = range(20_000, 32_000)
_turn = itertools.count(os.getpid() * 61)  # programs that start at once begin at different ones
_READY_SECONDS = 60.0
_POLL_SECONDS = 0.02
_BREATH_SECONDS = 0.2  # before a process that died is started again


class Service:
    """A program that serves on a port of this machine, until it is stopped.

    What it prints goes to the end of the log file. With restart it is started again on the same
    port whenever it dies. It has a process group of its own, so that Ctrl-C is for us, and all
    that it starts itself ends with it; where the system can do it (Linux) it ends as well when
    this program is killed.
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
        """command makes the command line from the port; environment is added to ours."""
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
        # the thread that starts a process has to live as long as it does: see tether
        self._thread = threading.Thread(target=self._run, name=f"service {name}", daemon=True)

    def start(self) -> None:
        """Start it, without waiting until it is ready."""
        atexit.register(self.stop)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    @property
    def pid(self) -> int | None:
        """The process, which is also its group; None while there is none."""
        process = self._process
        return process.pid if process is not None and process.returncode is None else None

    def wait_until_ready(self, seconds: float = _READY_SECONDS) -> None:
        """Return once the port answers; AlmanacError if it takes too long.

        Also if it dies before it has ever been ready: it would die again.
        """
        deadline = time.monotonic() + seconds
        while not _answers(self.port):
            hopeless = self._deaths and not self._was_ready
            if hopeless or time.monotonic() > deadline:
                what = "ended" if hopeless else f"gave no answer for {seconds:g} seconds"
                raise AlmanacError(f"{self.name}: {what} while starting; {self._last_words()}")
            time.sleep(_POLL_SECONDS)
        self._was_ready = True

    def kill(self) -> None:
        """End it as a machine ends when its power fails, children and all."""
        with self._lock:
            self._kill()

    def stop(self) -> None:
        """End it for good; returns once it is gone."""
        self._stopping.set()
        self.kill()
        if self._thread.is_alive():
            self._thread.join()
        atexit.unregister(self.stop)

    def _run(self) -> None:
        while not self._stopping.is_set():
            # a kill either comes before the start, and there is none, or finds the process
            with self._lock:
                if self._stopping.is_set():
                    return
                self._process = process = self._start()
            code = process.wait()
            self._deaths += 1
            with self._lock:
                self._kill()  # what it started and left behind
            if self._stopping.is_set() or not self._restart:
                return
            get_log().warning("process died, starting it again", process=self.name, code=code)
            self._stopping.wait(_BREATH_SECONDS)

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
            # nobody may be left in the group, or (on macOS) only the dead
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def _last_words(self) -> str:
        try:
            lines = self.log.read_text(errors="replace").strip().splitlines()
        except OSError:
            lines = []
        return f"its last words, in {self.log}: {lines[-1] if lines else 'none'}"


def free_port() -> int:
    """A port of this machine that nobody listens on; never the same one twice."""
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
