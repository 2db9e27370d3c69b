"""result.json: how a run ended. It is written once and ends the run."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Literal, assert_never

import apsw
from pydantic import AwareDatetime, Field

from almanac.errors import (
    AlmanacError,
    Corrupt,
    DatabaseError,
    InputError,
    NotFound,
    PreconditionFailed,
)
from almanac.logs import get_log
from almanac.names import attempt_run_id
from almanac.organizations.organizations import is_whole_run
from almanac.storage import layout
from almanac.storage.documents import Document, read_document, to_json
from almanac.storage.lease import release
from almanac.storage.store import ObjectStore, write_once

# The line that the service level "a change planned in 10 minutes" counts (infra/slo.tf).
CHANGE_ENDED = "change ended"

State = Literal["committed", "failed", "superseded", "rejected"]


class RunResult(Document):
    """How a run ended, and why.

    committed: version is or was the current one. failed: for the reason. superseded: another writer
    published first; the request goes on as the next attempt. rejected: it can never succeed.
    """

    org_id: str
    run_id: str
    state: State
    reason: str | None = None
    request_id: str = ""  # the message that requested this attempt
    again: bool = False  # failed through no fault of the request, which may be retried
    as_of: dt.date | None = None
    version: int | None = None
    # the run that did it, if it was another one
    by_run: str | None = None
    started_at: AwareDatetime | None = None
    requested_at: AwareDatetime | None = None  # when the first attempt was
    finished_at: AwareDatetime
    seconds: dict[str, float] = Field(default_factory=dict)  # of the merge, by step
    planned: int | None = None  # messages planned and skipped, of the contacts in scope
    skipped: int | None = None
    refused: int = 0  # entries of events
    unreadable: dict[str, str] = Field(default_factory=dict)  # as RunEvents


def result_of(store: ObjectStore, org_id: str, run_id: str) -> RunResult | None:
    """Return how the run ended; None while it has not."""
    found = read_document(store, layout.result(org_id, run_id), RunResult)
    return found[0] if found else None


def record_result(store: ObjectStore, result: RunResult) -> RunResult:
    """Write the result unless the run has one; return the result that it has."""
    try:
        write_once(store, layout.result(result.org_id, result.run_id), to_json(result))
    except PreconditionFailed:
        there = result_of(store, result.org_id, result.run_id)
        if there is None:
            raise
        return there
    _log_wait(result)
    return result


def _log_wait(result: RunResult) -> None:
    """Log how long a change waited until it was planned, or failed for good; else nothing."""
    if is_whole_run(result.run_id) or result.requested_at is None or result.again:
        return
    if result.state in ("committed", "failed"):
        waited = result.finished_at - result.requested_at
        get_log().info(
            CHANGE_ENDED,
            org_id=result.org_id,
            run_id=result.run_id,
            state=result.state,
            waited_seconds=round(waited.total_seconds(), 3),
        )


def release_ended(store: ObjectStore, org_id: str, run_id: str) -> None:
    """Release the lease of a run that has a result; an error is a warning in the log.

    Nothing waits for that lease: the next run takes it over, since its run has ended.
    """
    try:
        release(store, org_id, run_id)
    except (AlmanacError, OSError) as error:
        get_log().warning(
            "lease not released, the next run takes it over", run_id=run_id, reason=str(error)
        )


@dataclass(frozen=True)
class Attempt:
    """One attempt at a request; ended is None if it is still to be done."""

    run_id: str
    number: int
    ended: RunResult | None


def attempt_at(
    store: ObjectStore, org_id: str, base: str, request_id: str, *, force: bool = False
) -> Attempt:
    """Return the attempt that a message with this request id is about.

    base is the run id of the first attempt. It is the first attempt that has no result, or whose
    result is final for this request.
    """
    number = 1
    while True:
        run_id = attempt_run_id(base, number)
        result = result_of(store, org_id, run_id)
        if result is None or not _has_next(result, request_id, force):
            return Attempt(run_id, number, result)
        number += 1


def _has_next(result: RunResult, request_id: str, force: bool) -> bool:
    """Whether the request is about an attempt after the one with this result."""
    other_request = result.request_id != request_id
    match result.state:
        case "superseded":  # whichever delivery comes first makes the next attempt
            return True
        case "committed":  # done, unless another message forces it to be done again
            return other_request and force
        case "failed" | "rejected":  # the same message does not repeat its own failure
            return other_request or result.again
        case _:
            assert_never(result.state)


def superseded_before(store: ObjectStore, org_id: str, base: str, number: int) -> int:
    """Return how many attempts in a row just before this one were superseded."""
    count = 0
    for earlier in range(number - 1, 0, -1):
        result = result_of(store, org_id, attempt_run_id(base, earlier))
        if result is None or result.state != "superseded":
            break
        count += 1
    return count


def is_final(error: Exception) -> bool:
    """Whether a retry of the same message would fail in the same way.

    The cause is then in the request or in its data. A full disk or a failed allocation is a fault
    of the machine: another machine may take the next delivery.
    """
    if isinstance(error, DatabaseError):
        return not isinstance(error.__cause__, apsw.FullError | apsw.IOError | apsw.NoMemError)
    return isinstance(error, InputError | Corrupt | NotFound)
