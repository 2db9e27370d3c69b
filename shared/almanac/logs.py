"""Structured logs: one JSON object a line, as Cloud Logging reads it.

Every line has severity, message and time, and the bound values (run_id, org_id, shard); within a
trace also its keys.
No log contains an e-mail address: text that looks like one is replaced.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any, TextIO, cast

import structlog

from almanac.tracing import log_fields

Log = structlog.typing.FilteringBoundLogger

_ADDRESS = re.compile(r"[^\s@<>()\[\]\"',;:|]{1,256}@[^\s@<>()\[\]\"',;:|]{1,256}")
_REPLACEMENT = "[e-mail]"
_LONGEST = 8_000  # characters of one text; an entry of Cloud Logging holds 256 KB


def configure(level: str | None = "INFO", stream: TextIO | None = None) -> None:
    """Write logs of the level and above to stream (standard error); None: write none."""
    structlog.configure(
        processors=[
            *([] if level else [_drop]),
            structlog.contextvars.merge_contextvars,
            structlog.processors.format_exc_info,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
            _for_cloud_logging,
            _of_the_span,
            without_addresses,
            structlog.processors.JSONRenderer(default=str),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level or "CRITICAL"),
        logger_factory=structlog.WriteLoggerFactory(stream or sys.stderr),
        cache_logger_on_first_use=False,
    )


def get_log() -> Log:
    """Return a logger: log.info("shard planned", contacts=50_000, seconds=1.2).

    It writes nothing until `configure` is called, for instance in a worker process.
    """
    if not structlog.is_configured():
        configure(None)
    return cast(Log, structlog.get_logger())


def bound(**values: Any) -> AbstractContextManager[None]:
    """Add the values to every line of this thread or task inside the context."""
    return cast(AbstractContextManager[None], structlog.contextvars.bound_contextvars(**values))


def without_addresses(
    logger: Any, method: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """Replace text that looks like an e-mail address, at any depth, also in keys."""
    return {clean(key): clean(value) for key, value in event.items()}


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


def _drop(
    logger: Any, method: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    raise structlog.DropEvent


def _for_cloud_logging(
    logger: Any, method: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    severity = "ERROR" if method == "exception" else method.upper()
    return {"severity": severity, "message": event.pop("event", ""), **event}


def _of_the_span(
    logger: Any, method: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    return {**event, **log_fields()}
