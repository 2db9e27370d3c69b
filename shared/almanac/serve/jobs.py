"""Work that takes longer than a page may: done one after the other, and its results kept."""

from __future__ import annotations

import signal
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from multiprocessing import resource_tracker

from almanac.errors import AlmanacError
from almanac.logs import get_log
from almanac.progress import Progress

KEPT = 12  # results
MOST_WAITING = 4


class Stopped(AlmanacError):
    """The server ends, and so does its work."""


@dataclass
class BackgroundJob:
    """One piece of work. result and error are set when `ended` is."""

    work: Callable[[Progress], object]
    step: str = "waiting"
    done: int = 0
    total: int = 0
    result: object = None
    error: str = ""
    ended: threading.Event = field(default_factory=threading.Event)

    @property
    def words(self) -> str:
        """Return how far it is, as text."""
        return f"{self.step}, {self.done:,} of {self.total:,}" if self.total > 1 else self.step


def _leave_interrupts() -> None:
    """Leave Ctrl-C to the main thread, here and in the processes that this thread starts."""
    if hasattr(signal, "pthread_sigmask"):
        resource_tracker.ensure_running()  # its start would undo the next line
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})


class Jobs:
    """A queue with one thread, and the last results by key."""

    def __init__(self) -> None:
        self._jobs: OrderedDict[Hashable, BackgroundJob] = OrderedDict()
        self._waiting: deque[BackgroundJob] = deque()
        self._changed = threading.Condition()
        self._stopping = False
        self._thread: threading.Thread | None = None

    def found(self, key: Hashable) -> BackgroundJob | None:
        """Return the job of the key, if any is kept."""
        with self._changed:
            return self._jobs.get(key)

    def start(self, key: Hashable, work: Callable[[Progress], object]) -> BackgroundJob:
        """Return the job of the key, started if there is none yet; raise AlmanacError if too many
        wait. A job that failed starts again."""
        with self._changed:
            job = self._jobs.get(key)
            if job is not None and not (job.ended.is_set() and job.error):
                self._jobs.move_to_end(key)
                return job
            if len(self._waiting) >= MOST_WAITING:
                raise AlmanacError("Several computations wait already; try again in a minute.")
            job = self._jobs[key] = BackgroundJob(work)
            self._jobs.move_to_end(key)
            self._forget()
            self._waiting.append(job)
            self._changed.notify()
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="jobs", daemon=True)
                self._thread.start()
            return job

    @property
    def busy(self) -> bool:
        """Return whether anything is not done yet."""
        with self._changed:
            return not all(job.ended.is_set() for job in self._jobs.values())

    def stop(self) -> None:
        """End the work at its next step, and wait for that: then its temporary files are gone."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join()

    def _forget(self) -> None:
        ended = [key for key, job in self._jobs.items() if job.ended.is_set()]
        for key in ended[: max(0, len(self._jobs) - KEPT)]:
            del self._jobs[key]

    def _run(self) -> None:
        _leave_interrupts()
        while True:
            with self._changed:
                while not self._waiting and not self._stopping:
                    self._changed.wait()
                if self._stopping:
                    return
                job = self._waiting.popleft()
            self._work(job)

    def _work(self, job: BackgroundJob) -> None:
        def progress(step: str, done: int, total: int) -> None:
            if self._stopping:
                raise Stopped("almanac serve ends")
            job.step, job.done, job.total = step, done, total

        try:
            job.result = job.work(progress)
        except AlmanacError as error:
            job.error = str(error)
        except Exception as error:  # a page says so; the server goes on
            get_log().exception("a computation failed")
            job.error = f"an error within Almanac ({type(error).__name__})"
        finally:
            job.ended.set()
