"""What a claim is about is the sender's as it was claimed, whatever runs did with it meanwhile."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import apsw
import numpy as np

from almanac.database import claimed_rows
from almanac.database.claimed_rows import ClaimedRow
from almanac.database.refused_rows import REFUSALS
from almanac.database.row_states import RowState
from almanac.database.sending import DeliveryRow
from almanac.database.suppressions import CAMPAIGN
from almanac.delivery import feedback
from almanac.delivery.feedback_file import DeliveryMark
from almanac.delivery.status_order import NEXT
from almanac.intake.applied import Absorption, utc_text
from almanac.intake.entries import DeliveryEntry
from almanac.intake.parts import refusal
from almanac.json_text import json_text
from almanac.schedule_status import COMPLAINT, PLANNED_STATUSES, RETRY, Status

_NO_CLAIM = {COMPLAINT, RETRY}
_IDENTITY = ("contact_id", "email_type", "event_date", "scheduled_send_date")
NO_ROW = "no such row: a run has removed it, or it never existed"
Entries = Sequence[tuple[int, DeliveryEntry]]


@dataclass
class Honoured:
    """The rows that marks name, once claims are honoured."""

    rows: dict[int, RowState]
    gone: list[str] = field(default_factory=list)  # statuses of planned rows that were replaced
    # marks that came before their rows were put back
    earlier: list[DeliveryMark] = field(default_factory=list)
    kept: list[DeliveryMark] = field(default_factory=list)  # of rows that may be put back later
    why: dict[int, str] = field(default_factory=dict)  # a claim is not honoured, by row


def honour(
    connection: apsw.Connection,
    entries: Entries,
    marks: Sequence[DeliveryMark],
    before: Mapping[int, RowState],
    absorption: Absorption,
) -> Honoured:
    """Make rows what they were when they were claimed. marks: of the entries, in their order."""
    found = Honoured(dict(before))
    _give_back(connection, _claims(connection, marks, before), found, absorption)
    _give_days(connection, marks, found, absorption)
    removed = _removed(entries, before)
    if len(found.rows) < len({mark.row_id for mark in marks}):
        last_id = claimed_rows.last_id(connection)
        _put_back(connection, removed, last_id, found, absorption)
        found.kept = [m for m in marks if m.row_id not in found.rows and 0 < m.row_id <= last_id]
    return found


def _claims(
    connection: apsw.Connection, marks: Sequence[DeliveryMark], rows: Mapping[int, RowState]
) -> dict[int, DeliveryMark]:
    """Return by row the mark that gives a planned row to the sender, a claim before others."""
    planned = {row_id for row_id, row in rows.items() if row.status in PLANNED_STATUSES}
    is_repeated = feedback.repeated_before_retry(connection, planned)
    found: dict[int, DeliveryMark] = {}
    for mark in marks:
        if mark.row_id not in planned or mark.status in _NO_CLAIM or is_repeated(mark):
            continue
        there = found.get(mark.row_id)
        better = there is None or (mark.is_dated_claim and not there.is_dated_claim)
        if better and feedback.difference(mark, rows[mark.row_id], any_day=True) is None:
            found[mark.row_id] = mark
    return found


def _give_back(
    connection: apsw.Connection,
    claims: Mapping[int, DeliveryMark],
    found: Honoured,
    absorption: Absorption,
) -> None:
    """Make planned rows PRE_SCHEDULED on the day of their claim."""
    for row_id, claim in claims.items():
        row = found.rows[row_id]
        day = claim.day or row.day
        if row.status == Status.PRE_SCHEDULED and row.day == day:
            continue
        try:
            claimed_rows.give_back(connection, row_id, day, absorption.timestamp)
        except REFUSALS as error:
            found.why[row_id] = f"is of {row.day} now, and {_in_its_way(connection, error)}"
        else:
            new = row._replace(status=Status.PRE_SCHEDULED, day=day, skip_reason="")
            found.rows[row_id] = new


def _give_days(
    connection: apsw.Connection,
    marks: Sequence[DeliveryMark],
    found: Honoured,
    absorption: Absorption,
) -> None:
    """Give rows that are the sender's the day of a claim that comes after the marks it precedes."""
    claims = {
        mark.row_id: mark
        for mark in reversed(marks)
        if mark.is_dated_claim
        and (row := found.rows.get(mark.row_id)) is not None
        and row.status in NEXT
        and row.status not in PLANNED_STATUSES
        and row.day != mark.day
        and feedback.difference(mark, row, any_day=True) is None
    }
    known = claimed_rows.marks_since_retry(connection, np.array(sorted(claims), np.int64))
    earlier = {each.schedule_id for each in known if each.status == Status.PROCESSING}
    earlier |= {
        each.schedule_id for each in known if each.at < utc_text(claims[each.schedule_id].at)
    }
    for row_id, claim in claims.items():
        if row_id in earlier:
            continue
        try:
            claimed_rows.give_day(connection, row_id, claim.day, absorption.timestamp)
        except REFUSALS as error:
            found.why[row_id] = (
                f"is of {found.rows[row_id].day} now, and {_in_its_way(connection, error)}"
            )
        else:
            found.rows[row_id] = found.rows[row_id]._replace(day=claim.day)


def _in_its_way(connection: apsw.Connection, error: apsw.Error) -> str:
    if "UNIQUE" in str(error):
        return "another row of the table is in its way"
    return refusal(connection, error)


def _removed(
    entries: Entries, rows: Mapping[int, RowState]
) -> dict[int, tuple[DeliveryEntry, list[str]]]:
    """Return by row that is gone the entry that says most of it, and what of its identity lacks."""
    found: dict[int, tuple[DeliveryEntry, list[str]]] = {}
    for _, entry in entries:
        if entry.id in rows or entry.status in _NO_CLAIM:
            continue
        is_campaign = (entry.email_type or "").strip().lower().startswith(CAMPAIGN)
        needed = (*_IDENTITY, "campaign_instance_id") if is_campaign else _IDENTITY
        lacking = [name for name in needed if getattr(entry, name) in (None, "")]
        if entry.id not in found or len(lacking) < len(found[entry.id][1]):
            found[entry.id] = (entry, lacking)
    return found


def _put_back(
    connection: apsw.Connection,
    removed: Mapping[int, tuple[DeliveryEntry, list[str]]],
    last_id: int,
    found: Honoured,
    absorption: Absorption,
) -> None:
    """Insert rows that are gone, and find the marks that came before."""
    back = []
    for row_id, (entry, lacking) in removed.items():
        if not 0 < row_id <= last_id:
            continue
        if lacking:
            found.why[row_id] = f"{NO_ROW}; kept until a mark has its {', '.join(lacking)}"
            continue
        row = _claimed_row(entry)
        run, now = absorption.applied_by, absorption.timestamp
        try:
            with connection:
                found.gone += claimed_rows.put_back(connection, row, run, now)
        except REFUSALS as error:
            found.why[row_id] = f"{NO_ROW}; {_in_its_way(connection, error)}"
            continue
        day, kind = row.scheduled_send_date, row.email_type
        found.rows[row_id] = RowState(row.contact_id, Status.PRE_SCHEDULED, day, "", kind)
        back.append(row_id)
    known = claimed_rows.marks_since_retry(connection, np.array(sorted(back), np.int64))
    found.earlier = [_earlier(each) for each in known]


def _earlier(known: DeliveryRow) -> DeliveryMark:
    """Return a mark that is recorded."""
    at = dt.datetime.fromisoformat(known.at).replace(tzinfo=dt.UTC)
    texts = (known.message_id, known.detail)
    return DeliveryMark(
        -1, [], known.schedule_id, known.status, at, *texts, None, "", is_recorded=True
    )


def _claimed_row(entry: DeliveryEntry) -> ClaimedRow:
    """Return the row that an entry with a whole identity is about."""
    contact, email_type = entry.contact_id, entry.email_type
    event, day, ideal = entry.event_date, entry.scheduled_send_date, entry.ideal_send_date
    metadata = entry.metadata
    if contact is None or email_type is None or event is None or day is None:
        raise AssertionError(f"{entry.id} lacks some of {_IDENTITY}")
    return ClaimedRow(
        id=entry.id,
        contact_id=contact,
        email_type=email_type,
        campaign_instance_id=entry.campaign_instance_id,
        event_year=event.year,
        event_month=event.month,
        event_day=event.day,
        scheduled_send_date=day.isoformat(),
        scheduled_send_time=entry.scheduled_send_time or "08:30:00",
        ideal_send_date=ideal.isoformat() if ideal else None,
        priority=10 if entry.priority is None else entry.priority,
        email_template=entry.email_template or None,
        sms_template=entry.sms_template or None,
        metadata=json_text(metadata) if isinstance(metadata, dict) else metadata or None,
    )
