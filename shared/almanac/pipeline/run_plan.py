"""plan.json: everything about a run that is decided before its contacts are looked at."""

from __future__ import annotations

import datetime as dt

from pydantic import BaseModel, ConfigDict

from almanac.planning.brief import Brief


class SnapshotRef(BaseModel):
    """The database that the run plans on: one generation of one object."""

    model_config = ConfigDict(frozen=True)

    name: str
    generation: int
    size: int
    crc32c: str
    version: int


class RunPlan(BaseModel):
    """What the orchestrator decided; shards and merge read it and nothing else of the request."""

    model_config = ConfigDict(frozen=True)

    org_id: str
    run_id: str
    reason: str
    brief: Brief
    snapshot: SnapshotRef
    total_contacts: int  # all rows of `contacts`
    scope: list[tuple[int, int]] | None  # ranges of contact ids; None: everyone
    shards: list[tuple[int, int]]  # first and last contact id, inclusive
    started_at: dt.datetime  # UTC: the time that the rows of this run carry

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
