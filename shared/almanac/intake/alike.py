"""Messages of a day whose marks are alike, so that the same becomes of all of them.

Tens of thousands of messages differ in nothing that the meaning of a mark depends on: neither the
rows, but for their contacts, nor what was reported of them. The marks of one of them are applied,
by the code that applies all marks, and the others become what that one became.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import apsw
import numpy as np

from almanac.database import sending
from almanac.database.retries import retried
from almanac.database.sending import RowState
from almanac.intake.events import valid_entries
from almanac.schedule_status import COMPLAINT, Status

Entry = Mapping[str, Any]
Alike = Mapping[int, Sequence[int]]  # by a row others of which the same becomes
# marks that concern an address, and so other messages than their own
OF_ADDRESSES = frozenset({Status.BOUNCED.value, COMPLAINT})
_PLAIN = frozenset({str, type(None)})
_DIGITS = 18  # that the text of an id may have


def planned_states(connection: apsw.Connection, rows: Collection[int]) -> dict[int, RowState]:
    """Return the states of those of the rows that are planned, and never were retried."""
    sending.prepare(connection)
    again = retried(connection)
    return {
        row: state
        for row, state in sending.row_states(connection, np.array(sorted(rows), np.int64)).items()
        if state.status == Status.PRE_SCHEDULED and row not in again
    }


def alike(
    marks: Mapping[int, Sequence[Entry]],
    contacts: Mapping[int, int],
    states: Mapping[int, RowState],
) -> dict[int, list[int]]:
    """Return rows whose marks, all that wait, come to the same; those without any like them not.

    marks: of each row in their order. contacts: of the rows. states: as of `planned_states`.
    """
    is_time = _valid_times(marks.values())
    found: dict[tuple[object, ...], list[int]] = {}
    for row, entries in marks.items():
        if row not in states:
            continue
        contact = contacts[row]
        reported = [_reported(entry, row, contact, is_time) for entry in entries]
        if None not in reported:
            found.setdefault((*states[row][1:], *reported), []).append(row)
    return {same[0]: same[1:] for same in found.values() if len(same) > 1}


@contextmanager
def becoming_alike(connection: apsw.Connection, rows: Alike) -> Iterator[None]:
    """Make rows, in the end, what the one has become by then that they are like."""
    sending.prepare(connection)
    ids = np.array(sorted(rows), np.int64)
    before = sending.row_states(connection, ids)
    yield
    for row, state in sending.row_states(connection, ids).items():
        if state != before[row]:
            sending.copy_state(connection, row, rows[row])


def _reported(
    entry: Entry, row: int, contact: int, is_time: Mapping[object, bool]
) -> tuple[object, ...] | None:
    """Return all that the meaning of a mark depends on, but its row; None if that may be more."""
    get = entry.get
    said = (get("status"), get("scheduled_send_date"), get("email_type"))
    named, at = get("contact_id"), get("at")
    if not _PLAIN.issuperset(map(type, said)) or type(at) not in _PLAIN:
        return None
    if not _is_id(get("id"), row) or not (named is None or _is_id(named, contact)):
        return None
    status = said[0]
    if status is None or status.strip().lower() in OF_ADDRESSES:
        return None
    return (*said, is_time[at])


def _is_id(value: object, number: int) -> bool:
    """Return whether a value means the number in a way that entries surely take."""
    if type(value) is int:
        return value == number
    if type(value) is not str or len(value) > _DIGITS or not value.isascii():
        return False
    return value.isdigit() and int(value) == number


def _valid_times(marks: Collection[Sequence[Entry]]) -> dict[object, bool]:
    """Return which times of marks, texts and None, are valid."""
    times = {at for entries in marks for each in entries if type(at := each.get("at")) in _PLAIN}
    given = list(times)
    probes = [{"id": 1, "status": Status.SENT.value, "at": at} for at in given]
    wrong = {each.index for each in valid_entries("deliveries", probes)[1]}
    return {at: number not in wrong for number, at in enumerate(given)}
