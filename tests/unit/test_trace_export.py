"""Spans are exported over OTLP before a function answers, and never at the cost of its message."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from almanac import __file__ as package
from almanac.errors import ConfigError
from almanac.logs import configure
from almanac.settings import Settings
from almanac.trace_export import trace_by
from almanac.tracing import TRACEPARENT, flush, is_recording, record_with, root, span
from almanac_emulation.traces import Traces, trace_receiver

GIVEN = {TRACEPARENT: f"00-{'ab' * 16}-{'cd' * 8}-01"}


@pytest.fixture(autouse=True)
def off_again() -> Iterator[None]:
    yield
    record_with(None)
    structlog.reset_defaults()


@pytest.fixture(scope="module")
def traces() -> Iterator[Traces]:
    with trace_receiver() as receiver:
        yield receiver


def settings(endpoint: str, **others: object) -> Settings:
    return Settings.model_validate(
        {"project": "agencies", "trace_sampling": 1.0, "trace_endpoint": endpoint} | others
    )


def step() -> None:
    """What a root begins with."""


def test_spans_arrive_as_opentelemetry_has_them(traces: Traces) -> None:
    trace_by(settings(traces.url))
    with root("shard", step, GIVEN, shard=3), span("read", rows=12, text="of ada@example.com"):
        pass
    flush()
    read, shard = traces.received
    assert (shard.name, shard.trace_id, shard.parent) == ("shard", "ab" * 16, "cd" * 8)
    assert (read.name, read.parent, read.trace_id) == ("read", shard.span_id, shard.trace_id)
    assert shard.attributes == {"code.function.name": f"{__name__}.step", "shard": "3"}
    assert read.attributes["text"] == "of [e-mail]"
    assert 0 <= read.seconds <= shard.seconds
    assert traces.table(5) == []  # nothing of it took as long as is shown
    flush()
    assert len(traces.received) == 2


def test_a_failed_export_is_a_warning(traces: Traces) -> None:
    stream = io.StringIO()
    configure("INFO", stream)
    trace_by(settings(f"{traces.url}/elsewhere"))
    with root("shard", step, {}):
        pass
    flush()
    line = json.loads(stream.getvalue().splitlines()[-1])
    assert (line["severity"], line["message"], line["spans"]) == (
        "WARNING",
        "spans not exported",
        1,
    )


def test_it_is_off_by_default() -> None:
    trace_by(Settings.model_validate({}))
    assert not is_recording()
    with pytest.raises(ConfigError, match="ALMANAC_PROJECT: is not set"):
        trace_by(settings("http://127.0.0.1:1", project=None))


def test_opentelemetry_is_imported_by_the_first_export_only() -> None:
    for path in Path(package).parent.rglob("*.py"):
        at_start = re.findall(r"^(?:import|from) opentelemetry.*", path.read_text(), re.MULTILINE)
        assert at_start == [], path


@pytest.mark.slow
def test_no_function_imports_it_while_tracing_is_off() -> None:
    script = (
        "import sys, almanac.runs.push_endpoint, almanac.intake.http, almanac.trace_export\n"
        "from almanac.tracing import flush; flush()\n"
        "print([name for name in sys.modules if name.startswith('opentelemetry')])"
    )
    called = [sys.executable, "-c", script]
    assert subprocess.run(called, capture_output=True, text=True, check=True).stdout == "[]\n"
