"""What came of messages: the numbers of `almanac results`, which `--json` prints, and of the page.

docs/results.md says what each number counts.
"""

from __future__ import annotations

import datetime as dt

from pydantic import BaseModel, computed_field

from almanac.intervals import MINIMUM, Interval, newcombe, wilson

COUNTS = (
    *("planned", "sent", "delivered", "failed", "bounced", "complaints"),
    *("clicked", "answered", "yes", "unsubscribed"),
)
RATES = COUNTS[2:]  # each a share of the messages sent, `failed` of those sent or failed
# by dimension: the columns of its key
DIMENSIONS = {
    "email-type": ("email type",),
    "campaign-type": ("campaign type",),
    "instance": ("instance", "name"),
    "template": ("template",),
    "state": ("state",),
    "followup": ("after", "follow-up"),
    "day": ("day",),
}


class RateInterval(BaseModel):
    """A share in percent, with its interval of 95%; None where it is of fewer than MINIMUM."""

    percent: float
    low: float | None
    high: float | None


def _rounded(found: Interval) -> tuple[float, float, float]:
    value, low, high = (round(100 * each, 3) for each in found)
    return value, low, high


def rate(count: int, of: int) -> RateInterval | None:
    """Return a share of `of`; None of nothing."""
    if not of:
        return None
    percent, low, high = _rounded(wilson(count, of))
    enough = of >= MINIMUM
    return RateInterval(percent=percent, low=low if enough else None, high=high if enough else None)


class MessageCounts(BaseModel):
    """Counts of messages that have a key in common, all but `planned` of those that were sent."""

    key: tuple[str, ...] = ()
    planned: int = 0
    sent: int = 0
    delivered: int = 0
    failed: int = 0  # and not sent
    bounced: int = 0
    complaints: int = 0
    clicked: int = 0
    answered: int = 0
    yes: int = 0
    unsubscribed: int = 0

    @computed_field  # type: ignore[prop-decorator]
    @property
    def rates(self) -> dict[str, RateInterval | None]:
        """Return the rates by the names of RATES."""
        tried = {"failed": self.sent + self.failed}
        return {name: rate(getattr(self, name), tried.get(name, self.sent)) for name in RATES}


class SplitArm(BaseModel):
    """A share of a split group: the contacts of a campaign instance, or the control group."""

    instance: int | None  # None: the control group
    name: str
    share: tuple[int, int] | None  # from, to; in percent
    contacts: int  # in the share, of those that the group's instances aim at
    reached: int = 0  # contacts to whom a message of the instance was sent
    clicked: int = 0  # of those reached, after a message of the instance
    answered: int = 0
    yes: int = 0
    unsubscribed: int = 0
    # of all its contacts, on any day of the group's span, after whatever message or none
    span_answered: int = 0
    span_yes: int = 0
    span_unsubscribed: int = 0

    def of(self, measure: str) -> int:
        """Return the number of contacts that a measure is a share of."""
        return self.contacts if measure.startswith("span_") else self.reached


class ArmDifference(BaseModel):
    """A share of one arm minus that of another, in percentage points, with its interval."""

    measure: str
    one: str
    other: str
    points: float
    low: float
    high: float


def difference(measure: str, one: SplitArm, other: SplitArm) -> ArmDifference | None:
    """Return the difference of a measure; None if one of the two has fewer than MINIMUM."""
    if min(one.of(measure), other.of(measure)) < MINIMUM:
        return None
    points, low, high = _rounded(
        newcombe(getattr(one, measure), one.of(measure), getattr(other, measure), other.of(measure))
    )
    return ArmDifference(
        measure=measure, one=one.name, other=other.name, points=points, low=low, high=high
    )


class SplitGroup(BaseModel):
    """The arms of a split group, side by side."""

    group: str
    first: dt.date  # of the span: from the first message sent ...
    last: dt.date  # ... to the last day that counts for the last one
    arms: list[SplitArm]  # by their shares; the control group comes last
    differences: list[ArmDifference] = []


class Note(BaseModel):
    """What is not in the numbers, or not as it stands in the database, and how many rows."""

    what: str
    rows: int


class Results(BaseModel):
    """What came of the messages of some days."""

    first: dt.date
    last: dt.date
    within_days: int
    total: MessageCounts
    by: dict[str, list[MessageCounts]]  # by the names of DIMENSIONS
    groups: list[SplitGroup] = []
    warnings: list[str] = []
    notes: list[Note] = []
