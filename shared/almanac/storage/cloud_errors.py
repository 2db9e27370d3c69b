"""Translate Cloud Storage's errors, and missing answers, into Almanac's errors."""

from __future__ import annotations

import http.client
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

import requests
import urllib3
from google.api_core import exceptions as api
from google.auth.exceptions import GoogleAuthError
from google.cloud.storage.exceptions import (  # type: ignore[import-untyped]
    DataCorruption,
    InvalidResponse,
)

from almanac.client_errors import PASSING, in_words, is_passing, may_have_arrived, status_of
from almanac.errors import (
    AlmanacError,
    ConfigError,
    Corrupt,
    NotFound,
    OutcomeUnknown,
    PreconditionFailed,
    StorageError,
    TransientError,
)
from almanac.storage import layout
from almanac.storage.patience import Patience
from almanac.storage.store import TRANSFERS

if TYPE_CHECKING:
    from google.cloud.storage import Blob  # type: ignore[import-untyped]

T = TypeVar("T")

FAILURES = (
    api.GoogleAPIError,
    DataCorruption,
    InvalidResponse,
    GoogleAuthError,
    requests.RequestException,
    urllib3.exceptions.HTTPError,
    http.client.HTTPException,
    ConnectionError,
    TimeoutError,
)


@contextmanager
def translated(bucket: str, name: str, patience: Patience) -> Iterator[None]:
    """Turn the library's errors into Almanac's, which name the object."""
    try:
        yield
    except FAILURES as error:
        raise _meaning(bucket, name, error, patience) from error


def carried_out(bucket: str, name: str, patience: Patience, change: Callable[[], T]) -> T:
    """Call change, a write or deletion that does not retry itself, with retries; return its result.

    An upload that the store refuses because it arrived damaged is sent TRANSFERS times in all.
    If one attempt may have taken effect and no later one succeeded, the outcome is unknown whatever
    the last answer was: if the answer to a create-only write is lost, the retry gets 412 although
    this process wrote the object. The callers read back and compare (write_once, put_file_once,
    publish, lease). PreconditionFailed and NotFound mean that no attempt took effect.
    """
    tries: list[Exception] = []

    def attempt() -> T:
        while True:
            try:
                return change()
            except FAILURES as error:
                tries.append(error)
                if not _was_damaged(error) or sum(map(_was_damaged, tries)) >= TRANSFERS:
                    raise

    try:
        return patience(attempt)()
    except FAILURES as error:
        lost = next((each for each in tries if may_have_arrived(each)), None)
        if lost is None:
            raise _meaning(bucket, name, error, patience) from error
        raise OutcomeUnknown(
            name,
            f"Cloud Storage: {in_words(lost)}; {patience}",
            layout.shown_by(name),
        ) from error


def _was_damaged(error: Exception) -> bool:
    """Return whether the store refused an upload because its content had another CRC32C."""
    return isinstance(error, api.BadRequest) and "Provided CRC32C" in str(error)


def _meaning(bucket: str, name: str, error: Exception, patience: Patience) -> AlmanacError:
    status = status_of(error)
    if status == http.client.NOT_FOUND:
        if "bucket does not exist" in str(error):
            return ConfigError(f"gs://{bucket}: there is no such bucket; check its name")
        return NotFound(f"{name}: no such object")
    if status == http.client.PRECONDITION_FAILED:
        return PreconditionFailed(f"{name}: is at another generation than expected")
    said = in_words(error)
    if status in (http.client.FORBIDDEN, http.client.UNAUTHORIZED):
        return StorageError(
            f"gs://{bucket}: access to {name or 'its objects'} is denied; the account needs the "
            f"role Storage Object User on the bucket: {said}"
        )
    if status is None and isinstance(error, GoogleAuthError) and not is_passing(error):
        return StorageError(f"gs://{bucket}: {said}")
    if _was_damaged(error):
        return TransientError(
            f"{name}: was damaged on its way to the store {TRANSFERS} times, and refused there"
        )
    if status in PASSING or (status is None and is_passing(error)):
        return TransientError(f"{name}: Cloud Storage gives no answer: {said}; {patience}")
    return StorageError(f"{name}: Cloud Storage refused: {said}")


def described(name: str, blob: Blob) -> tuple[int, str]:
    """Return generation and CRC32C from the answer to a request; raise Corrupt without them."""
    try:
        generation, crc32c = blob.generation, blob.crc32c
    except ValueError:  # no number
        generation = crc32c = None
    if generation is None or crc32c is None:
        raise Corrupt(f"{name}: was received without its checksum and generation")
    return generation, crc32c
