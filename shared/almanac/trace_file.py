"""The file of `almanac run --trace`: the spans of a command in the trace event format.

Chrome (chrome://tracing), Perfetto (https://ui.perfetto.dev) and Speedscope read it.
docs/performance.md describes it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from almanac import __version__
from almanac.logs import clean
from almanac.outputs import check_out, partial_of
from almanac.tracing import Recorder, Span, record_with, root


@contextmanager
def trace_to(out: Path | None, option: str, name: str, of: Callable[..., object]) -> Iterator[None]:
    """Write the spans of what is done within to the file, also if that fails.

    out: None for none. option: the option that named the file. Raises InputError before anything is
    done if the file cannot be written.
    """
    if out is None:
        yield
        return
    check_out(out, option)
    with partial_of(out, option) as partial:
        recorder = Recorder()
        record_with(recorder)
        try:
            with root(name, of, {}):
                yield
        finally:
            record_with(None)
            with partial.open("w", encoding="utf-8") as file:
                write_trace(file, recorder.take(), recorder.dropped)
            partial.replace(out)


def write_trace(file: TextIO, spans: Sequence[Span], dropped: int = 0) -> None:
    """Write one JSON object, a line for each span, by when they began.

    dropped: how many spans are left out.
    """
    events = [*_processes(spans), *map(_event, sorted(spans, key=lambda each: each.start))]
    other = {"program": "almanac", "version": __version__, "spans_left_out": dropped}
    file.write('{"displayTimeUnit":"ms","otherData":')
    file.write(json.dumps(other) + ',"traceEvents":[\n')
    file.write(",\n".join(json.dumps(event, separators=(",", ":")) for event in events))
    file.write("\n]}\n")


def _processes(spans: Sequence[Span]) -> Iterator[dict[str, Any]]:
    """Return the events that name the processes, that of the command first."""
    command = {each.process for each in spans if not each.parent}
    for process in sorted({each.process for each in spans}, key=lambda each: each not in command):
        name = "almanac" if process in command else "worker"
        yield {
            "name": "process_name",
            "ph": "M",
            "pid": process,
            "tid": process,
            "args": {"name": name},
        }


def _event(span: Span) -> dict[str, Any]:
    failed = {"error": span.error} if span.error else {}
    parent = {"parent": span.parent} if span.parent else {}
    return {
        "name": span.name,
        "cat": "almanac",
        "ph": "X",
        "ts": span.start / 1000,
        "dur": round(span.seconds * 1e6, 3),
        "pid": span.process,
        "tid": span.thread,
        "args": {
            "function": span.function,
            "span": span.span_id,
            **parent,
            **failed,
            **clean(span.attributes),
        },
    }
