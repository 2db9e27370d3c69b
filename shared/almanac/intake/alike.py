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
from almanac.database.row_states import RowState, copy_state, row_states
from almanac.intake.events import valid_entries
from almanac.schedule_status import COMPLAINT, Status

Entry = Mapping[str, Any]
Alike = Mapping[int, Sequence[int]]  # by a row others of which the same becomes
# marks that concern an address, and so other messages than their own
OF_ADDRESSES = frozenset({Status.BOUNCED.value, COMPLAINT})
_PLAIN = frozenset({str, type(None)})
_DIGITS = 18  # that the text of an id may have


def states_of(connection: apsw.Connection, rows: Collection[int]) -> dict[int, RowState]:
    """Return the states of those of the rows that were never retried."""
    sending.prepare(connection)
    ids = np.array(sorted({*rows} - retried(connection)), np.int64)
    return row_states(connection, ids)


def alike(
    marks: Mapping[int, Sequence[Entry]],
    contacts: Mapping[int, int],
    states: Mapping[int, RowState],
) -> dict[int, list[int]]:
    """Return planned rows with others of whose marks, all that wait, the same comes.

    marks: of each row in their order. contacts: of the rows. states: as of `states_of`.
    """
    reported, found = _Reported(), dict[tuple[object, ...], list[int]]()
    for row, state in states.items():
        contact = contacts[row]
        said = [reported.of(entry, row, contact) for entry in marks[row]]
        if None not in said:
            found.setdefault((state[1:], *said), []).append(row)
    return {
        same[0]: same[1:]
        for (state, *_), same in found.items()
        if len(same) > 1 and states[same[0]].status == Status.PRE_SCHEDULED
    }


@contextmanager
def becoming_alike(connection: apsw.Connection, rows: Alike) -> Iterator[None]:
    """Make rows, in the end, what the one has become by then that they are like."""
    sending.prepare(connection)
    ids = np.array(sorted(rows), np.int64)
    before = row_states(connection, ids)
    yield
    for row, state in row_states(connection, ids).items():
        if state != before[row]:
            copy_state(connection, row, rows[row])


class _Reported:
    """What marks say of their messages, by what they say."""

    def __init__(self) -> None:
        # a text equals nothing but the same text, and None nothing but None
        self._known: dict[tuple[object, ...], tuple[object, ...] | None] = {}

    def of(self, entry: Entry, row: int, contact: int) -> tuple[object, ...] | None:
        """Return all that the meaning of a mark depends on, but its row; None if it may be more."""
        get = entry.get
        own, named = get("id"), get("contact_id")
        if type(own) is not int and not _is_id(own, row):
            return None
        if named is not None and not _is_id(named, contact):
            return None
        said = (get("status"), get("scheduled_send_date"), get("email_type"), get("at"))
        try:
            return self._known[said]
        except KeyError:
            found = self._known[said] = _meaning(*said)
            return found
        except TypeError:  # a list or an object
            return None


def _meaning(
    status: object, day: object, email_type: object, at: object
) -> tuple[object, ...] | None:
    if not _PLAIN.issuperset(map(type, (status, day, email_type, at))) or status is None:
        return None
    if str(status).strip().lower() in OF_ADDRESSES:
        return None
    # when it was, no status depends on
    probe = {"id": 1, "status": Status.SENT.value, "at": at}
    return status, day, email_type, not valid_entries("deliveries", [probe])[1]


def _is_id(value: object, number: int) -> bool:
    """Return whether a value means the number in a way that entries surely take."""
    if type(value) is int:
        return value == number
    if type(value) is not str or len(value) > _DIGITS or not value.isascii():
        return False
    return value.isdigit() and int(value) == number
