"""Requests and answers over HTTP, independent of the framework; problems are those of RFC 9457."""

from __future__ import annotations

import http
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from almanac.errors import AlmanacError

JSON = "application/json"
PROBLEM = "application/problem+json"
MAX_BODY = 10 * 1024 * 1024  # bytes


@dataclass(frozen=True)
class HttpRequest:
    """A request; the names of headers are in lower case, the query has no question mark."""

    method: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    # at most so many bytes of the body, as they come
    read: Callable[[int], bytes] = lambda limit: b""

    def body(self) -> bytes:
        """Return the body; raise HttpProblem (413, 415) if it is too large or compressed."""
        if self.headers.get("content-encoding", "identity").lower() != "identity":
            raise HttpProblem(415, "Content-Encoding: a body is taken as it is, not compressed")
        length = self.headers.get("content-length", "")
        if not (length.isdecimal() and int(length) > MAX_BODY):
            data = self.read(MAX_BODY + 1)
            if len(data) <= MAX_BODY:
                return data
        raise HttpProblem(413, f"the body is larger than {MAX_BODY} bytes (10 MiB)")

    def content_type(self) -> str:
        """Return the type of the content in lower case, without its parameters."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


@dataclass(frozen=True)
class Answer:
    """An answer over HTTP."""

    code: int
    body: bytes = b""
    content_type: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)


class HttpProblem(AlmanacError):
    """A request that is answered with an error: its code, what is wrong, and more members."""

    def __init__(
        self, code: int, detail: str, headers: Mapping[str, str] | None = None, **more: Any
    ) -> None:
        super().__init__(detail)
        self.code = code
        self.headers = dict(headers or {})
        self.more = more

    def answer(self) -> Answer:
        """Return the answer, a document of problem details."""
        document = {
            "type": "about:blank",
            "title": http.HTTPStatus(self.code).phrase,
            "status": self.code,
            "detail": str(self),
            **self.more,
        }
        return Answer(self.code, to_json(document), PROBLEM, self.headers)


def to_json(document: Mapping[str, Any]) -> bytes:
    """Return the document as an answer's body; what was sent may be no valid Unicode."""
    return json.dumps(document).encode() + b"\n"


def answered(handle: Callable[[], Answer]) -> Answer:
    """Return what handle returns, or the answer of the problem that it raises."""
    try:
        return handle()
    except HttpProblem as problem:
        return problem.answer()


def method_not_allowed(allowed: str) -> HttpProblem:
    return HttpProblem(405, f"here the method is {allowed}", {"Allow": allowed})
