"""result.json: how a run ended. It is written once, and nothing of the run happens after it."""

from __future__ import annotations

import datetime as dt
from typing import Literal

from pydantic import AwareDatetime, Field

from almanac.errors import PreconditionFailed
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
