"""A receiver of spans over OTLP: what the functions would send to Cloud Trace stays here."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

_POLL_SECONDS = 0.05
SHOWN = 0.005  # seconds: what took less would be shown as 0.00


@dataclass(frozen=True)
class ReceivedSpan:
    """A span as it came; ids in hexadecimal, parent "" for none, start in nanoseconds."""

    trace_id: str
    span_id: str
    parent: str
    name: str
    start: int
    seconds: float
    attributes: dict[str, str]


@dataclass
class Traces:
    """What a receiver has received. url: the endpoint to send to."""

    url: str = ""
    received: list[ReceivedSpan] = field(default_factory=list)

    def environment(self) -> dict[str, str]:
        """Return the settings with which a function sends all its spans here."""
        return {"ALMANAC_TRACE_SAMPLING": "1", "ALMANAC_TRACE_ENDPOINT": self.url}

    def wait_for(self, name: str, seconds: float) -> None:
        """Wait, but no longer than so many seconds, until a span of that name has come."""
        deadline = time.monotonic() + seconds
        while all(each.name != name for each in self.received) and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)

    def table(self, most: int) -> list[tuple[str, str, int, str]]:
        """Return the spans that took most time, in the order in which they began.

        Of each: name, that of its parent, count, seconds in total.
        """
        names = {each.span_id: each.name for each in self.received}
        found: dict[tuple[str, str], list[float]] = {}
        for each in sorted(self.received, key=lambda each: each.start):
            key = (each.name, names.get(each.parent, ""))
            found.setdefault(key, []).append(each.seconds)
        lasting = [key for key in found if sum(found[key]) >= SHOWN]
        longest = sorted(lasting, key=lambda key: -sum(found[key]))[:most]
        return [
            (name, parent, len(seconds), f"{sum(seconds):.2f}")
            for (name, parent), seconds in found.items()
            if (name, parent) in longest
        ]


@contextmanager
def trace_receiver() -> Iterator[Traces]:
    """Receive spans on a port of this machine, as long as the context lasts."""
    traces = Traces()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            known = traces.url.endswith(self.path)
            if known:
                traces.received += _spans(ExportTraceServiceRequest.FromString(body))
            self.send_response(200 if known else 404)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        traces.url = f"http://127.0.0.1:{server.server_port}/v1/traces"
        thread = threading.Thread(target=server.serve_forever, name="traces", daemon=True)
        thread.start()
        try:
            yield traces
        finally:
            server.shutdown()
            thread.join()


def _spans(request: ExportTraceServiceRequest) -> Iterator[ReceivedSpan]:
    for resource in request.resource_spans:
        for scope in resource.scope_spans:
            for span in scope.spans:
                values = {
                    each.key: each.value.string_value or str(each.value.int_value)
                    for each in span.attributes
                }
                yield ReceivedSpan(
                    trace_id=span.trace_id.hex(),
                    span_id=span.span_id.hex(),
                    parent=span.parent_span_id.hex(),
                    name=span.name,
                    start=span.start_time_unix_nano,
                    seconds=(span.end_time_unix_nano - span.start_time_unix_nano) / 1e9,
                    attributes=values,
                )
