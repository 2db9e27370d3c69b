"""Which run a request is about: the first attempt at it, or a later one."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from almanac.names import attempt_run_id
from almanac.runs.results import RunResult, result_of
from almanac.storage.store import ObjectStore


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
