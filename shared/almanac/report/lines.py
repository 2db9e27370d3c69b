"""The lines that a run's summary and the report page share."""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

from pydantic import BaseModel

from almanac.plurals import plural
from almanac.schedule_status import parse_reason

UNKNOWN = "unknown"  # the state of a contact with neither a valid state nor a valid ZIP code


# What a run does to a planned row, in the order of the report.
CHANGES = {
    "added": "planned for the first time",
    "moved": "planned on another day than before",
    "planned again": "skipped before, planned now",
    "skipped anew": "skipped now, not before",
    "updated": "other templates, times or reasons",
    "unchanged": "not changed",
    "removed": "no longer due",
    "expired": "not sent by their deadline, kept as history",
}


class MessageCount(BaseModel):
    """Planned rows dated as_of or later that have these in common."""

    email_type: str
    state: str  # USPS code of the contact, or UNKNOWN
    reason: str  # why they are skipped; "" for PRE_SCHEDULED rows
    count: int


def skipped_by_reason(messages: Iterable[MessageCount]) -> dict[str, dict[str, int]]:
    """Return the number of skipped messages by reason and email type, in order."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for line in messages:
        if line.reason:
            counts[line.reason][line.email_type] += line.count
    return {reason: dict(sorted(counts[reason].items())) for reason in sorted(counts)}


class StateLine(BaseModel):
    """How many messages of its contacts a state's rule blocks."""

    state: str  # USPS code, or UNKNOWN
    contacts: int  # who can get messages
    rule: str  # as text; "" for a state without one
    checked: int  # messages checked against the rule
    hits: int  # those skipped for it
    # contacts that the rule protects as of the run's day and of the same day of each later week
    protected: list[int] = []
    rule_changes: list[tuple[dt.date, str]] = []  # from then on, in words


class CampaignLine(BaseModel):
    """A campaign instance and its messages, without follow-ups."""

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
    left_out: bool = (
        False  # the problem must be fixed: it is not only inactive or outside its dates
    )


class ChangeLine(BaseModel):
    """Planned rows that a run changed in the same way for the same reason."""

    change: str  # a key of RunSummary.changes, or of Difference.changes
    why: str
    email_type: str
    count: int


class SuppressionLine(BaseModel):
    """The active suppressions of one reason, and what they block."""

    reason: str
    entries: int  # rows of suppressions that are active on as_of
    contacts: int  # those suppressed for this reason
    messages: int  # skipped rows dated as_of or later


def split_reason(reason: str) -> tuple[str, str]:
    """Return the label of a skip reason and its detail, a state or a suppression's own reason."""
    found = parse_reason(reason)
    return (found.code.label, found.detail) if found else (reason, "")


def by_count(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    """Return (name, count), the highest count first, equal counts by name."""
    return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))


def advised(issues: Mapping[str, int], advice: Mapping[str, str]) -> list[tuple[str, int, str]]:
    """Return (issue, contacts, advice), the most frequent contact issue first."""
    return [(issue, count, advice.get(issue, "")) for issue, count in by_count(issues)]


class ClosedDayMoves(BaseModel):
    """The planned messages whose ideal date is a closed day: they are sent on another."""

    messages: int = 0
    days: int = 0  # from their ideal dates to their days, all together

    def in_words(self) -> str:
        """Return their number, and how far they are moved."""
        return f"{plural(self.messages, 'message')}, {self.average}"

    @property
    def average(self) -> str:
        """Return how far they are moved on average."""
        return f"by {self.days / max(1, self.messages):.1f} days on average"


class SettingLine(BaseModel):
    """A setting that differs from the delivered one, in words."""

    key: str
    meaning: str
    value: str
    default: str


class SharedAddresses(BaseModel):
    """Addresses that several contacts share, compared trimmed and in lower case."""

    addresses: int = 0
    contacts: int = 0  # that share them
    examples: list[list[int]] = []  # ids of contacts with the same address, the first of each

    def in_words(self) -> str:
        """Return the counts and the examples."""
        names = "; ".join(", ".join(map(str, ids)) for ids in self.examples)
        addresses = plural(self.addresses, "address", "addresses")
        return (
            f"{addresses} of {plural(self.contacts, 'contact')}, which get the messages of all: "
            f"contacts {names}"
        )
