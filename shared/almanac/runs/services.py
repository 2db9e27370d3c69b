"""The one place where a run's parts, real or fake, come together."""

from __future__ import annotations

import datetime as dt
import functools
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from pydantic import ValidationError

from almanac.errors import Corrupt, RequestError
from almanac.messaging.bus import Bus
from almanac.messaging.topics import Topics
from almanac.organizations.snapshots import Snapshots
from almanac.runs.run_plan import RunPlan
from almanac.storage import layout
from almanac.storage.store import ObjectStore, read_or_none


class Job(Protocol):
    """Something that runs beside the functions, and may take longer than they."""

    def start(self, arguments: Sequence[str]) -> None:
        """Start it once with these arguments, and do not wait for its end.

        Raises TransientError if it was not started, OutcomeUnknown.
        """
        ...


@dataclass(frozen=True)
class Parts:
    """What the steps of the pipeline work with."""

    store: ObjectStore
    bus: Bus
    snapshots: Snapshots
    workspace: Path  # a folder for files that nobody else sees
    shard_contacts: int = 50_000
    lease_seconds: int = 3600
    topics: Topics = field(default_factory=Topics)
    clock: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC)
    progress: Callable[[str, int, int], None] = field(default=lambda step, done, all_: None)
    # what each delivery calls itself where others of the same run may be at work
    new_holder: Callable[[], str] = lambda: uuid.uuid4().hex[:12]
    merge_job: Job | None = None  # where runs are merged, if not by who gets the last word


@functools.lru_cache(maxsize=4)
def _parse_plan(data: bytes) -> RunPlan:
    try:
        return RunPlan.model_validate_json(data)
    except ValidationError as error:
        raise Corrupt(f"plan.json of a run: {error.errors(include_url=False)[0]['msg']}") from None


def plan_or_none(store: ObjectStore, org_id: str, run_id: str) -> RunPlan | None:
    """The run's plan.json, None if there is none yet."""
    found = read_or_none(store, layout.plan(org_id, run_id))
    return _parse_plan(found.data) if found else None


def read_plan(store: ObjectStore, org_id: str, run_id: str) -> RunPlan:
    """The run's plan.json; RequestError if there is no such run."""
    plan = plan_or_none(store, org_id, run_id)
    if plan is None:
        name = layout.plan(org_id, run_id)
        raise RequestError(
            f"run {run_id} of organization {org_id}: no such run ({name} is missing)"
        )
    return plan
