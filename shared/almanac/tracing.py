"""Spans: what was done, how long it took and what asked for it, across messages and processes.

A tree begins with `root`, for a command, a message or a request; `span` and `traced` add to it.
Where no tree has begun, and in threads that are not told of one, they do nothing. While tracing is
off, which is the default, a span costs a look at one variable. docs/decisions/0064-traces.md
"""

from __future__ import annotations

import functools
import hashlib
import os
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")
Value = str | int | float | bool

TRACEPARENT = "traceparent"  # of W3C Trace Context: an attribute of messages, a header of requests
_MOST = 100_000  # spans that wait to be written; further ones are left out, and counted
_FORM = re.compile(r"(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?")
_ZEROS = frozenset("0")


@dataclass
class Span:
    """Something that was done. function: `module:function`; start: nanoseconds since 1970.

    parent: the id of the span that it is a part of, or that published its message; "" for none.
    error: the type of the exception that ended it; never its text, which may quote a row.
    """

    trace_id: str
    span_id: str
    parent: str
    sampled: bool
    name: str
    function: str
    start: int
    attributes: dict[str, Value]
    seconds: float = 0.0
    error: str = ""
    process: int = field(default_factory=os.getpid)
    thread: int = field(default_factory=threading.get_native_id)


@dataclass
class Recorder:
    """The finished spans of this process, until `take`.

    sampling: the share of trees that are recorded, of those that begin here. project: of Google
    Cloud, in whose Cloud Trace the log's lines name the tree. export: what `flush` hands them to.
    """

    sampling: float = 1.0
    project: str = ""
    export: Callable[[Sequence[Span]], None] | None = None
    dropped: int = 0
    _spans: list[Span] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, spans: Sequence[Span]) -> None:
        with self._lock:
            room = max(0, _MOST - len(self._spans))
            self._spans.extend(spans[:room])
            self.dropped += len(spans[room:])

    def take(self) -> list[Span]:
        """Return the spans that finished since the last call."""
        with self._lock:
            taken, self._spans = self._spans, []
        return taken


_recorder: Recorder | None = None
_current: ContextVar[Span | None] = ContextVar("span", default=None)
_NOTHING: AbstractContextManager[None] = nullcontext()


def record_with(recorder: Recorder | None) -> None:
    """Record the spans of this process; None: no longer."""
    global _recorder
    _recorder = recorder


def is_recording() -> bool:
    """Return whether tracing is on in this process."""
    return _recorder is not None


def span(
    name: str, of: Callable[..., object] | None = None, **attributes: Value
) -> AbstractContextManager[None]:
    """Time what is done within, as a part of the current span.

    of: the function that is called; by default the caller of this one. Attributes are counts, names
    and ids of ours: never what a contact's row holds.
    """
    if _recorder is None or not _is_wanted():
        return _NOTHING
    if of is not None:
        return _recorded(_child(name, _qualified(of), attributes))
    frame = sys._getframe(1)
    function = f"{frame.f_globals['__name__']}:{frame.f_code.co_qualname}"
    return _recorded(_child(name, function, attributes))


def traced(name: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Time each call of the function, as a part of the current span."""

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        qualified = _qualified(function)

        @functools.wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            if _recorder is None or not _is_wanted():
                return function(*args, **kwargs)
            with _recorded(_child(name, qualified, {})):
                return function(*args, **kwargs)

        return call

    return decorate


def note(**attributes: Value) -> None:
    """Add to the attributes of the current span."""
    current = _current.get()
    if current is not None:
        current.attributes.update(attributes)


@contextmanager
def root(
    name: str,
    of: Callable[..., object],
    carrier: Mapping[str, str],
    seed: bytes = b"",
    **attributes: Value,
) -> Iterator[None]:
    """Go on with the tree that the carrier names, or begin one; what else is current is left out.

    carrier: the attributes of a message, or headers with lower-case names. seed: what a tree that
    begins gets its id from, so that a message that is delivered again begins no other one.
    """
    recorder = _recorder
    if recorder is None:
        yield
        return
    found = _FORM.fullmatch(carrier.get(TRACEPARENT, ""))
    if found is not None and set(found[1]) != _ZEROS and set(found[2]) != _ZEROS:
        trace_id, parent, sampled = found[1], found[2], bool(int(found[3], 16) & 1)
    else:
        trace_id, parent = _trace_id(seed), ""
        # the last 56 bits, as OpenTelemetry's sampler has it: again the same for the same id
        sampled = int(trace_id[-14:], 16) < recorder.sampling * 2**56
    ids = (trace_id, _span_id(), parent, sampled)
    with _recorded(Span(*ids, name, _qualified(of), time.time_ns(), dict(attributes))):
        yield


@contextmanager
def apart() -> Iterator[None]:
    """Publish within messages that go on with no tree: each of them begins its own."""
    token = _current.set(None)
    try:
        yield
    finally:
        _current.reset(token)


def carrier() -> dict[str, str]:
    """Return the attributes by which what receives a message goes on with the current span."""
    current = _current.get()
    if current is None:
        return {}
    flags = "01" if current.sampled else "00"
    return {TRACEPARENT: f"00-{current.trace_id}-{current.span_id}-{flags}"}


def log_fields() -> dict[str, Value]:
    """Return the keys by which Cloud Logging shows a line beside the current span."""
    current, recorder = _current.get(), _recorder
    if current is None or recorder is None or not recorder.project:
        return {}
    return {
        "logging.googleapis.com/trace": f"projects/{recorder.project}/traces/{current.trace_id}",
        "logging.googleapis.com/spanId": current.span_id,
        "logging.googleapis.com/trace_sampled": current.sampled,
    }


def flush() -> None:
    """Export what has finished; the exporter raises nothing."""
    recorder = _recorder
    if recorder is not None and recorder.export is not None and (spans := recorder.take()):
        recorder.export(spans)


def adopt(spans: Sequence[Span]) -> None:
    """Record spans that another process has returned."""
    if _recorder is not None:
        _recorder.add(spans)


@contextmanager
def in_worker(carrier: Mapping[str, str]) -> Iterator[list[Span]]:
    """Record in a worker process, if what its task comes from is recorded.

    The list has the spans afterwards, for the worker to return.
    """
    spans: list[Span] = []
    if is_recording() or TRACEPARENT not in carrier:
        yield spans
        return
    recorder = Recorder()
    record_with(recorder)
    try:
        yield spans
    finally:
        record_with(None)
        spans += recorder.take()


def _is_wanted() -> bool:
    current = _current.get()
    return current is not None and current.sampled


def _child(name: str, function: str, attributes: dict[str, Value]) -> Span:
    parent = _current.get()
    assert parent is not None
    ids = (parent.trace_id, _span_id(), parent.span_id, parent.sampled)
    return Span(*ids, name, function, time.time_ns(), attributes)


@contextmanager
def _recorded(current: Span) -> Iterator[None]:
    began = time.perf_counter()
    token = _current.set(current)
    try:
        yield
    except BaseException as error:
        current.error = type(error).__name__
        raise
    finally:
        _current.reset(token)
        current.seconds = time.perf_counter() - began
        if current.sampled and _recorder is not None:
            _recorder.add([current])


def _qualified(function: Callable[..., object]) -> str:
    return f"{function.__module__}:{function.__qualname__}"


def _trace_id(seed: bytes) -> str:
    return hashlib.sha256(seed).hexdigest()[:32] if seed else os.urandom(16).hex()


def _span_id() -> str:
    return os.urandom(8).hex()
