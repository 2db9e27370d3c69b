"""Translate Cloud Storage's errors, and missing answers, into Almanac's errors."""

from __future__ import annotations

import http.client
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import requests
import urllib3
from google.api_core import exceptions as api
from google.api_core.retry import Retry
from google.auth.exceptions import GoogleAuthError
from google.cloud.storage.exceptions import InvalidResponse  # type: ignore[import-untyped]
from google.cloud.storage.retry import DEFAULT_RETRY  # type: ignore[import-untyped]

from almanac.errors import (
    AlmanacError,
    ConfigError,
    NotFound,
    OutcomeUnknown,
    PreconditionFailed,
    StorageError,
    TransientError,
)

T = TypeVar("T")

_FAILURES = (
    api.GoogleAPIError,
    InvalidResponse,
    GoogleAuthError,
    requests.RequestException,
    urllib3.exceptions.HTTPError,
    http.client.HTTPException,
    ConnectionError,
)
_PASSING = {408, 429, 500, 502, 503, 504}  # statuses that a retry may not meet
_LONGEST_PAUSE = 16.0  # seconds
_SHOWN = 300  # characters of Google's message


def retrying(patience: float, first_pause: float) -> Retry:
    """Make Google's retry of transient errors (429, 5xx, no answer), for patience seconds.

    Pauses are random between 0 and a bound that starts at first_pause seconds and doubles.
    """
    retry: Retry = DEFAULT_RETRY.with_timeout(patience).with_delay(
        initial=first_pause, maximum=_LONGEST_PAUSE, multiplier=2.0
    )
    return retry


@contextmanager
def translated(bucket: str, name: str) -> Iterator[None]:
    """Turn the library's errors into Almanac's, which name the object."""
    try:
        yield
    except _FAILURES as error:
        raise _meaning(bucket, name, error) from error


def carried_out(bucket: str, name: str, retry: Retry, change: Callable[[], T]) -> T:
    """Call change, a write or deletion that does not retry itself, with retries; return its result.

    If one attempt may have taken effect and no later one succeeded, the outcome is unknown whatever
    the last answer was: if the answer to a create-only write is lost, the retry gets 412 although
    this process wrote the object. The callers read back and compare (write_once, put_file_once,
    publish, lease). PreconditionFailed and NotFound mean that no attempt took effect.
    """
    tries: list[Exception] = []

    def attempt() -> T:
        try:
            return change()
        except _FAILURES as error:
            tries.append(error)
            raise

    try:
        return retry(attempt)()
    except _FAILURES as error:
        if any(map(_may_have_happened, tries)):
            raise OutcomeUnknown(
                f"{name}: whether it was changed is unknown after {len(tries)} tries, "
                f"the last of them: {_said(tries[-1])}"
            ) from error
        raise _meaning(bucket, name, error) from error


def _may_have_happened(error: Exception) -> bool:
    """Whether a request with this error may have taken effect."""
    error = _last(error)
    status = _status(error)
    if status is not None:
        return status >= 500 or status == http.client.REQUEST_TIMEOUT
    return not isinstance(error, GoogleAuthError)


def _meaning(bucket: str, name: str, error: Exception) -> AlmanacError:
    if isinstance(error, api.NotFound):
        if "bucket does not exist" in str(error):
            return ConfigError(f"gs://{bucket}: there is no such bucket; check its name")
        return NotFound(f"{name}: no such object")
    if isinstance(error, api.PreconditionFailed):
        return PreconditionFailed(f"{name}: is at another generation than expected")
    if isinstance(error, (api.Forbidden, api.Unauthorized)):
        return StorageError(
            f"gs://{bucket}: access to {name or 'its objects'} is denied; the account needs the "
            f"role Storage Object User on the bucket: {_said(error)}"
        )
    if isinstance(error, GoogleAuthError) and not error.retryable:
        return StorageError(f"gs://{bucket}: the credentials cannot be used: {_said(error)}")
    if isinstance(error, api.BadRequest) and "Provided CRC32C" in str(error):
        return TransientError(f"{name}: was damaged on its way to the store, and refused there")
    if _status(error) in {None, *_PASSING}:
        return TransientError(f"{name}: Cloud Storage gives no answer: {_said(error)}")
    return StorageError(f"{name}: Cloud Storage refused: {_said(error)}")


def _last(error: Exception) -> Exception:
    """Return the error of the last of the library's own attempts."""
    cause = error.cause if isinstance(error, api.RetryError) else None
    return cause if isinstance(cause, Exception) else error


def _status(error: Exception) -> int | None:
    """Return the HTTP status of the error; None if there was no answer."""
    if isinstance(error, InvalidResponse):
        return int(error.response.status_code)
    if isinstance(error, api.GoogleAPICallError) and error.code is not None:
        return int(error.code)
    return None


def _said(error: Exception) -> str:
    error = _last(error)
    if isinstance(error, InvalidResponse):
        return f"{error.response.status_code} {error.response.reason}"
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."
