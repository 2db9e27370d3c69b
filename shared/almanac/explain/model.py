"""Everything about one contact's plan and why it is so, as `almanac explain` gives it."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Literal

from pydantic import BaseModel, Field, Strict, StrictBool, StrictInt


class Standing(BaseModel):
    """A message and the day that it counts on."""

    message: str  # its type, of a campaign with the name
    day: dt.date
    status: str  # of a row that the sender owns; "planned" for a candidate


Input = Annotated[
    StrictBool
    | StrictInt
    | Annotated[dt.date, Strict()]
    | list[Standing]
    | dict[dt.date, int]
    | str
    | None,
    Field(union_mode="left_to_right"),
]


class Decision(BaseModel):
    """One step of the rules for one message: what it decided, by what, and where that is told."""

    step: str
    section: str  # of docs/semantics.md
    why: str
    inputs: dict[str, Input] = {}  # in the order in which one would tell them


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


class ExcludedSpan(BaseModel):
    """Days in a row that are excluded for the same reason, both ends included."""

    start: dt.date
    end: dt.date
    reason: str


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
    decisions: list[Decision]  # in the order of the steps; the last one settled it
    row: PlannedRow | None  # what the database says
    note: str | None = None  # where the database says something else than the rules do now

    @property
    def last(self) -> Decision:
        """What settled it."""
        return self.decisions[-1]

    @property
    def name(self) -> str:
        """Its type, of a campaign with the name."""
        return (
            f"{self.email_type} '{self.campaign_name}'" if self.campaign_name else self.email_type
        )


class Absence(Decision):
    """A message that a contact could expect and that is no candidate now."""

    email_type: str  # "followup" for all of these
    name: str


class DayAnswer(Decision):
    """What keeps a message from being sent on a day, or that nothing does."""

    email_type: str
    name: str
    event_date: dt.date
    answer: Literal["planned", "allowed", "no room", "not allowed"]


class DayFound(BaseModel):
    """A contact on one day: why not on this day, or what."""

    day: dt.date
    verdict: str
    excluded: Decision | None  # why the rules exclude the day, with the skip reason that it makes
    load: int | None  # messages of all contacts that stand on it; None where that is not known
    committed: list[CommittedMessage] = []
    messages: list[DayAnswer] = []
    absent: list[Absence] = []


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
    database: str  # in words: which one
    as_of: dt.date
    as_of_from: str  # in words: where as_of comes from
    first_send_date: dt.date
    horizon: dt.date
    configuration: str  # in words: which one was used
    last_run: str | None
    verdict: str
    on: DayFound | None = None  # the day that was asked for
    contact: ContactFacts
    year: tuple[dt.date, dt.date]  # the days that a timeline shows
    excluded: list[ExcludedSpan] = []  # of these days, for messages that respect windows
    windows: list[WindowSpan] = []
    committed: list[CommittedMessage] = []
    messages: list[Message] = []
    absent: list[Absence] = []
    other_rows: list[PlannedRow] = []  # planned rows that no candidate claims
    limits: Limits
    notes: list[str] = []
