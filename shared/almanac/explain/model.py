"""The explanation of one contact's plan, as `almanac explain` returns it."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Literal

from pydantic import BaseModel, Field, Strict, StrictBool, StrictInt


class MessageOnDay(BaseModel):
    """A message and the day on which it counts."""

    message: str  # its type, with the name of a campaign
    day: dt.date
    status: str  # of a committed row; "planned" for a candidate


Input = Annotated[
    StrictBool
    | StrictInt
    | Annotated[dt.date, Strict()]
    | list[MessageOnDay]
    | dict[dt.date, int]
    | str
    | None,
    Field(union_mode="left_to_right"),
]


class Decision(BaseModel):
    """The decision of one step of the rules on one message."""

    step: str
    section: str  # of docs/semantics.md
    why: str
    inputs: dict[str, Input] = {}  # what it is based on, in the order to be read


class IssueNote(BaseModel):
    """An issue of the contact's own data."""

    issue: str
    detail: str
    advice: str


class SuppressionNote(BaseModel):
    """A row of suppressions in force that concerns the contact."""

    takes: str  # which messages, as text
    row: str  # its reason, bounds and what it names, as text


class ContactFacts(BaseModel):
    """The contact as the rules see it."""

    email: str
    status: str
    state: str | None  # USPS code, None if unknown
    state_source: str  # where the state comes from, as text
    zip_code: str
    birth_date: dt.date | None
    effective_date: dt.date | None
    carrier: str
    phone: bool
    failed_underwriting: bool
    eligible: bool  # can get messages at all
    why_not: str | None = None  # if not eligible
    suppression: str | None = None  # the skip reason of every message
    suppressions: list[SuppressionNote] = []  # in the order of the table
    rule: str  # the state's rule as text
    hours: str  # the zone of messages and the hours of text messages, as text
    issues: list[IssueNote] = []


class WindowSpan(BaseModel):
    """A window in which the state's rule allows no message, both ends included."""

    year: int  # of its anniversary, or of its first day
    start: dt.date
    end: dt.date
    kind: str
    rule: str | None = None  # the id of the rule, if it has one
    source: str | None = None  # where the rule is written


class ExcludedSpan(BaseModel):
    """Consecutive days that are excluded for the same reason, both ends included."""

    start: dt.date
    end: dt.date
    reason: str


class CommittedMessage(BaseModel):
    """A committed row."""

    row_id: int
    email_type: str
    campaign_instance_id: int | None
    status: str
    scheduled_send_date: dt.date | None
    sent_date: dt.date | None
    counted: bool  # by the frequency limit


class PlannedRow(BaseModel):
    """A planned row of the database."""

    row_id: int
    email_type: str
    campaign_instance_id: int | None
    status: str
    scheduled_send_date: dt.date | None
    skip_reason: str | None
    scheduler_run_id: str | None


class ExplainedMessage(BaseModel):
    """A candidate and its outcome."""

    email_type: str
    campaign_instance_id: int | None
    campaign_name: str | None
    event_date: dt.date
    ideal_date: dt.date
    deadline: dt.date
    priority: int
    start: dt.date  # first day that can be sent
    latest: dt.date | None = None  # last day up to which no day is excluded
    lo: dt.date | None = None  # it may be moved to [lo, hi]; None if it is skipped earlier
    hi: dt.date | None = None
    floor: dt.date | None = None  # first day of [lo, hi] that can still be sent
    outcome: Literal["planned", "skipped", "not in the plan yet"]
    day: dt.date | None  # the day for which it is planned
    skip_reason: str | None
    sms_template: str | None = None  # of the text message that goes along
    no_text_message: str | None = None  # why none does
    decisions: list[Decision]  # in the order of the steps; the last is decisive
    row: PlannedRow | None  # its row in the database
    note: str | None = None  # how the database differs from what the rules say now

    @property
    def last(self) -> Decision:
        """Return the decisive decision."""
        return self.decisions[-1]

    @property
    def name(self) -> str:
        """Return its type, with the name of a campaign."""
        return (
            f"{self.email_type} '{self.campaign_name}'" if self.campaign_name else self.email_type
        )


class Absence(Decision):
    """A message that the contact could expect but that is not a candidate now."""

    email_type: str  # "followup" for all of these
    name: str


class DayAnswer(Decision):
    """Why a message is not sent on a day, or that it can be."""

    email_type: str
    name: str
    event_date: dt.date
    answer: Literal["planned", "allowed", "no room", "not allowed"]


class PastMessage(BaseModel):
    """A row of a past day."""

    email_type: str
    row_id: int
    status: str
    what: str  # what became of it, as text
    marks: list[str] = []  # what a sender reported, the oldest first


class DayHistory(BaseModel):
    """What is recorded of a past day of a contact."""

    messages: list[PastMessage]
    run: str  # which run planned on the day, as text
    unknown: list[str]  # what cannot be known, in sentences


class DayExplanation(BaseModel):
    """What a contact gets on one day, and why not more."""

    day: dt.date
    verdict: str
    excluded: Decision | None  # why the rules exclude the day, with the skip reason
    closed: Decision | None = None  # why nothing is sent on the day
    load: int | None  # messages of all contacts on it; None if not known
    committed: list[CommittedMessage] = []
    messages: list[DayAnswer] = []
    absent: list[Absence] = []
    history: DayHistory | None = None  # of a day before the first send date


class SendLimits(BaseModel):
    """The limits of a day and of a contact."""

    daily_cap: int
    ceiling: int
    effective_date_limit: int
    max_emails: int
    period_days: int


class Explanation(BaseModel):
    """The explanation of a contact's plan."""

    contact_id: int
    database: str  # its name for messages
    as_of: dt.date
    as_of_from: str  # where as_of comes from, as text
    first_send_date: dt.date
    horizon: dt.date
    configuration: str  # where the configuration comes from, as text
    last_run: str | None
    verdict: str
    on: DayExplanation | None = None  # the day of the question
    contact: ContactFacts
    year: tuple[dt.date, dt.date]  # the days that the timeline shows
    excluded: list[ExcludedSpan] = []  # of these days, for messages that respect windows
    windows: list[WindowSpan] = []
    committed: list[CommittedMessage] = []
    messages: list[ExplainedMessage] = []
    absent: list[Absence] = []
    other_rows: list[PlannedRow] = []  # planned rows without a candidate
    limits: SendLimits
    notes: list[str] = []
