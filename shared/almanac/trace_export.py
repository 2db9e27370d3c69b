"""Export of spans over OTLP, by default to Google's Telemetry API, which keeps them in Cloud Trace.

OpenTelemetry is imported with the first export: a function starts without it.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from almanac import __version__
from almanac.client_errors import in_words
from almanac.logs import clean, get_log
from almanac.settings import Settings
from almanac.tracing import Recorder, Span, record_with

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan
    from requests import Session

_SECONDS = 5.0  # of an export with all its retries: the function's answer waits for it
_GOOGLE = re.compile(r"https://[a-z0-9.-]+\.googleapis\.com(:443)?/")
_SCOPE = "https://www.googleapis.com/auth/cloud-platform"

Send = Callable[[Sequence[Span]], None]


def trace_by(settings: Settings) -> None:
    """Record and export the spans of this process from now on, where the settings say so."""
    if settings.trace_sampling > 0:
        project = settings.required_project()
        export = OtlpExport(settings.trace_endpoint, project)
        record_with(Recorder(settings.trace_sampling, project, export))


class OtlpExport:
    """Sends spans to an endpoint of OTLP over HTTP; any number of threads may.

    A failure is a warning in the log: no message is delivered again for its trace. The account's
    credentials are sent to Google only.
    """

    def __init__(self, endpoint: str, project: str) -> None:
        self._endpoint = endpoint
        self._project = project
        self._send: Send | None = None
        self._lock = threading.Lock()

    def __call__(self, spans: Sequence[Span]) -> None:
        try:
            with self._lock:
                if self._send is None:
                    self._send = self._sender()
            self._send(spans)
        except Exception as error:
            get_log().warning("spans not exported", spans=len(spans), reason=in_words(error))

    def _sender(self) -> Send:
        """Return what sends spans; raises also what is raised for missing credentials."""
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace.export import SpanExportResult

        exporter = OTLPSpanExporter(
            self._endpoint,
            timeout=_SECONDS,
            session=self._session() if _GOOGLE.match(self._endpoint) else None,
        )
        # not what the environment says: nothing else of it is read here either
        resource = Resource(
            {
                "service.name": "almanac",
                "service.version": __version__,
                "gcp.project_id": self._project,
            }
        )

        def send(spans: Sequence[Span]) -> None:
            if exporter.export([_readable(each, resource) for each in spans]) is (
                SpanExportResult.FAILURE
            ):
                raise OSError(f"{self._endpoint}: not reached, or it refuses them")

        return send

    def _session(self) -> Session:
        import google.auth
        from google.auth.transport.requests import AuthorizedSession

        credentials, _ = google.auth.default(scopes=[_SCOPE])
        session: Session = AuthorizedSession(credentials)  # type: ignore[no-untyped-call]
        return session


def _readable(span: Span, resource: Any) -> ReadableSpan:
    """Return the span as OpenTelemetry has it."""
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

    def context(span_id: str, remote: bool) -> SpanContext:
        flags = TraceFlags(TraceFlags.SAMPLED)
        return SpanContext(int(span.trace_id, 16), int(span_id, 16), remote, flags)

    attributes = {"code.function.name": span.function.replace(":", "."), **clean(span.attributes)}
    return ReadableSpan(
        span.name,
        context(span.span_id, remote=False),
        parent=context(span.parent, remote=True) if span.parent else None,
        resource=resource,
        attributes=attributes,
        kind=SpanKind.INTERNAL,
        status=Status(StatusCode.ERROR, span.error) if span.error else Status(StatusCode.UNSET),
        start_time=span.start,
        end_time=span.start + int(span.seconds * 1e9),
    )
