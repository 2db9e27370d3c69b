"""Everything about one contact's plan and why it is so, as `almanac explain` gives it."""

from __future__ import annotations

import datetime as dt
from typing import Literal

from pydantic import BaseModel


class IssueNote(BaseModel):
    """Something wrong with the contact's own data."""

    issue: str
    detail: str
    advice: str


class ContactFacts(BaseModel):
    """What the rules see of the contact."""

    email: str
    status: str
    state: str | None  # USPS code, None where it is unknown
    state_source: str  # in words: where the state comes from
    zip_code: str
    birth_date: dt.date | None
    effective_date: dt.date | None
    carrier: str
    phone: bool
    failed_underwriting: bool
    eligible: bool  # can get messages at all
    why_not: str | None = None  # if not
    suppression: str | None = None  # the skip reason that it gives every message
    rule: str  # the state's rule in words
    issues: list[IssueNote] = []


class WindowSpan(BaseModel):
    """Days on which the state's rule allows no message, both included."""

    year: int  # of the anniversary that it belongs to
    start: dt.date
    end: dt.date
    kind: str


class CommittedMessage(BaseModel):
    """A row that the sender owns."""

    row_id: int
    email_type: str
    campaign_instance_id: int | None
    status: str
    scheduled_send_date: dt.date | None
    sent_date: dt.date | None
    counted: bool  # in the frequency limit


class PlannedRow(BaseModel):
    """A row of the file that the scheduler owns."""

    row_id: int
    email_type: str
    campaign_instance_id: int | None
    status: str
    scheduled_send_date: dt.date | None
    skip_reason: str | None
    scheduler_run_id: str | None


class Message(BaseModel):
    """A candidate and what became of it."""

    email_type: str
    campaign_instance_id: int | None
    campaign_name: str | None
    event_date: dt.date
    ideal_date: dt.date
    deadline: dt.date
    priority: int
    start: dt.date  # first day that can be sent
    latest: dt.date | None = None  # last day without an excluded day since start
    lo: dt.date | None = None  # it may be moved to [lo, hi]; None if it is skipped before
    hi: dt.date | None = None
    floor: dt.date | None = None  # first day of [lo, hi] that can be sent
    outcome: Literal["planned", "skipped", "not in the plan yet"]
    day: dt.date | None  # the day that it is planned on
    skip_reason: str | None
    step: str  # that decided
    section: str  # of docs/semantics.md
    why: str
    row: PlannedRow | None  # what the file says
    note: str | None = None  # where the file says something else than the rules do now


class Absence(BaseModel):
    """A message that a contact could expect and that is no candidate now."""

    name: str
    why: str
    section: str


class Limits(BaseModel):
    """The numbers that bound a day and a contact."""

    daily_cap: int
    ceiling: int
    effective_date_limit: int
    max_emails: int
    period_days: int


class Explanation(BaseModel):
    """What `explain_contact` found."""

    contact_id: int
    as_of: dt.date
    first_send_date: dt.date
    horizon: dt.date
    configuration: str  # in words: which one was used
    last_run: str | None
    verdict: str
    contact: ContactFacts
    windows: list[WindowSpan] = []
    committed: list[CommittedMessage] = []
    messages: list[Message] = []
    absent: list[Absence] = []
    other_rows: list[PlannedRow] = []  # planned rows that no candidate claims
    limits: Limits
    notes: list[str] = []
