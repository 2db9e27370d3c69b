"""What tests may do to the Cloud Storage emulator, and what it tells of its requests."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

# upload: the whole object in one request; start and chunk: a resumable one, in several.
Operation = Literal["upload", "start", "chunk", "metadata", "media", "delete", "list", "other"]

_KEPT = 200_000  # requests in the log


@dataclass(slots=True)
class Fault:
    """What befalls the next requests of an operation, and of a name if one is given.

    In this order: meanwhile is called before anything is done (another writer, say); with
    status the request is answered so and not carried out; altered changes a byte of the content
    on its way, in or out. Of an upload's content the emulator takes only the first keeps bytes
    (chunk only). afterwards is called when the request has been carried out and before it is
    answered. With answer_lost the connection is closed then without an answer; with breaks_after
    it is closed after so many bytes of the content of a download. A download that is shortened
    ends after so many bytes as if that were all. What meanwhile and afterwards do not return
    from, holds the request up and no other.
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
    """A request and its answer: bytes of both bodies; range as the header asked for it."""

    method: str
    operation: Operation
    bucket: str
    name: str
    range: str
    status: int  # 0: no answer
    received: int
    sent: int


class Faults:
    """Faults that wait for their request, oldest first; safe between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[Fault] = []

    def add(self, fault: Fault) -> None:
        with self._lock:
            self._waiting.append(fault)

    def take(self, operation: Operation, name: str) -> Fault | None:
        """The first fault that is meant for the request; it is used up once."""
        with self._lock:
            for fault in self._waiting:
                if fault.operation == operation and fault.name in (None, name):
                    fault.times -= 1
                    if fault.times == 0:
                        self._waiting.remove(fault)
                    return fault
        return None

    def clear(self) -> None:
        """Forget those that wait."""
        with self._lock:
            self._waiting.clear()

    def waiting(self) -> int:
        """How many have not met all their requests yet."""
        with self._lock:
            return len(self._waiting)


class RequestLog:
    """The last requests, oldest first; safe between threads."""

    def __init__(self) -> None:
        self._requests: deque[Request] = deque(maxlen=_KEPT)

    def add(self, request: Request) -> None:
        self._requests.append(request)

    def clear(self) -> None:
        self._requests.clear()

    def of(self, operation: Operation | None = None, name: str | None = None) -> list[Request]:
        """The requests of an operation and a name; None stands for all."""
        return [
            each
            for each in list(self._requests)
            if operation in (None, each.operation) and name in (None, each.name)
        ]
