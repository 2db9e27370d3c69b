"""The faults that tests inject into the Cloud Storage emulator, and its log of requests."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

# upload: the whole object in one request; start and chunk: a resumable one, in several.
# rewrite: a copy from another object; compose: one object from several.
Operation = Literal[
    "upload",
    "start",
    "chunk",
    "metadata",
    "media",
    "delete",
    "list",
    "rewrite",
    "compose",
    "other",
]

_KEPT = 200_000  # requests in the log


@dataclass(slots=True)
class Fault:
    """A fault for the next requests of an operation, and of one object if a name is given.

    The effects, in this order:
    - meanwhile is called before the request is carried out (to act as another writer, say);
    - status: the request is not carried out but answered with this status;
    - altered: one byte of the content changes in transit, in either direction;
    - keeps (chunk only): the emulator stores only the first so many bytes of the content;
    - afterwards is called after the request is carried out and before it is answered;
    - answer_lost: the connection is closed without an answer;
    - breaks_after: the connection is closed after so many bytes of a download;
    - shortened_to: a download ends after so many bytes as if it were complete.
    If meanwhile or afterwards blocks, it blocks this request and no other.
    """

    operation: Operation
    name: str | None = None
    meanwhile: Callable[[], None] | None = None
    status: int | None = None
    altered: bool = False
    keeps: int | None = None
    afterwards: Callable[[], None] | None = None
    answer_lost: bool = False
    breaks_after: int | None = None
    shortened_to: int | None = None
    times: int = 1


@dataclass(frozen=True, slots=True)
class Request:
    """A request and its answer: the bytes of both bodies, and range as in the header."""

    method: str
    operation: Operation
    bucket: str
    name: str
    range: str
    status: int  # 0: no answer
    received: int
    sent: int


class Faults:
    """The faults that have not been used up, oldest first; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[Fault] = []

    def add(self, fault: Fault) -> None:
        with self._lock:
            self._waiting.append(fault)

    def take(self, operation: Operation, name: str) -> Fault | None:
        """Return the first fault that matches the request, and count one use of it."""
        with self._lock:
            for fault in self._waiting:
                if fault.operation == operation and fault.name in (None, name):
                    fault.times -= 1
                    if fault.times == 0:
                        self._waiting.remove(fault)
                    return fault
        return None

    def clear(self) -> None:
        """Remove all faults."""
        with self._lock:
            self._waiting.clear()

    def waiting(self) -> int:
        """Return how many faults are not used up."""
        with self._lock:
            return len(self._waiting)


class RequestLog:
    """The last requests, oldest first; thread-safe."""

    def __init__(self) -> None:
        self._requests: deque[Request] = deque(maxlen=_KEPT)

    def add(self, request: Request) -> None:
        self._requests.append(request)

    def clear(self) -> None:
        self._requests.clear()

    def of(self, operation: Operation | None = None, name: str | None = None) -> list[Request]:
        """Return the requests of an operation and a name; None means all."""
        return [
            each
            for each in list(self._requests)
            if operation in (None, each.operation) and name in (None, each.name)
        ]
