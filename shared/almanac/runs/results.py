"""result.json: how a run ended. It is written once, and nothing of the run happens after it."""

from __future__ import annotations

import datetime as dt
import itertools
from dataclasses import dataclass
from typing import Literal

import apsw
from pydantic import AwareDatetime, Field

from almanac.errors import Corrupt, DatabaseError, InputError, NotFound, PreconditionFailed
from almanac.names import attempt_run_id
from almanac.storage import layout
from almanac.storage.documents import Document, read_document, to_json
from almanac.storage.store import ObjectStore, write_once

State = Literal["committed", "failed", "superseded", "rejected"]


class RunResult(Document):
    """How a run ended, and why.

    committed: version is in force, or was. failed: for the reason. superseded: another writer
    published first; the request goes on as the next attempt. rejected: it could never succeed.
    """

    org_id: str
    run_id: str
    state: State
    reason: str | None = None
    request_id: str = ""  # the message that asked for this attempt
    again: bool = False  # failed through no fault of the request, which may be tried once more
    as_of: dt.date | None = None
    version: int | None = None
    # the run that did it, where that is another one
    by_run: str | None = None
    started_at: AwareDatetime | None = None
    finished_at: AwareDatetime
    seconds: dict[str, float] = Field(default_factory=dict)  # of the merge, by step
    planned: int | None = None  # messages planned and skipped, of the contacts in scope
    skipped: int | None = None


def result_of(store: ObjectStore, org_id: str, run_id: str) -> RunResult | None:
    """How the run ended; None while it has not."""
    found = read_document(store, layout.result(org_id, run_id), RunResult)
    return found[0] if found else None


def record_result(store: ObjectStore, result: RunResult) -> RunResult:
    """Write how the run ended, unless that is written already; what stands there then."""
    try:
        write_once(store, layout.result(result.org_id, result.run_id), to_json(result))
    except PreconditionFailed:
        there = result_of(store, result.org_id, result.run_id)
        if there is None:
            raise
        return there
    return result


@dataclass(frozen=True)
class Attempt:
    """One attempt at what was asked for: still to be done, or how it ended."""

    run_id: str
    number: int
    ended: RunResult | None


def attempt_at(
    store: ObjectStore, org_id: str, base: str, request_id: str, *, force: bool = False
) -> Attempt:
    """The attempt that a message with this request id asks for.

    base is the run id of the first attempt. What was superseded goes on as the next attempt, for
    whichever delivery comes first. What failed is tried again by another message, by the same one
    only if the failure was not its own; what was committed only by another message with force.
    """
    for number in itertools.count(1):
        run_id = attempt_run_id(base, number)
        result = result_of(store, org_id, run_id)
        if result is None or not _goes_on(result, request_id, force):
            return Attempt(run_id, number, result)
    raise AssertionError("counting never ends")


def superseded_before(store: ObjectStore, org_id: str, base: str, number: int) -> int:
    """How many attempts in a row, just before this one, other writers made void."""
    count = 0
    for earlier in range(number - 1, 0, -1):
        result = result_of(store, org_id, attempt_run_id(base, earlier))
        if result is None or result.state != "superseded":
            break
        count += 1
    return count


def _goes_on(result: RunResult, request_id: str, force: bool) -> bool:
    """Whether the request asks for an attempt after this one."""
    if result.state == "superseded":
        return True
    another = result.request_id != request_id
    return another and force if result.state == "committed" else another or result.again


def is_final(error: Exception) -> bool:
    """Whether the same message would fail the same way again.

    The fault is then in what the message asks for or in the data that it names. A full disk or
    broken memory are of the machine: another one takes the next delivery.
    """
    if isinstance(error, DatabaseError):
        return not isinstance(error.__cause__, apsw.FullError | apsw.IOError | apsw.NoMemError)
    return isinstance(error, InputError | Corrupt | NotFound)
