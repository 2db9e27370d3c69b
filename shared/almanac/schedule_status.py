"""Statuses of rows of email_schedules, and skip reasons: the only module that holds their texts.

Code compares statuses with `Status` and skip reasons with `SkipCode`. A text that was read from a
database or a document becomes a `SkipReason` by `parse_reason` (semantics: Skip reasons).
"""

from __future__ import annotations

import re
from enum import Enum, StrEnum
from functools import cache
from typing import NamedTuple, assert_never


class Status(StrEnum):
    """The status of a row. A run writes PRE_SCHEDULED and SKIPPED, a sender writes the others."""

    PRE_SCHEDULED = "pre-scheduled"
    SKIPPED = "skipped"
    SCHEDULED = "scheduled"
    PROCESSING = "processing"
    SENT = "sent"
    DELIVERED = "delivered"
    FAILED = "failed"
    BOUNCED = "bounced"


PLANNED_STATUSES = frozenset({Status.PRE_SCHEDULED, Status.SKIPPED})
SENT_STATUSES = (Status.SENT, Status.DELIVERED)
# marks that are no statuses: about a message that was delivered, so that its row does not change;
# and one that makes a failed row PRE_SCHEDULED again
COMPLAINT, RETRY = "complaint", "retry"
MARKS = (*(each.value for each in Status if each not in PLANNED_STATUSES), COMPLAINT, RETRY)


class SkipCode(Enum):
    """Why a message is skipped. The value is the text in `skip_reason`; {} is the detail."""

    OUTSIDE_TARGETING = "Outside campaign targeting"
    OUTSIDE_SPLIT = "Outside campaign split"
    OUTSIDE_DATES = "Outside campaign dates"
    UNDERWRITING_GLOBAL = "Failed underwriting - global exclusion"
    UNDERWRITING_CAMPAIGN = "Failed underwriting - campaign exclusion"
    CAMPAIGN_CONFLICT = "Campaign priority conflict"
    FREQUENCY = "Frequency limit exceeded"
    DAILY_CAP = "Daily volume cap"
    NO_SENDING_DAY = "No sending day"
    NOT_SENT = "Not sent by its deadline"
    YEAR_ROUND = "Year-round exclusion for {}"
    AGE = "Age exclusion for {}"
    BIRTHDAY_WINDOW = "Birthday exclusion window for {}"
    EFFECTIVE_DATE_WINDOW = "Effective date exclusion window for {}"
    CALENDAR_WINDOW = "Calendar exclusion window for {}"
    BIRTH_DATE_UNKNOWN = "Birth date unknown for {}"
    EFFECTIVE_DATE_UNKNOWN = "Effective date unknown for {}"
    SUPPRESSED = "Suppressed: {}"

    @property
    def has_detail(self) -> bool:
        return self.value.endswith("{}")

    @property
    def label(self) -> str:
        """The text without its detail."""
        return re.sub(r"( for|:) \{\}$", "", self.value)


class SkipStep(Enum):
    """The step of planning that skips a message."""

    SUPPRESSION = "suppression"
    DATE_UNKNOWN = "date unknown"
    ELIGIBILITY = "eligibility"  # the contact and its campaign, before any window is checked
    EXCLUSION = "exclusion"
    SIFTING = "sifting"
    PLACING = "placing"
    HISTORY = "history"


def skip_step(code: SkipCode) -> SkipStep:
    """Return the step that skips messages with a code."""
    match code:
        case SkipCode.SUPPRESSED:
            return SkipStep.SUPPRESSION
        case SkipCode.BIRTH_DATE_UNKNOWN | SkipCode.EFFECTIVE_DATE_UNKNOWN:
            return SkipStep.DATE_UNKNOWN
        case SkipCode.OUTSIDE_TARGETING | SkipCode.OUTSIDE_SPLIT | SkipCode.OUTSIDE_DATES:
            return SkipStep.ELIGIBILITY
        case SkipCode.UNDERWRITING_GLOBAL | SkipCode.UNDERWRITING_CAMPAIGN:
            return SkipStep.ELIGIBILITY
        case SkipCode.YEAR_ROUND | SkipCode.AGE:
            return SkipStep.EXCLUSION
        case SkipCode.BIRTHDAY_WINDOW | SkipCode.EFFECTIVE_DATE_WINDOW | SkipCode.CALENDAR_WINDOW:
            return SkipStep.EXCLUSION
        case SkipCode.CAMPAIGN_CONFLICT | SkipCode.FREQUENCY:  # a conflict on a day too
            return SkipStep.SIFTING
        case SkipCode.DAILY_CAP | SkipCode.NO_SENDING_DAY:
            return SkipStep.PLACING
        case SkipCode.NOT_SENT:
            return SkipStep.HISTORY
        case _:
            assert_never(code)


def _of_step(step: SkipStep) -> tuple[SkipCode, ...]:
    return tuple(code for code in SkipCode if skip_step(code) is step)


FIXED_SKIPS = tuple(code for code in SkipCode if not code.has_detail)
EXCLUSION_SKIPS = _of_step(SkipStep.EXCLUSION)
DATE_UNKNOWN_SKIPS = _of_step(SkipStep.DATE_UNKNOWN)
# their detail is a state
STATE_SKIPS = (*EXCLUSION_SKIPS, *DATE_UNKNOWN_SKIPS)
INELIGIBLE_SKIPS = _of_step(SkipStep.ELIGIBILITY)


class SkipReason(NamedTuple):
    """A skip code and its detail: the state of an exclusion, or a suppression's own reason."""

    code: SkipCode
    detail: str = ""

    @property
    def text(self) -> str:
        """The text in the column `skip_reason`."""
        return self.code.value.format(self.detail)


def suppression_reason(reason: str) -> SkipReason:
    """Return the skip reason that follows from the reason of a suppression."""
    return SkipReason(SkipCode.SUPPRESSED, reason.strip() or "unspecified")


@cache
def _patterns() -> list[tuple[SkipCode, re.Pattern[str]]]:
    state, rest = "([A-Z]{2})", "(.*)"
    return [
        (code, re.compile(code.value.format(state if code in STATE_SKIPS else rest), re.DOTALL))
        for code in SkipCode
    ]


def parse_reason(text: str | None) -> SkipReason | None:
    """Return the skip reason with this text; None if it is not one of ours."""
    for code, pattern in _patterns():
        if text and (match := pattern.fullmatch(text)):
            return SkipReason(code, match[1] if code.has_detail else "")
    return None


def parse_code(text: str | None) -> SkipCode | None:
    """Return the code of the skip reason with this text; None if it is not one of ours."""
    reason = parse_reason(text)
    return reason.code if reason else None
