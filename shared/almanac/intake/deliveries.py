"""Apply what senders report. A claim wins over what runs did with its row meanwhile.

A row that a run has moved gets the day of the claim back, one that was skipped is the sender's on
that day, and one that was removed is put back from the identity that the entry carries. The rest is
as for `almanac mark`; entries may come late and in any order.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import apsw

from almanac.database import claimed_rows, sending
from almanac.database.claimed_rows import ClaimedRow
from almanac.database.sending import RowState
from almanac.database.suppressions import CAMPAIGN
from almanac.delivery import feedback
from almanac.delivery.feedback_file import DeliveryMark
from almanac.intake.applied import Absorption, Applied
from almanac.intake.entries import DeliveryEntry
from almanac.intake.events import RefusedEntry
from almanac.json_text import json_text
from almanac.schedule_status import COMPLAINT, PLANNED_STATUSES, RETRY, Status

_NO_CLAIM = {COMPLAINT, RETRY}
_IDENTITY = ("contact_id", "email_type", "event_date", "scheduled_send_date")
_NO_ROW = "no such row: a run has removed it, or it never existed"
Entries = Sequence[tuple[int, DeliveryEntry]]


def apply(connection: apsw.Connection, entries: Entries, absorption: Absorption) -> Applied:
    """Apply marks in their order, inside the caller's transaction."""
    sending.prepare(connection)
    marks = [_mark(number, entry, absorption) for number, entry in entries]
    before = feedback.row_states(connection, marks)
    rows = dict(before)
    why = _give_back(connection, _claims(connection, marks, before), rows, absorption)
    gone, missing = _put_back(connection, _removed(entries, before), rows, absorption)
    why |= missing
    taken = feedback.take(
        connection, marks, rows, absorption.config, absorption.now, suppress=True, late=True
    )
    refused = {mark.line: why.get(mark.row_id, text) for mark, text in taken.refused}
    claimed_rows.write_message_ids(
        connection,
        (
            (entry.sendgrid_message_id, entry.twilio_sms_id, entry.id)
            for number, entry in entries
            if (entry.sendgrid_message_id or entry.twilio_sms_id) and number not in refused
        ),
    )
    planned = Counter(row.status for row in before.values())
    planned.update(gone)
    planned.subtract(Counter(row.status for row in taken.rows.values()))
    return Applied(
        refused=[RefusedEntry(number, text) for number, text in refused.items()],
        committed=-sum(n for status, n in planned.items() if status not in PLANNED_STATUSES),
        pre_scheduled=planned[Status.PRE_SCHEDULED],
        skipped=planned[Status.SKIPPED],
    )


def _mark(number: int, entry: DeliveryEntry, absorption: Absorption) -> DeliveryMark:
    day = entry.scheduled_send_date
    return DeliveryMark(
        number,
        [],
        entry.id,
        entry.status,
        absorption.at(number, entry.at),
        entry.message_id or None,
        entry.detail or entry.reason or None,
        entry.contact_id,
        day.isoformat() if day else "",
        entry.email_type or "",
    )


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
        if better and feedback.difference(mark._replace(day=""), rows[mark.row_id]) is None:
            found[mark.row_id] = mark
    return found


def _give_back(
    connection: apsw.Connection,
    claims: Mapping[int, DeliveryMark],
    rows: dict[int, RowState],
    absorption: Absorption,
) -> dict[int, str]:
    """Give rows their claim's day, also in `rows`; return why that is impossible, by row."""
    why = {}
    for row_id, claim in claims.items():
        row = rows[row_id]
        day = claim.day or row.day
        if row.status == Status.PRE_SCHEDULED and row.day == day:
            continue
        try:
            claimed_rows.give_back(connection, row_id, day, absorption.timestamp)
        except apsw.ConstraintError:
            why[row_id] = f"is of {row.day} now, and another row of the table is in its way"
        else:
            rows[row_id] = row._replace(status=Status.PRE_SCHEDULED, day=day, skip_reason="")
    return why


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
    rows: dict[int, RowState],
    absorption: Absorption,
) -> tuple[list[str], dict[int, str]]:
    """Insert rows that are gone, also in `rows`.

    Return the statuses of the planned rows of the same messages, which go, and why a row cannot be
    put back, by row.
    """
    gone, why = list[str](), dict[int, str]()
    last_id = claimed_rows.last_id(connection) if removed else 0
    for row_id, (entry, lacking) in removed.items():
        if lacking or not 0 < row_id <= last_id:
            why[row_id] = _NO_ROW + (
                f"; it is put back only with {', '.join(lacking)}" if lacking else ""
            )
            continue
        row = _claimed_row(entry)
        try:
            with connection:
                gone += claimed_rows.put_back(
                    connection, row, absorption.applied_by, absorption.timestamp
                )
        except apsw.ConstraintError:
            why[row_id] = f"{_NO_ROW}; another row of the table is in its way"
        else:
            day, kind = row.scheduled_send_date, row.email_type
            rows[row_id] = RowState(row.contact_id, Status.PRE_SCHEDULED, day, "", kind)
    return gone, why


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
