"""plan.json: all that is decided about a run before its contacts are planned."""

from __future__ import annotations

import datetime as dt
import functools
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from almanac.config_values import VALID
from almanac.contact_ranges import ContactRange
from almanac.errors import Corrupt, RequestError
from almanac.messaging.planned_change import PlannedChange
from almanac.organizations.snapshots import SnapshotRef
from almanac.planning.brief import Instance, RunContext
from almanac.storage import layout
from almanac.storage.store import ObjectStore, read_or_none
from almanac.validation_text import first_problem_text

Reason = Literal["daily", "manual", "change", "replan"]


class RequestOrigin(BaseModel):
    """Who requested the run, and when; the same in every attempt. In plan.json the key `asked`."""

    model_config = ConfigDict(frozen=True)

    base: str  # the run id of the first attempt
    attempt: int = 1
    request_id: str
    requested_at: dt.datetime
    force: bool = False  # run again, also after a commit


class RunPlan(BaseModel):
    """The plan of a run; shards and merge read it and nothing else of the request."""

    model_config = ConfigDict(
        frozen=True, serialize_by_alias=True, validate_by_name=True, validate_by_alias=True
    )

    org_id: str
    run_id: str
    reason: Reason
    asked: RequestOrigin
    # with the changes applied; "brief" in plan.json
    context: RunContext = Field(alias="brief")
    snapshot: SnapshotRef
    total_contacts: int  # all rows of `contacts`
    scope: list[ContactRange] | None  # None: all contacts
    # With changed instances only the contacts that they affect are in scope, and those of replan;
    # before: these instances as they were.
    changes: list[PlannedChange] = []
    before: list[Instance] = []
    replan: list[ContactRange] = []
    shards: list[ContactRange]
    started_at: dt.datetime  # UTC: the time that the rows of this run carry

    def fragment_mark(self, shard: int) -> str:
        """Return the mark of a shard's fragment, which no fragment of another run or shard has."""
        snapshot = f"{self.snapshot.generation} {self.snapshot.crc32c}"
        if self.snapshot.absorbed is not None:
            snapshot += f" {self.snapshot.absorbed}"
        return f"{self.org_id} {self.run_id} {shard} {snapshot} {self.started_at.isoformat()}"

    @property
    def of_affected(self) -> bool:
        """Whether only the contacts that changed instances affect are in scope, and `replan`."""
        return bool(self.changes or self.before)

    @property
    def of_all_contacts(self) -> bool:
        return self.scope is None and not self.of_affected

    @property
    def as_of(self) -> dt.date:
        return self.context.as_of

    @property
    def t0(self) -> dt.date:
        return self.context.t0

    @property
    def timestamp(self) -> str:
        """started_at in the format of SQLite's CURRENT_TIMESTAMP."""
        return self.started_at.strftime("%Y-%m-%d %H:%M:%S")


@functools.lru_cache(maxsize=4)
def _parse_plan(data: bytes) -> RunPlan:
    try:
        return RunPlan.model_validate_json(data, context=VALID)
    except ValidationError as error:
        raise Corrupt(f"plan.json of a run: {first_problem_text(error)}") from None


def plan_or_none(store: ObjectStore, org_id: str, run_id: str) -> RunPlan | None:
    """Return the run's plan; None if it is not planned yet."""
    found = read_or_none(store, layout.plan(org_id, run_id))
    return _parse_plan(found.data) if found else None


def read_plan(store: ObjectStore, org_id: str, run_id: str) -> RunPlan:
    """Return the run's plan; raise RequestError if there is no such run."""
    plan = plan_or_none(store, org_id, run_id)
    if plan is None:
        name = layout.plan(org_id, run_id)
        raise RequestError(
            f"run {run_id} of organization {org_id}: no such run ({name} is missing)"
        )
    return plan
