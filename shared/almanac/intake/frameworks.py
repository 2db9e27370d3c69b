"""Between functions-framework, which calls a function by flask or starlette, and our requests."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from almanac.intake.answers import MAX_BODY, Answer, HttpRequest

if TYPE_CHECKING:
    import flask
    import starlette.requests
    import starlette.responses


def respond(request: flask.Request, answer: Callable[[HttpRequest], Answer]) -> flask.Response:
    """Return the answer to a request, as flask has them."""
    import flask

    given = answer(
        HttpRequest(
            method=request.method,
            path=request.path,
            query=request.query_string.decode("latin-1"),
            headers={name.lower(): value for name, value in request.headers.items()},
            read=request.stream.read,
        )
    )
    return flask.Response(
        given.body, given.code, headers=dict(given.headers), content_type=given.content_type
    )


async def respond_async(
    request: starlette.requests.Request, answer: Callable[[HttpRequest], Awaitable[Answer]]
) -> starlette.responses.Response:
    """Return the answer to a request, as starlette has them."""
    import starlette.responses

    body = await _body(request)
    given = await answer(
        HttpRequest(
            method=request.method,
            path=request.scope["path"],
            query=request.scope["query_string"].decode("latin-1"),
            headers=dict(request.headers),
            read=lambda limit: body[:limit],
        )
    )
    headers = {**given.headers, "Content-Type": given.content_type}
    return starlette.responses.Response(given.body, given.code, headers)


async def _body(request: starlette.requests.Request) -> bytes:
    """Return the body as far as one of a permitted size reaches, and a byte more."""
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length) > MAX_BODY:
        return b""  # it is refused for what it says
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        chunks.append(chunk)
        size += len(chunk)
        if size > MAX_BODY:
            break
    return b"".join(chunks)
