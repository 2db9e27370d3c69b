"""Apply a sender's marks to the rows of email_schedules, and suppress after bounces.

Statuses are monotonic: planned, claimed, sent, ended; only what failed can be planned again. A mark
that contradicts its row, or claims a row too late, is refused by line; a mark that repeats the
row's status changes nothing.
"""

from __future__ import annotations

import datetime as dt
import functools
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

import apsw
import numpy as np
from pydantic import BaseModel

from almanac.config import Config
from almanac.csv_input.rejects import Rejects
from almanac.database import marked_statuses, sending, suppressions
from almanac.database.refused_rows import write_rows
from almanac.database.retries import marks_until_retry, retried
from almanac.database.row_states import RowState, row_states
from almanac.database.sending import DeliveryRow
from almanac.database.suppressions import ENDED, Suppression
from almanac.delivery.feedback_file import DeliveryMark, ParsedMarks, RefusedLine
from almanac.delivery.retry import Retries
from almanac.delivery.status_order import GONE, NEXT, OVERTAKEN, OVERTAKEN_LATE, SUPPRESSING
from almanac.errors import RequestError
from almanac.schedule_status import COMPLAINT, RETRY, Status


class Marked(BaseModel):
    """What became of the marks."""

    changed: dict[str, int]  # marks by status; complaints too, which change no row
    unchanged: int  # repeat what the row has
    refused: list[RefusedLine]
    suppressed: int  # new suppressions


class TakenMarks(NamedTuple):
    """What became of marks, with the states of their rows afterwards."""

    marks: list[DeliveryMark]  # that changed something
    unchanged: int
    refused: list[tuple[DeliveryMark, str]]
    rows: dict[int, RowState]
    suppressed: int


def apply(
    connection: apsw.Connection,
    parsed: ParsedMarks,
    config: Config,
    now: dt.datetime,
    suppress: bool,
) -> tuple[Marked, Rejects]:
    """Write all valid marks of a file, inside the caller's transaction.

    config: the organization's. suppress: whether to suppress the addresses of bounces and
    complaints. Return the counts, and the reject report's rows in the order of the file.
    """
    sending.prepare(connection)
    rejects = Rejects(parsed.rejects.columns, list(parsed.rejects.rows))
    result = ParsedMarks([], rejects, list(parsed.refused))
    rows = marked_rows(connection, parsed.marks)
    taken = take(connection, parsed.marks, rows, config, now, suppress=suppress)
    for mark, why in taken.refused:
        result.refuse(mark.line, mark.row_id, why, mark.cells)
    marked = Marked(
        changed=dict(sorted(Counter(mark.status for mark in taken.marks).items())),
        unchanged=taken.unchanged,
        refused=sorted(result.refused, key=lambda refused: refused.line),
        suppressed=taken.suppressed,
    )
    rejects.rows.sort(key=lambda reject: reject[0])
    return marked, rejects


def marked_rows(connection: apsw.Connection, marks: Sequence[DeliveryMark]) -> dict[int, RowState]:
    """Return the states of the rows that marks name. Requires `sending.prepare`."""
    ids = np.unique(np.array([mark.row_id for mark in marks], np.int64))
    return row_states(connection, ids)


def take(
    connection: apsw.Connection,
    marks: Sequence[DeliveryMark],
    rows: dict[int, RowState],
    config: Config,
    now: dt.datetime,
    *,
    suppress: bool,
    late: bool = False,
) -> TakenMarks:
    """Write marks in their order. Requires `sending.prepare`; raises RowsRefused.

    rows: their states now. late: marks may come long after what they report and in another order,
    so that one that a later status has overtaken changes nothing, where a sender who waits for the
    answer is refused.
    """
    zone = config.zone
    ledger = _Ledger(connection, marks, rows, Retries(connection, config, now), late)
    taken = TakenMarks([], 0, [], ledger.rows, 0)
    unchanged = 0
    for mark in marks:
        try:
            if ledger.take(mark):
                taken.marks.append(mark)
            else:
                unchanged += 1
        except RequestError as error:
            taken.refused.append((mark, str(error)))
    stamp = _stamp(now, dt.UTC)
    changes = (
        (
            m.row_id,
            Status.PRE_SCHEDULED if m.status == RETRY else m.status,
            _stamp(m.at, zone) if m.status in GONE else None,
        )
        for m in taken.marks
        if m.status != COMPLAINT
    )
    marked_statuses.write_statuses(connection, changes, stamp)
    times = ((m.row_id, _stamp(m.at, zone)) for m in ledger.overtaken)
    marked_statuses.write_earlier_times(connection, times, stamp)
    new = (mark for mark in taken.marks if not mark.is_recorded)
    sending.write_deliveries(connection, (delivery(mark, stamp) for mark in new))
    suppressed = _suppress(connection, ledger, taken.marks, config, now) if suppress else 0
    return taken._replace(unchanged=unchanged, suppressed=suppressed)


class _Ledger:
    """The current state of the rows that marks name, updated mark by mark."""

    def __init__(
        self,
        connection: apsw.Connection,
        marks: Sequence[DeliveryMark],
        rows: dict[int, RowState],
        retries: Retries,
        late: bool,
    ) -> None:
        self.rows = dict(rows)
        self.overtaken: list[DeliveryMark] = []  # that say when a message was sent
        self._late = late
        self._overtaken = OVERTAKEN_LATE if late else OVERTAKEN
        # the complaint about a delivered message may be the first that is heard of it
        self._complained = frozenset(Status) if late else frozenset({*GONE, Status.BOUNCED})
        self._claims = self._recorded(connection, marks, Status.PROCESSING)
        self._complaints = self._recorded(connection, marks, COMPLAINT)
        self._retries = retries
        self._retried = retried(connection) & self.rows.keys()
        self._is_repeated = repeated_before_retry(connection, self._retried)

    def take(self, mark: DeliveryMark) -> bool:
        """Apply a mark; return False if it changes nothing. Raise RequestError if it is wrong."""
        row = self.rows.get(mark.row_id)
        if row is None:
            raise RequestError("no such row: a run has removed it, or it never existed")
        any_day = self._late and mark.status == COMPLAINT
        if wrong := difference(mark, row, any_day=any_day):
            raise RequestError(wrong)
        if row.status == Status.PRE_SCHEDULED and self._is_repeated(mark):
            return False  # an older file again: it is about the attempt that failed
        if mark.status == RETRY:
            return self._retry(mark, row)
        if mark.status == COMPLAINT:
            if row.status not in self._complained:
                raise RequestError(f"a complaint about a message that is {row.status}")
            is_new = self._complaints.setdefault(mark.row_id, "new") == "new"
            return is_new or mark.is_recorded
        if mark.status == row.status or row.status in self._overtaken.get(mark.status, ()):
            self._check_claim(mark, row)
            if mark.status in GONE and mark.status != row.status and not self._is_repeated(mark):
                self.overtaken.append(mark)
            return False
        if mark.status not in NEXT.get(row.status, ()):
            why = f" ({row.skip_reason})" if row.skip_reason else ""
            is_now = row.status or "without a status"
            raise RequestError(f"is {is_now}{why} and cannot become {mark.status}")
        if mark.status == Status.PROCESSING:
            self._claims[mark.row_id] = mark.message_id or ""
        self.rows[mark.row_id] = row.with_status(mark.status)
        return True

    def _check_claim(self, mark: DeliveryMark, row: RowState) -> None:
        """Raise RequestError for the claim of a row that is another sender's."""
        claim = self._claims.get(mark.row_id, "" if mark.status == row.status else None)
        wrong = claim is not None and (mark.message_id or "") != claim
        if wrong and mark.status == Status.PROCESSING:
            raise RequestError(f"claimed already, with the message id {claim or 'none'}")

    def _retry(self, mark: DeliveryMark, row: RowState) -> bool:
        """Plan a failed row again; return False if that was done before."""
        if row.status != Status.FAILED:
            if mark.row_id in self._retried:
                return False
            raise RequestError(
                f"is {row.status or 'without a status'}: only what failed is retried"
            )
        if self._is_repeated(mark):
            return False
        self._retries.check(mark.row_id)
        self.rows[mark.row_id] = row.with_status(Status.PRE_SCHEDULED)
        return True

    @staticmethod
    def _recorded(
        connection: apsw.Connection, marks: Sequence[DeliveryMark], status: str
    ) -> dict[int, str]:
        ids = {mark.row_id for mark in marks if mark.status == status}
        return sending.recorded(connection, ids, status)


def repeated_before_retry(
    connection: apsw.Connection, rows: Collection[int]
) -> Callable[[DeliveryMark], bool]:
    """Return whether a mark repeats one from before the last retry of its row, one of `rows`."""
    before = marks_until_retry(connection, retried(connection) & set(rows))
    return (lambda mark: _key(mark) in before) if before else (lambda mark: False)


def difference(mark: DeliveryMark, row: RowState, *, any_day: bool = False) -> str | None:
    """Return how a row is not what its mark says it is; None if it is. any_day: on whatever day."""
    if mark.contact_id is not None and mark.contact_id != row.contact_id:
        return f"is of contact {row.contact_id}, not {mark.contact_id}"
    named, known = mark.email_type, row.email_type
    if named not in ("", known) and named.strip().lower() != known.strip().lower():
        return f"is of type {row.email_type}, not {mark.email_type}"
    if not any_day and mark.day and mark.day[:10] != row.day:
        moved = "a run has moved it to" if row.status == Status.PRE_SCHEDULED else "is of"
        return f"{moved} {row.day or 'no date'}, not {mark.day}"
    return None


def _key(mark: DeliveryMark) -> tuple[int, str, str, str]:
    """Return what a mark has in common with its repetition."""
    return mark.row_id, mark.status, _stamp(mark.at, dt.UTC), mark.message_id or ""


@functools.lru_cache(4096)  # many reports are of the same second
def _stamp(at: dt.datetime, zone: dt.tzinfo) -> str:
    """Return a time as SQLite has it, without the offset; strftime would take twice as long."""
    return at.astimezone(zone).isoformat(" ", "seconds")[:19]


def delivery(mark: DeliveryMark, stamp: str) -> DeliveryRow:
    """Return the row of message_deliveries for a mark; stamp: when it is written."""
    at = _stamp(mark.at, dt.UTC)
    return DeliveryRow(mark.row_id, mark.status, at, mark.message_id, mark.detail, stamp)


def _suppress(
    connection: apsw.Connection,
    ledger: _Ledger,
    marks: list[DeliveryMark],
    config: Config,
    now: dt.datetime,
) -> int:
    """Suppress the addresses of bounces and complaints. Return how many are new."""
    bad = [mark for mark in marks if mark.status in SUPPRESSING]
    if not bad:
        return 0
    contacts = {mark.row_id: ledger.rows[mark.row_id].contact_id for mark in bad}
    address_of = sending.addresses(connection, set(contacts.values()), config.contacts)
    today = str(now.astimezone(config.zone).date())
    existing = {
        (row.email.strip().lower(), row.contact_id, row.reason)
        for row in suppressions.rows(connection, today)
        if row.state != ENDED
    }
    new = []
    for mark in bad:
        contact, reason = contacts[mark.row_id], SUPPRESSING[mark.status]
        address = address_of.get(contact, "")
        number = 0 if address else contact
        key = (address.lower(), number, reason)
        if key not in existing:
            existing.add(key)
            since = str(mark.at.astimezone(config.zone).date())
            row = Suppression(address, number, reason, "mark", since, "")
            new.append((mark.row_id, row))
    suppressions.prepare(connection)
    write_rows(connection, new, lambda rows: suppressions.insert(connection, rows))
    return len(new)
