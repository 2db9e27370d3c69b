"""Messages with their day and their outcome, from the rows that were read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from almanac import civil
from almanac.database.result_rows import PARTS
from almanac.database.sql import SEPARATED
from almanac.frames import NO_DAY, Codes, Days, Frame, Ids, Mask, Small
from almanac.planning.brief import Instance
from almanac.planning.history import CAMPAIGN, FOLLOWUP, POST_WINDOW, classify, instance_named
from almanac.report.results import Note
from almanac.results.collect import MessageRows
from almanac.schedule_status import MARKS, PLANNED_STATUSES, Status

OPEN, SENT, DELIVERED, BOUNCED, FAILED = OUTCOMES = range(5)
_OUTCOMES = {
    Status.SENT: SENT,
    Status.DELIVERED: DELIVERED,
    Status.BOUNCED: BOUNCED,
    Status.FAILED: FAILED,
}
_DAY = PARTS.index("day")
_KNOWN = {*MARKS, *PLANNED_STATUSES}
NO_TEMPLATE, NO_TYPE, UNKNOWN_PARENT = "no template", "no type", "unknown"


@dataclass(frozen=True)
class MessageKind:
    """What many messages have in common."""

    status: str
    email_type: str  # by its current name
    template: str
    instance: int  # 0 without
    campaign_type: str  # '' of what is no campaign message, follow-ups too
    parent: str  # the type of the message that a follow-up follows; '' of others

    @property
    def outcome(self) -> int:
        """Return the outcome: what the status says."""
        return _OUTCOMES.get(self.status, OPEN)  # type: ignore[call-overload, no-any-return]

    @property
    def is_campaign(self) -> bool:
        """Return whether it is a campaign's message, and no follow-up."""
        return self.campaign_type != ""


@dataclass(frozen=True)
class SentOrPlanned(Frame):
    """Messages in the order of their ids."""

    id: Ids
    contact: Ids  # 0 where the row names none
    kind: Codes  # index into the kinds
    day: Days  # on which it was sent, or is planned
    outcome: Small

    @property
    def was_sent(self) -> Mask:
        """Return which messages left."""
        return (self.outcome >= SENT) & (self.outcome <= BOUNCED)


def read_messages(
    rows: MessageRows, instances: Sequence[Instance]
) -> tuple[SentOrPlanned, list[MessageKind], list[Note]]:
    """Return the messages with a day, their kinds, and what is odd about the others."""
    kinds, kind, day = _kinds(rows.kinds, instances)
    outcome = np.array([each.outcome for each in kinds] or [OPEN], np.int8)[kind]
    found = SentOrPlanned(
        id=rows.ids,
        contact=rows.contacts,
        kind=kind[rows.kind],
        day=day[rows.kind],
        outcome=outcome[rows.kind],
    )
    odd = int(np.bincount(rows.kind, minlength=len(day))[day == NO_DAY].sum())
    found = found.take(found.day != NO_DAY) if odd else found
    return found, kinds, [Note(what=_NO_DAY, rows=odd)]


_NO_DAY = "messages whose date cannot be read: not counted"


def status_notes(rows: Ids, kinds: Sequence[MessageKind]) -> list[Note]:
    """Return which statuses are unknown; rows: the number of messages of each kind."""
    counts: Counter[str] = Counter()
    for kind, count in zip(kinds, rows.tolist(), strict=True):
        if kind.status not in _KNOWN:
            counts[kind.status] += count
    return [
        Note(what=f"messages with the status {status[:40]!r}, which says nothing: planned", rows=n)
        for status, n in sorted(counts.items())
    ]


def _kinds(
    texts: Sequence[str], instances: Sequence[Instance]
) -> tuple[list[MessageKind], Codes, Days]:
    """Return the kinds, and of each text its kind and its day."""
    rows = [text.split(SEPARATED) for text in texts]
    days = civil.parse_dates(pa.array([row[_DAY] for row in rows], pa.string()))
    numbers: dict[tuple[str, ...], int] = {}  # most texts differ by nothing but the day
    kind = [numbers.setdefault((*row[:_DAY], *row[_DAY + 1 :]), len(numbers)) for row in rows]
    by_id = {each.id: each for each in instances}
    kinds = [_kind(parts, instances, by_id) for parts in numbers]
    return kinds, np.array(kind, np.int32), days


def _kind(
    parts: Sequence[str], instances: Sequence[Instance], by_id: Mapping[int, Instance]
) -> MessageKind:
    """Return what PARTS without the day mean."""
    status, instance, email_type, template, parent = parts
    code, name = classify(email_type.strip())
    number = int(instance or 0)
    if code == CAMPAIGN and not number:
        position = instance_named(name, instances)
        number = instances[position].id if position >= 0 else 0
    campaign = _campaign_type(name, by_id.get(number)) if code == CAMPAIGN else ""
    follows = _type_name(parent, instances) if code == FOLLOWUP else ""
    return MessageKind(
        status=status,
        email_type=f"campaign_{campaign}" if campaign else _type_name(email_type, ()),
        template=template.strip() or NO_TEMPLATE,
        instance=number,
        campaign_type=campaign,
        parent=(follows or UNKNOWN_PARENT) if code == FOLLOWUP else "",
    )


def _campaign_type(name: str, instance: Instance | None) -> str:
    """Return the campaign type of a lower-case type `campaign_<type>` or `campaign_<type>_<n>`."""
    named = name.removeprefix("campaign_")
    if instance is None or not instance.type_name:
        return named or NO_TYPE
    own = instance.type_name
    return own if named in (own.lower(), f"{own.lower()}_{instance.id}") else named


def _type_name(text: str, instances: Sequence[Instance]) -> str:
    """Return the current name of an email type of any scheduler; '' stays so."""
    code, name = classify(text.strip())
    if code == POST_WINDOW:
        return "post_window"
    if code == CAMPAIGN and (position := instance_named(name, instances)) >= 0:
        return instances[position].email_type.lower()
    return text.strip().lower()
