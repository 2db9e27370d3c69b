"""Between functions-framework, which calls a function by flask or starlette, and our requests."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from almanac.intake.answers import MAX_BODY, Answer, HttpRequest
from almanac.tracing import flush, is_recording, root

if TYPE_CHECKING:
    import flask
    import starlette.requests
    import starlette.responses


def respond(request: flask.Request, answer: Callable[[HttpRequest], Answer]) -> flask.Response:
    """Return the answer to a request, as flask has them."""
    import flask

    headers = {name.lower(): value for name, value in request.headers.items()}
    with root("webhooks", respond, headers):
        given = answer(
            HttpRequest(
                method=request.method,
                path=request.path,
                query=request.query_string.decode("latin-1"),
                headers=headers,
                read=request.stream.read,
            )
        )
    flush()
    return flask.Response(
        given.body, given.code, headers=dict(given.headers), content_type=given.content_type
    )


async def respond_async(
    request: starlette.requests.Request, answer: Callable[[HttpRequest], Awaitable[Answer]]
) -> starlette.responses.Response:
    """Return the answer to a request, as starlette has them."""
    import starlette.responses

    body = await _body(request)
    asked = dict(request.headers)
    with root("intake", respond_async, asked):
        given = await answer(
            HttpRequest(
                method=request.method,
                path=request.scope["path"],
                query=request.scope["query_string"].decode("latin-1"),
                headers=asked,
                read=lambda limit: body[:limit],
            )
        )
    if is_recording():
        await asyncio.to_thread(flush)
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
