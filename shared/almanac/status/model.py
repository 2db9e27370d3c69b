"""How organizations are doing, as the HTTP function `status` and `almanac store status` tell it."""

from __future__ import annotations

import datetime as dt
from typing import Literal

from pydantic import BaseModel

from almanac.report.summary import LeftOut


class Trouble(BaseModel):
    """Why there is nothing else to tell."""

    ok: bool = False
    problems: list[str]


class VersionInForce(BaseModel):
    """The version that current.json names. hours: since its database was committed."""

    version: int
    run_id: str
    as_of: dt.date
    committed_at: dt.datetime
    hours: float
    in_force_since: dt.datetime  # later than committed_at after a rollback
    size: int  # bytes


class LastSuccess(BaseModel):
    """The last run over all contacts that the version in force builds on."""

    run_id: str
    version: int
    committed_at: dt.datetime
    hours: float


class RunStatus(BaseModel):
    """A run. running: it has the lease, until then; dead: it has neither a lease nor an end."""

    run_id: str
    as_of: dt.date | None
    state: Literal["committed", "failed", "superseded", "rejected", "running", "dead"]
    reason: str | None = None
    finished_at: dt.datetime | None = None
    lease_until: dt.datetime | None = None


class Due(BaseModel):
    """Rows that should have been sent, as the version in force has them.

    overdue: PRE_SCHEDULED and dated before today in the organization's zone; today: PRE_SCHEDULED
    for today; with_sender: taken by the sender, dated within the 30 days before the day of the
    version, and not tried.
    """

    overdue: int
    today: int
    with_sender: int


class Outcomes(BaseModel):
    """Messages that the sender tried within the 30 days before the day of the version."""

    tried: int
    failed: int
    error_rate: float | None  # failed / tried


class DataQuality(BaseModel):
    """What the last run over all contacts said of the data."""

    contacts: int
    eligible: int
    issues: dict[str, int]
    left_out: list[LeftOut]


class OrganizationStatus(BaseModel):
    """An organization. problems: why it is not well; warnings: what is worth a look."""

    org_id: str
    ok: bool
    problems: list[str]
    warnings: list[str]
    version: VersionInForce | None = None
    last_success: LastSuccess | None = None
    last_run: RunStatus | None = None
    last_failure: RunStatus | None = None
    due: Due | None = None
    outcomes: Outcomes | None = None
    data: DataQuality | None = None


class StoreStatus(BaseModel):
    """All organizations of a store."""

    ok: bool
    checked_at: dt.datetime
    problems: list[str]  # of all organizations, each with its id
    organizations: list[OrganizationStatus]
