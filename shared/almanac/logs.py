"""Structured logs: one JSON object a line, as Cloud Logging reads it.

Every line has severity, message and time, and the bound values (run_id, org_id, shard); within a
trace also its keys.
No log contains an e-mail address: text that looks like one is replaced.
"""

from __future__ import annotations

import datetime as dt
import json
import logging
import re
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TextIO

from almanac.tracing import log_fields

_ADDRESS = re.compile(r"[^\s@<>()\[\]\"',;:|]{1,256}@[^\s@<>()\[\]\"',;:|]{1,256}")
_REPLACEMENT = "[e-mail]"
_LONGEST = 8_000  # characters of one text; an entry of Cloud Logging holds 256 KB


class Log:
    """Writes lines of a level and above to a stream; None: no line."""

    def __init__(self, level: str, stream: TextIO | None) -> None:
        self._lowest = logging.getLevelNamesMapping()[level]
        self._stream = stream

    def debug(self, message: str, /, **values: Any) -> None:
        self.log(logging.DEBUG, message, **values)

    def info(self, message: str, /, **values: Any) -> None:
        self.log(logging.INFO, message, **values)

    def warning(self, message: str, /, **values: Any) -> None:
        self.log(logging.WARNING, message, **values)

    def error(self, message: str, /, **values: Any) -> None:
        self.log(logging.ERROR, message, **values)

    def critical(self, message: str, /, **values: Any) -> None:
        self.log(logging.CRITICAL, message, **values)

    def exception(self, message: str, /, **values: Any) -> None:
        """Write an error with the exception that is being handled."""
        self.error(message, exc_info=sys.exception(), **values)

    def log(self, level: int, message: str, /, **values: Any) -> None:
        """Write a line of a level of `logging`; exc_info: an exception, of which it has the trace.

        What is logged takes the place of what is bound.
        """
        if self._stream is None or level < self._lowest:
            return
        error = values.pop("exc_info", None)
        if error is not None:
            values["exception"] = "".join(traceback.format_exception(error)).rstrip()
        entry = {
            "severity": logging.getLevelName(level),
            "message": message,
            **(_bound.get() or {}),
            **values,
            "time": dt.datetime.now(dt.UTC).isoformat().replace("+00:00", "Z"),
            **log_fields(),
        }
        self._stream.write(json.dumps(clean(entry)) + "\n")
        self._stream.flush()


_log = Log("CRITICAL", None)
_bound: ContextVar[Mapping[str, Any] | None] = ContextVar("bound", default=None)


def configure(level: str | None = "INFO", stream: TextIO | None = None) -> None:
    """Write logs of the level and above to stream (standard error); None: write none."""
    global _log
    _log = Log(level, stream or sys.stderr) if level else Log("CRITICAL", None)


def get_log() -> Log:
    """Return a logger: log.info("shard planned", contacts=50_000, seconds=1.2).

    It writes nothing until `configure` is called, for instance in a worker process.
    """
    return _log


@contextmanager
def bound(**values: Any) -> Iterator[None]:
    """Add the values to every line of this thread or task inside the context."""
    token = _bound.set({**(_bound.get() or {}), **values})
    try:
        yield
    finally:
        _bound.reset(token)


def clean(value: Any) -> Any:
    """Return the value as JSON has it, without e-mail addresses; long texts are cut off."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Mapping):
        return {clean(str(key)): clean(each) for key, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [clean(each) for each in value]
    if isinstance(value, bytes):
        value = value[:_LONGEST].decode("utf-8", "replace")
    text = str(value)
    if len(text) > _LONGEST:
        text = text[:_LONGEST] + "..."
    return _ADDRESS.sub(_REPLACEMENT, text) if "@" in text else text
