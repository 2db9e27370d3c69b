"""A contact's history, as `--json` prints it."""

from __future__ import annotations

import datetime as dt
from typing import Literal

from pydantic import BaseModel

What = Literal["added", "moved", "status", "reason", "removed"]


class MessageState(BaseModel):
    """What a row of email_schedules said of a message."""

    day: str | None  # scheduled_send_date
    status: str | None
    reason: str | None  # skip_reason


class MessageChange(BaseModel):
    """One message that a step changed; before or after is None if it was added or removed."""

    what: What
    id: int
    email_type: str
    campaign_instance_id: int | None
    event_date: str | None
    before: MessageState | None
    after: MessageState | None


class HistoryStep(BaseModel):
    """From one version to the next kept one, or one command on a file.

    gap: why there is no change set; what changed is then found by comparing the contact's rows of
    both versions. In a file it ends the history.
    """

    by: str  # the run of the version, or the command
    at: dt.datetime
    version: int | None = None
    before: int | None = None  # the version before
    gap: str = ""
    changes: list[MessageChange]


class ContactHistory(BaseModel):
    """What became of a contact's messages, the latest step first."""

    database: str
    contact_id: int
    messages: int  # rows of the contact now
    first_messages: int  # before the earliest step
    first_version: int | None
    steps: list[HistoryStep]
