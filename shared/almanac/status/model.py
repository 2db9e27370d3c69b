"""The status of organizations, as the function `status` and `almanac store status` return it."""

from __future__ import annotations

import datetime as dt
from typing import Literal

from pydantic import BaseModel

from almanac.report.data_quality import DataQuality


class StatusProblem(BaseModel):
    """The answer if there is no status: why not."""

    ok: bool = False
    problems: list[str]


class CurrentVersion(BaseModel):
    """The version that current.json names. hours: since its database was committed."""

    version: int
    run_id: str
    as_of: dt.date
    committed_at: dt.datetime
    hours: float
    in_force_since: dt.datetime  # later than committed_at after a rollback
    size: int  # bytes


class LastSuccess(BaseModel):
    """The last run over all contacts that the current version builds on."""

    run_id: str
    version: int
    committed_at: dt.datetime
    hours: float


class RunStatus(BaseModel):
    """A run. running: it holds the lease; dead: it has neither a lease nor a result."""

    run_id: str
    as_of: dt.date | None
    state: Literal["committed", "failed", "superseded", "rejected", "running", "dead"]
    reason: str | None = None
    finished_at: dt.datetime | None = None
    lease_until: dt.datetime | None = None
    refused: int = 0  # entries of events
    unreadable: dict[str, str] = {}  # objects of the inbox that are no batch of events, with why


class Backlog(BaseModel):
    """Messages that should have been sent, as the current version has them.

    overdue: PRE_SCHEDULED and dated before today in the organization's zone; today: PRE_SCHEDULED
    for today; with_sender: claimed by the sender, dated within the 30 days before the version's
    as_of, and not tried.
    """

    overdue: int
    today: int
    with_sender: int


class Outcomes(BaseModel):
    """Messages that the sender tried to send within the 30 days before the version's as_of."""

    tried: int
    failed: int
    error_rate: float | None  # failed / tried


class WaitingEvents(BaseModel):
    """Events that no run has applied yet. since: the time of the first, None if nothing waits."""

    batches: int  # objects of the inbox
    bytes: int
    since: dt.datetime | None
    hours: float | None  # since then


# late: no run over all contacts within 26 hours; unreadable: a document or an object of the inbox;
# unknown: the status could not be determined. Of warnings: failed: the last run is failed or
# rejected; dead: it ended without a result; overdue: messages are; refused: entries of events;
# waiting: events, for more than 26 hours.
Kind = Literal["late", "unreadable", "unknown", "failed", "dead", "overdue", "refused", "waiting"]


class OrganizationStatus(BaseModel):
    """An organization. problems: what makes it not ok; warnings: what to inspect.

    kinds: of the problems and then of the warnings, in their order.
    """

    org_id: str
    ok: bool
    problems: list[str]
    warnings: list[str]
    kinds: list[Kind]
    version: CurrentVersion | None = None
    last_success: LastSuccess | None = None
    last_run: RunStatus | None = None
    last_failure: RunStatus | None = None
    waiting: WaitingEvents | None = None
    due: Backlog | None = None
    outcomes: Outcomes | None = None
    data: DataQuality | None = None


class StoreStatus(BaseModel):
    """All organizations of a store, or a page of them."""

    ok: bool
    checked_at: dt.datetime
    problems: list[str]  # of these organizations, each with its id
    organizations: list[OrganizationStatus]
    next: str | None = None  # the last of these, after which there are more; None: there are none


class Finding(BaseModel):
    """A problem or a warning of an organization."""

    org_id: str
    severity: Literal["problem", "warning"]
    kind: Kind
    what: str


class InstallationFindings(BaseModel):
    """What is wrong in all organizations of a store, or in a page of them.

    organizations: how many were looked at; overdue: of those that have any, the messages that were
    due before today and are not sent; next: as in StoreStatus.
    """

    ok: bool  # without problems; there may be warnings
    checked_at: dt.datetime
    organizations: int
    overdue: dict[str, int]
    findings: list[Finding]
    next: str | None = None
