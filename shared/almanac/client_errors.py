"""What the errors of client libraries (Google's, requests, urllib3) mean, in our words.

Their own texts hold JSON, class names and addresses with tokens: these go to the log only, at the
level DEBUG. Google's libraries are imported only to look at an error of theirs.
"""

from __future__ import annotations

import http.client
import socket
import ssl
from collections.abc import Iterator

PASSING = frozenset({408, 429, 499, 500, 502, 503, 504})  # statuses that a retry may not meet
_STATUSES = {
    400: "the request is refused as invalid",
    401: "the credentials are not accepted",
    403: "access is denied",
    404: "it does not exist",
    408: "no answer in time",
    409: "another request is in its way",
    412: "it has changed meanwhile",
    413: "the request is too large",
    429: "too many requests at once, or a quota is used up",
    499: "the request was broken off",
    500: "the service has an internal error",
    501: "the service cannot do this",
    502: "the service is not available",
    503: "the service is not available",
    504: "no answer in time",
}
_OTHER = "the answer, or the request, is not understood"
_MOST_CAUSES = 20


def status_of(error: BaseException) -> int | None:
    """Return the HTTP status that the error is about; None if there was no answer."""
    for each in _causes(error):
        code = getattr(each, "code", None)
        if not isinstance(code, int) or isinstance(code, bool):
            code = getattr(getattr(each, "response", None), "status_code", None)
        if isinstance(code, int) and 300 <= code < 600:
            return int(code)
    return None


def is_passing(error: BaseException) -> bool:
    """Return whether the same request may succeed later."""
    from google.auth.exceptions import GoogleAuthError

    if (status := status_of(error)) is not None:
        return status in PASSING
    if isinstance(error, GoogleAuthError) and error.retryable:
        return True
    return _kind(error)[1]


def may_have_arrived(error: BaseException) -> bool:
    """Return whether the request may have taken effect: it was sent, and was not refused."""
    import requests
    from google.auth.exceptions import GoogleAuthError
    from urllib3.exceptions import NewConnectionError

    if (status := status_of(error)) is not None:
        return status >= 500 or status in (408, 499)
    unsent = (GoogleAuthError, NewConnectionError, requests.ConnectTimeout, ConnectionRefusedError)
    return not any(isinstance(each, (*unsent, socket.gaierror)) for each in _causes(error))


def in_words(error: BaseException) -> str:
    """Return what the error means; write its own text to the log."""
    from almanac.logs import get_log

    get_log().debug("client error", kind=type(error).__name__, text=str(error))
    if (status := status_of(error)) is None:
        return _kind(error)[0]
    return f"{_STATUSES.get(status, _by_class(status))} (status {status})"


def _by_class(status: int) -> str:
    return "the service has an error" if status >= 500 else "the request is refused"


def _kind(error: BaseException) -> tuple[str, bool]:
    """Return what became of a request without an answer, and whether it may succeed later."""
    causes = list(_causes(error))
    for kinds, words, passing in _kinds():
        if any(isinstance(each, kinds) for each in causes):
            return words, passing
    return _OTHER, False


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield the error and those that it was made of."""
    waiting: list[object] = [error]
    seen: set[int] = set()
    while waiting and len(seen) < _MOST_CAUSES:
        each = waiting.pop(0)
        if isinstance(each, BaseException) and id(each) not in seen:
            seen.add(id(each))
            yield each
            waiting += [getattr(each, "cause", None), getattr(each, "reason", None)]
            waiting += [*each.args, each.__cause__]


def _kinds() -> tuple[tuple[tuple[type[BaseException], ...], str, bool], ...]:
    """Return kinds of errors, the more specific ones first: types, words, may succeed later."""
    import requests
    from google.api_core import exceptions as api
    from google.auth import exceptions as auth
    from urllib3 import exceptions as pools

    return (
        ((socket.gaierror, pools.NameResolutionError), "its host name is not found", True),
        ((ConnectionRefusedError,), "the connection is refused", True),
        (
            (ssl.SSLError, requests.exceptions.SSLError, pools.SSLError),
            "no secure connection (TLS) is possible: look at certificates and the clock",
            True,
        ),
        ((requests.exceptions.ProxyError, pools.ProxyError), "the proxy does not answer", True),
        ((pools.NewConnectionError,), "the network, or the host, is not reached", True),
        (
            (
                TimeoutError,
                requests.Timeout,
                pools.TimeoutError,
                auth.TimeoutError,
                api.RetryError,
            ),
            "no answer in time",
            True,
        ),
        (
            (
                ConnectionError,
                requests.ConnectionError,
                requests.exceptions.ChunkedEncodingError,
                pools.ProtocolError,
                pools.PoolError,
                pools.IncompleteRead,
                pools.InvalidChunkLength,
                http.client.BadStatusLine,
                http.client.IncompleteRead,
                http.client.ResponseNotReady,
                auth.TransportError,
            ),
            "the connection broke off",
            True,
        ),
        (
            (auth.DefaultCredentialsError,),
            "there are no usable credentials: gcloud auth application-default login makes some",
            False,
        ),
        (
            (auth.GoogleAuthError,),
            "the credentials are not accepted: gcloud auth application-default login renews "
            "those of a person",
            False,
        ),
        ((api.ServerError,), "the service has an error", True),
    )
