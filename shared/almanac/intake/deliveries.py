"""Apply what senders report: as `almanac mark`, but claims win, and entries come in any order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, zip_longest

import apsw

from almanac.database import claimed_rows, sending
from almanac.database.refused_rows import REFUSALS, RowsRefused
from almanac.delivery import feedback
from almanac.delivery.feedback_file import DeliveryMark
from almanac.intake.applied import Absorption, Applied
from almanac.intake.claims import Entries, honour
from almanac.intake.entries import DeliveryEntry
from almanac.intake.events import RefusedEntry
from almanac.intake.parts import in_parts, refusal
from almanac.schedule_status import PLANNED_STATUSES, Status

STEP_MARKS = 5_000  # written together: what they change fits into SQLite's cache


def in_steps(entries: Entries) -> Iterator[Entries]:
    """Yield some marks at a time, which are to be applied together; none if there are none.

    Many are by row, those of each in their order: rows that are neighbours share pages of the
    table, and mostly of its indexes, and each page is read and written once.
    """
    if len(entries) > STEP_MARKS:
        entries = sorted(entries, key=lambda each: each[1].id)
    start = 0
    while start < len(entries):
        stop = min(start + STEP_MARKS, len(entries))
        while stop < len(entries) and entries[stop][1].id == entries[stop - 1][1].id:
            stop += 1
        yield entries[start:stop]
        start = stop


def apply(connection: apsw.Connection, entries: Entries, absorption: Absorption) -> Applied:
    """Apply marks in their order, inside the caller's transaction.

    A mark of a row that is gone is refused, and recorded: it counts once the row is put back. One
    that the database refuses costs that mark alone, not the others of its row.
    """
    sending.prepare(connection)
    done, refused = _apply_others(connection, entries, absorption)
    parts = [done]
    rows = _by_row([each for each in entries if each[1].id in refused])
    parts.append(_refused([row[0] for row in rows if len(row) == 1], refused))
    # of rows with several marks the first of each together, then the second, and so on
    for turn in zip_longest(*(row for row in rows if len(row) > 1)):
        given = [each for each in turn if each is not None]
        done, refused = _apply_others(connection, given, absorption)
        parts += [done, _refused(given, refused)]
    return _together(parts)


def _apply_others(
    connection: apsw.Connection, entries: Entries, absorption: Absorption
) -> tuple[Applied, dict[int, str]]:
    """Apply the marks of all rows but those that the database refuses; return why, by row."""
    refused: dict[int, str] = {}
    while rest := [each for each in entries if each[1].id not in refused]:
        try:
            with connection:
                return _apply(connection, rest, absorption), refused
        except RowsRefused as error:
            refused |= {row: refusal(connection, why) for row, why in error.errors.items()}
        except REFUSALS:

            def write(rows: Sequence[Entries]) -> Applied:
                return _apply(connection, list(chain.from_iterable(rows)), absorption)

            parts, wrong = in_parts(connection, _by_row(rest), write)
            return _together(parts), refused | {marks[0][1].id: why for marks, why in wrong}
    return Applied(), refused


def _refused(entries: Entries, whys: Mapping[int, str]) -> Applied:
    """Return the entries of refused rows, by row in `whys`."""
    refused = [(number, whys[entry.id]) for number, entry in entries if entry.id in whys]
    return Applied([RefusedEntry(number, why) for number, why in refused])


def _together(parts: Sequence[Applied]) -> Applied:
    return Applied(
        refused=[each for part in parts for each in part.refused],
        committed=sum(part.committed for part in parts),
        pre_scheduled=sum(part.pre_scheduled for part in parts),
        skipped=sum(part.skipped for part in parts),
    )


def _by_row(entries: Entries) -> list[Entries]:
    """Return the entries of each row, in their order."""
    rows: dict[int, list[tuple[int, DeliveryEntry]]] = {}
    for number, entry in entries:
        rows.setdefault(entry.id, []).append((number, entry))
    return list(rows.values())


def _apply(connection: apsw.Connection, entries: Entries, absorption: Absorption) -> Applied:
    """Apply marks, all or none; raises RowsRefused, or another of REFUSALS."""
    config, now = absorption.config, absorption.now
    marks = [_mark(number, entry, absorption) for number, entry in entries]
    before = feedback.marked_rows(connection, marks)
    honoured = honour(connection, entries, marks, before, absorption)
    taken = feedback.take(
        connection, honoured.earlier + marks, honoured.rows, config, now, suppress=True, late=True
    )
    kept = (feedback.delivery(mark, absorption.timestamp) for mark in honoured.kept)
    sending.write_deliveries(connection, kept)
    refused = {
        mark.line: honoured.why.get(mark.row_id, why)
        for mark, why in taken.refused
        if not mark.is_recorded
    }
    claimed_rows.write_message_ids(
        connection,
        (
            (entry.sendgrid_message_id, entry.twilio_sms_id, entry.id)
            for number, entry in entries
            if (entry.sendgrid_message_id or entry.twilio_sms_id) and number not in refused
        ),
    )
    planned = Counter(row.status for row in before.values())
    planned.update(honoured.gone)
    planned.subtract(Counter(row.status for row in taken.rows.values()))
    return Applied(
        refused=[RefusedEntry(number, why) for number, why in refused.items()],
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
