"""Which message a click, an answer or an unsubscription belongs to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from almanac.frames import NO_DAY, Days, Ids, Index, Mask
from almanac.joins import day_keys, distinct_values, groups_of, positions
from almanac.report.results import Note
from almanac.results.collect import ContactActivity
from almanac.results.messages import SentOrPlanned


@dataclass(frozen=True)
class Period:
    """The days whose messages are counted, both included, and for how many days what follows."""

    first: int
    last: int
    within: int

    def has(self, days: Days) -> Mask:
        """Return which days are in the period."""
        return (days >= self.first) & (days <= self.last)


class SentIndex:
    """Finds sent messages by id, and those of some contacts by contact and day."""

    def __init__(self, messages: SentOrPlanned, contacts: Ids) -> None:
        sent = np.flatnonzero(messages.was_sent)
        sent = sent[np.argsort(messages.id[sent], kind="stable")]
        self._messages, self._by_id = messages, sent
        self._ids = messages.id[sent]
        self._contacts = distinct_values(contacts[contacts != 0])
        group = positions(self._contacts, messages.contact[sent])
        sent, group = sent[group >= 0], group[group >= 0]
        keys = day_keys(group, messages.day[sent])
        order = np.argsort(keys, kind="stable")  # by id among equal keys
        self._rows, self._keys = sent[order], keys[order]

    def with_id(self, ids: Ids) -> Index:
        """Return the row of the sent message with each id, -1 for none."""
        place = positions(self._ids, ids)
        found = np.full(len(ids), -1, np.intp)
        found[place >= 0] = self._by_id[place[place >= 0]]
        return found

    def message_of(self, activity: ContactActivity) -> tuple[Index, Mask]:
        """Return for each row the message that it belongs to, -1 for none, and which rows name a
        message that cannot be theirs.

        It is the one that the row names, if that was sent to the contact by then; else the last
        that was, of several on that day the one with the highest id.
        """
        known = activity.day != NO_DAY
        group = positions(self._contacts, activity.contact)
        rows = np.flatnonzero(known & (group >= 0))
        found = np.full(len(known), -1, np.intp)
        at = np.searchsorted(self._keys, day_keys(group[rows], activity.day[rows]), "right") - 1
        theirs = (at >= 0) & (groups_of(self._keys[np.maximum(at, 0)]) == group[rows])
        found[rows[theirs]] = self._rows[at[theirs]]
        names = np.flatnonzero((activity.named != 0) & known)
        message = self.with_id(activity.named[names])
        fits = message >= 0
        if fits.any():
            fits &= self._messages.contact[message] == activity.contact[names]
            fits &= self._messages.day[message] <= activity.day[names]
        wrong = np.zeros(len(known), np.bool_)
        found[names[fits]] = message[fits]
        wrong[names[~fits]] = True
        return found, wrong


@dataclass(frozen=True)
class Attributed:
    """Rows of what contacts did that count, each with its message."""

    row: Index
    message: Index


def attribute(
    index: SentIndex, messages: SentOrPlanned, activity: ContactActivity, period: Period, what: str
) -> tuple[Attributed, list[Note]]:
    """Return the rows that count for a message of the period, and what is odd about others.

    A row counts if it is of the day of its message or of the `within` days after it. what: the
    plural of the rows, in words.
    """
    message, wrong = index.message_of(activity)
    unreadable = activity.day == NO_DAY
    of_period = (activity.day >= period.first) & (activity.day <= period.last + period.within)
    unnamed = activity.contact == 0
    readable = of_period & ~unnamed
    there = message >= 0
    day = (
        messages.day[np.maximum(message, 0)] if len(messages) else np.zeros(len(message), np.int32)
    )
    mine = there & of_period & period.has(day)
    late = mine & (activity.day - day > period.within)
    rows = np.flatnonzero(mine & ~late)
    repeated = len(rows) - len(distinct_values(message[rows]))
    notes = [
        (f"{what} whose time cannot be read: not counted", unreadable),
        (f"{what} without a contact's id: not counted", unnamed & of_period),
        (f"{what} before which nothing was sent to the contact: not counted", readable & ~there),
        (f"{what} more than {period.within} days after their message: not counted", late),
        (
            f"{what} that name a message which is not theirs: counted for the last one before",
            wrong & mine,
        ),
    ]
    found = [Note(what=text, rows=int(mask.sum())) for text, mask in notes]
    text = f"{what} after others of the same message: counted once with them"
    return Attributed(rows, message[rows]), [*found, Note(what=text, rows=repeated)]


def last_for_each(number: Ids, messages: SentOrPlanned, message: Index) -> Mask:
    """Return for each number the row whose message was sent last; equal ones by the highest id."""
    there = message >= 0
    safe = np.maximum(message, 0)
    empty = np.zeros(len(message), np.int64)
    day, row_id = (messages.day[safe], messages.id[safe]) if len(messages) else (empty, empty)
    order = np.lexsort((row_id, day, there, number))
    last = np.ones(len(order), np.bool_)
    last[:-1] = number[order][1:] != number[order][:-1]
    chosen = np.zeros(len(order), np.bool_)
    chosen[order[last]] = True
    return chosen
