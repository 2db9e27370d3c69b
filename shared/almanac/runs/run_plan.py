"""plan.json: everything about a run that is decided before its contacts are looked at."""

from __future__ import annotations

import datetime as dt
from typing import Literal

from pydantic import BaseModel, ConfigDict

from almanac.planning.brief import Brief, Instance

Reason = Literal["daily", "manual", "change"]


class SnapshotRef(BaseModel):
    """The database that the run plans on: one generation of one object."""

    model_config = ConfigDict(frozen=True)

    name: str
    generation: int
    size: int
    crc32c: str
    version: int
    pointer: int  # generation of current.json that names the version


class Asked(BaseModel):
    """Who asked for the run, and when: it travels on if the run must be asked for again."""

    model_config = ConfigDict(frozen=True)

    base: str  # the run id of the first attempt
    attempt: int = 1
    request_id: str
    requested_at: dt.datetime
    force: bool = False  # also after a commit


class PlannedChange(BaseModel):
    """A campaign change that the run applies."""

    model_config = ConfigDict(frozen=True)

    event_id: str
    campaign_instance_id: int
    changes: dict[str, str | None]
    changed_by: str | None = None


class RunPlan(BaseModel):
    """What the orchestrator decided; shards and merge read it and nothing else of the request."""

    model_config = ConfigDict(frozen=True)

    org_id: str
    run_id: str
    reason: Reason
    asked: Asked
    brief: Brief  # with the changes applied
    snapshot: SnapshotRef
    total_contacts: int  # all rows of `contacts`
    scope: list[tuple[int, int]] | None  # ranges of contact ids; None: everyone
    # With changes only the contacts that they affect are in scope; before: the instances that
    # they change, as they were.
    changes: list[PlannedChange] = []
    before: list[Instance] = []
    shards: list[tuple[int, int]]  # first and last contact id, inclusive
    started_at: dt.datetime  # UTC: the time that the rows of this run carry

    def fragment_mark(self, shard: int) -> str:
        """What a fragment of this run says of itself, so that no other passes for it."""
        seen = f"{self.snapshot.generation} {self.snapshot.crc32c}"
        return f"{self.org_id} {self.run_id} {shard} {seen} {self.started_at.isoformat()}"

    @property
    def as_of(self) -> dt.date:
        return self.brief.as_of

    @property
    def t0(self) -> dt.date:
        return self.brief.t0

    @property
    def timestamp(self) -> str:
        """started_at as SQLite's CURRENT_TIMESTAMP writes it."""
        return self.started_at.strftime("%Y-%m-%d %H:%M:%S")
