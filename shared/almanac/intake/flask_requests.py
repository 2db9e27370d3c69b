"""Between flask, by which functions-framework calls a function, and our requests and answers."""

from __future__ import annotations

from collections.abc import Callable

import flask

from almanac.intake.answers import Answer, HttpRequest


def respond(request: flask.Request, answer: Callable[[HttpRequest], Answer]) -> flask.Response:
    """Return the answer to the request."""
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
