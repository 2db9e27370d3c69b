"""Lines of a run's summary and of the report page."""

from __future__ import annotations

import datetime as dt

from pydantic import BaseModel

from almanac.schedule_status import parse_reason

UNKNOWN = "unknown"  # the state of a contact of which neither its column nor its ZIP code tells one


# What a run does to a planned row, in the order in which it is told.
CHANGES = {
    "added": "planned for the first time",
    "moved": "planned on another day than before",
    "planned again": "skipped before, planned now",
    "skipped anew": "skipped now, not before",
    "updated": "other templates, times or reasons",
    "unchanged": "as they were, not touched",
    "removed": "no longer wanted",
    "expired": "not sent by their deadline, kept as history",
}


class MessageCount(BaseModel):
    """Planned rows dated as_of or later that have these in common."""

    email_type: str
    state: str  # USPS code of the contact, or UNKNOWN
    reason: str  # why they are skipped; "" for PRE_SCHEDULED rows
    count: int


class StateLine(BaseModel):
    """How much of what its contacts should get a state's rule holds back."""

    state: str  # USPS code, or UNKNOWN
    contacts: int  # who can get messages
    rule: str  # in words; "" for a state without one
    checked: int  # messages that the rule was asked about
    hits: int  # of them skipped for it


class CampaignLine(BaseModel):
    """A campaign instance and what comes of it; follow-ups are not counted."""

    instance_id: int
    name: str
    campaign_type: str
    start: dt.date | None = None  # active_start_date
    end: dt.date | None = None
    reach: int = 0  # contacts who can get messages and whom it targets
    sent: int = 0  # messages sent or delivered so far
    planned: int = 0
    skipped: dict[str, int] = {}  # by reason
    problem: str | None = None  # why it takes no part, if it does not
    left_out: bool = False  # the problem wants mending: it is not only its dates, or switched off


class ChangeLine(BaseModel):
    """Planned rows that a run changed in the same way for the same reason."""

    change: str  # a key of RunSummary.changes, or of Difference.changes
    why: str
    email_type: str
    count: int


class SuppressionLine(BaseModel):
    """What the suppressions of one reason that are in force hold back."""

    reason: str
    entries: int  # rows of suppressions in force on as_of
    contacts: int  # whom they are the reason for
    messages: int  # skipped rows dated as_of or later


def split_reason(reason: str) -> tuple[str, str]:
    """Return the label of a skip reason and its detail, a state or a suppression's own reason."""
    found = parse_reason(reason)
    return (found.code.label, found.detail) if found else (reason, "")
