"""Messages with their day and their outcome, from the rows that were read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from almanac import civil
from almanac.database.columnar import coded
from almanac.database.result_rows import PARTS
from almanac.database.sql import SEPARATED
from almanac.frames import NO_DAY, Codes, Days, Frame, Ids, Mask, Small
from almanac.planning.brief import Instance
from almanac.planning.history import CAMPAIGN, FOLLOWUP, POST_WINDOW, classify, instance_named
from almanac.report.results import Note
from almanac.schedule_status import MARKS, PLANNED_STATUSES, Status

OPEN, SENT, DELIVERED, BOUNCED, FAILED = range(5)
_OUTCOMES = {
    Status.SENT: SENT,
    Status.DELIVERED: DELIVERED,
    Status.BOUNCED: BOUNCED,
    Status.FAILED: FAILED,
}
_KNOWN = {*MARKS, *PLANNED_STATUSES}
NO_TEMPLATE, NO_TYPE, UNKNOWN_PARENT = "no template", "no type", "unknown"


@dataclass(frozen=True)
class MessageKind:
    """What many messages have in common."""

    status: str
    day: int  # NO_DAY for what is no date
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
    table: pa.Table, instances: Sequence[Instance]
) -> tuple[SentOrPlanned, list[MessageKind], list[Note]]:
    """Return the messages with a day, their kinds, and what is odd about the others."""
    texts, kind = coded(table["kind"])
    kinds = _kinds(texts, instances)
    day = np.array([each.day for each in kinds] or [NO_DAY], np.int32)
    outcome = np.array([each.outcome for each in kinds] or [OPEN], np.int8)
    found = SentOrPlanned(
        id=table["id"].to_numpy(),
        contact=table["contact_id"].to_numpy(),
        kind=kind,
        day=day[kind],
        outcome=outcome[kind],
    )
    there = found.day != NO_DAY
    return found.take(there), kinds, [Note(what=_NO_DAY, rows=int((~there).sum()))]


_NO_DAY = "messages whose date cannot be read: not counted"


def status_notes(messages: SentOrPlanned, kinds: Sequence[MessageKind]) -> list[Note]:
    """Return which statuses of the messages are unknown."""
    counts: Counter[str] = Counter()
    rows = np.bincount(messages.kind, minlength=len(kinds)).tolist()
    for kind, count in zip(kinds, rows, strict=True):
        if kind.status not in _KNOWN:
            counts[kind.status] += count
    return [
        Note(what=f"messages with the status {status[:40]!r}, which says nothing: planned", rows=n)
        for status, n in sorted(counts.items())
    ]


def _kinds(texts: Sequence[str], instances: Sequence[Instance]) -> list[MessageKind]:
    columns = list(zip(*(text.split(SEPARATED) for text in texts), strict=True))
    status, instance, day, actual, email_type, template, parent = columns or [()] * len(PARTS)
    days, actual_days = (
        civil.parse_dates(pa.array(column, pa.string())).tolist() for column in (day, actual)
    )
    by_id = {each.id: each for each in instances}
    found = []
    for n, mark in enumerate(status):
        outcome = _OUTCOMES.get(mark, OPEN)
        left = outcome not in (OPEN, FAILED) and actual_days[n] != NO_DAY
        code, name = classify(email_type[n].strip())
        number = int(instance[n])
        if code == CAMPAIGN and not number:
            position = instance_named(name, instances)
            number = instances[position].id if position >= 0 else 0
        campaign = _campaign_type(name, by_id.get(number)) if code == CAMPAIGN else ""
        follows = _type_name(parent[n], instances) if code == FOLLOWUP else ""
        found.append(
            MessageKind(
                status=mark,
                day=actual_days[n] if left else days[n],
                email_type=f"campaign_{campaign}" if campaign else _type_name(email_type[n], ()),
                template=template[n].strip() or NO_TEMPLATE,
                instance=number,
                campaign_type=campaign,
                parent=(follows or UNKNOWN_PARENT) if code == FOLLOWUP else "",
            )
        )
    return found


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
