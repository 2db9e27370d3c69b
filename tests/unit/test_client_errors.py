"""No text of a client library reaches a user: its errors are put into our words."""

from __future__ import annotations

import http.client
import inspect
import json
import re
import socket
import ssl
from collections.abc import Iterator
from io import BytesIO
from types import ModuleType
from typing import Any

import google.api_core.exceptions
import google.auth.exceptions
import google.cloud.storage.exceptions  # type: ignore[import-untyped]
import pytest
import requests
import urllib3

from almanac.client_errors import in_words, is_passing, may_have_arrived
from almanac.errors import AlmanacError, StorageError, TransientError
from almanac.storage.cloud_errors import FAILURES, carried_out, translated
from almanac.storage.patience import Patience

api: Any = google.api_core.exceptions
auth: Any = google.auth.exceptions
storage: Any = google.cloud.storage.exceptions

TOKEN = "ya29.secret"
RAW = json.dumps({"error": {"code": 503, "message": f"https://x.test/o?access_token={TOKEN}"}})
MODULES = (api, auth, storage, requests.exceptions, urllib3.exceptions)
LIBRARIES = re.compile(
    r"[{}\[\]<>=]|https?:|secret|[A-Za-z]+(Error|Exception)|[a-z][A-Z]|urllib|None"
)


def response(status: int) -> requests.Response:
    made = requests.Response()
    made.status_code = status
    made.reason = RAW
    made._content = RAW.encode()
    made.request = requests.Request("GET", f"https://x.test/o?access_token={TOKEN}").prepare()
    return made


def classes(module: ModuleType) -> Iterator[type[Exception]]:
    for _, kind in inspect.getmembers(module, inspect.isclass):
        if issubclass(kind, Exception) and not issubclass(kind, Warning):
            yield kind


def made(kind: type[Exception]) -> Exception:
    """An error of the class with a raw text, in whatever way the class takes it."""
    arguments: tuple[tuple[Any, ...], ...] = (
        (RAW,),
        (response(503), RAW),
        (None, RAW),
        (RAW, OSError(RAW)),
        (None, RAW, OSError(RAW)),
        ("host", None, socket.gaierror(RAW)),
        (RAW, RAW, 0),
        (RAW, RAW, RAW, 0),
        (1, 1),
        (urllib3.response.HTTPResponse(BytesIO(), original_response=None), b"1"),
        (),
    )
    for each in arguments:
        try:
            error = kind(*each)
            str(error)
            return error
        except (TypeError, AttributeError, ValueError):
            continue
    raise AssertionError(f"{kind}: cannot be made")


ERRORS = [made(kind) for module in MODULES for kind in classes(module)] + [
    api.from_http_response(response(status)) for status in range(400, 512)
]


def test_no_error_of_a_library_shows_its_own_text() -> None:
    assert len(ERRORS) > 200
    for error in ERRORS:
        said = in_words(error)
        assert not LIBRARIES.search(said), (error, said)
        if isinstance(error, FAILURES):
            with pytest.raises(AlmanacError, match=r"^(a|gs://b): ") as raised:
                raised_by(error)
            assert not LIBRARIES.search(str(raised.value).replace("gs://", "")), raised.value


def raised_by(error: Exception) -> None:
    with translated("b", "a", Patience(0, is_passing)):
        raise error


@pytest.mark.parametrize(
    ("error", "words", "passes", "arrived"),
    [
        (api.TooManyRequests(RAW), "too many requests", True, False),
        (api.Forbidden(RAW), "access is denied", False, False),
        (api.ServiceUnavailable(RAW), "not available", True, True),
        (storage.InvalidResponse(response(408), RAW), "no answer in time", True, True),
        (requests.ReadTimeout(RAW), "no answer in time", True, True),
        (requests.ConnectTimeout(RAW), "no answer in time", True, False),
        (
            requests.ConnectionError(urllib3.exceptions.ProtocolError(RAW, ConnectionResetError())),
            "broke off",
            True,
            True,
        ),
        (
            requests.ConnectionError(
                urllib3.exceptions.MaxRetryError(None, RAW, ConnectionRefusedError(111, RAW))  # type: ignore[arg-type]
            ),
            "connection is refused",
            True,
            False,
        ),
        (requests.ConnectionError(socket.gaierror(-2, RAW)), "host name is not found", True, False),
        (requests.exceptions.SSLError(ssl.SSLError(RAW)), "TLS", True, True),
        (auth.TransportError(requests.ConnectionError(RAW)), "broke off", True, False),
        (auth.RefreshError(RAW), "credentials are not accepted", False, False),
        (auth.DefaultCredentialsError(RAW), "no usable credentials", False, False),
        (http.client.IncompleteRead(b"", 1), "broke off", True, True),
        (requests.exceptions.InvalidURL(RAW), "not understood", False, True),
    ],
)
def test_the_kind_of_an_error_is_named(
    error: Exception, words: str, passes: bool, arrived: bool
) -> None:
    assert words in in_words(error)
    assert is_passing(error) == passes
    assert may_have_arrived(error) == arrived


def test_a_write_that_never_left_is_no_unknown_outcome() -> None:
    def change() -> None:
        raise requests.ConnectionError(ConnectionRefusedError(111, RAW))

    with pytest.raises(TransientError, match=r"^a: Cloud Storage gives no answer: the connection"):
        carried_out("b", "a", Patience(0, is_passing), change)


def test_denied_access_names_the_role() -> None:
    with pytest.raises(StorageError, match="Storage Object User"):
        raised_by(api.Forbidden(RAW))
