"""The days of a plan with what is placed on each; days are offsets from T0."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from almanac.balancing.campaign_days import CampaignDays
from almanac.balancing.occupancy import Counts, Limits, Occupancy, padded
from almanac.balancing.targets import Aims, rank
from almanac.frames import Days, Ids, Index, Mask
from almanac.joins import counted, group_starts, positions


class Board:
    """Where each message is placed, and the load of each day. Messages are rows of `aims`."""

    def __init__(self, aims: Aims, fixed: Occupancy, limits: Limits) -> None:
        self.aims, self.limits = aims, limits
        self.target, self.due = aims.target, aims.due
        self.days = max(int(self.due.max()), int(self.target.max())) + 1
        self.occupancy = padded(fixed.days, self.days)
        # C and X of each day
        self.open = limits.open_days(self.days)
        self.cap: Counts = limits.cap * self.open.astype(np.int64)
        self.ceiling: Counts = limits.ceiling * self.open.astype(np.int64)
        self.placed = np.full(len(aims), -1, np.int32)
        self.step = np.zeros(len(aims), np.int8)
        # campaign emails of contacts with more than one: one may keep another from a day
        self.entangled: Mask = np.zeros(len(aims), np.bool_)
        rows = np.flatnonzero(limits.is_campaign[aims.kind])
        ids = aims.contact_id[rows]
        first = group_starts(ids)
        contact = np.cumsum(first) - 1
        at = positions(ids[first], fixed.campaign_contacts)
        day = fixed.campaign_days - limits.t0
        near = (at >= 0) & (day >= 0) & (day < self.days)
        self._campaign_days = CampaignDays(np.sort(self._keys(at[near], day[near])))
        several = (np.bincount(contact) + np.bincount(at[near], minlength=int(first.sum())) > 1)[
            contact
        ]
        self._rows, self._contacts = rows[several], contact[several]  # of entangled messages
        self.entangled[self._rows] = True

    def room(self) -> Counts:
        """Return how many more messages fit on each day below X."""
        room: Counts = np.maximum(self.ceiling - self.occupancy, 0)
        return room

    def order(self, messages: Index) -> Index:
        """Return the positions of the messages in rank order, best first."""
        return rank(self.aims, messages, self.limits)

    def ranked(self, messages: Index) -> Index:
        """Return the messages in rank order, best first."""
        return messages[self.order(messages)]

    def put(self, messages: Index, day: Days | int, step: npt.NDArray[np.int8] | int) -> None:
        """Place the messages on their days."""
        self.placed[messages] = day
        self.step[messages] = step
        if isinstance(day, int):
            self.occupancy[day] += len(messages)
        else:
            self.occupancy += counted(day, self.days)
        entangled = messages[self.entangled[messages]]
        if len(entangled):
            self._campaign_days.add(self._keys(self._contact(entangled), self.placed[entangled]))

    def barred(self, messages: Index, day: Days | int) -> Mask:
        """Return which are campaign emails whose contact has another one on the day."""
        barred = np.zeros(len(messages), np.bool_)
        asked, keys = self._entangled_keys(messages, day)
        barred[asked] = self._campaign_days.holds(keys)
        return barred

    def seconds(self, ranked: Index, day: Days | int) -> Mask:
        """Return which are campaign emails behind another of the same contact and day; the
        messages come in the order in which they are placed."""
        second = np.zeros(len(ranked), np.bool_)
        asked, keys = self._entangled_keys(ranked, day)
        second[asked] = True
        second[asked[np.unique(keys, return_index=True)[1]]] = False
        return second

    def placeable(self, messages: Index, day: Days | int) -> Mask:
        """Return which messages may be placed on their days beside all the others, room aside; of
        two campaign emails of a contact the better ranked one."""
        free = ~self.barred(messages, day)
        asked, keys = self._entangled_keys(messages, day)
        order = np.argsort(keys, kind="stable")
        twice = keys[order[1:]] == keys[order[:-1]]
        if twice.any():
            meeting = asked[order[np.r_[False, twice] | np.r_[twice, False]]]
            days = np.broadcast_to(np.asarray(day, np.int32), messages.shape)
            meeting = meeting[self.order(messages[meeting])]
            free[meeting[self.seconds(messages[meeting], days[meeting])]] = False
        return free

    def next_free(self) -> npt.NDArray[np.int32]:
        """Return for each day the first from it on with a load below X, a day past the end where
        there is none."""
        return self._next(self.occupancy < self.ceiling)

    def next_open(self) -> npt.NDArray[np.int32]:
        """Return for each day the first from it on that is not closed, else a day past the end."""
        return self._next(self.open)

    def _next(self, days: Mask) -> npt.NDArray[np.int32]:
        numbers = np.where(days, np.arange(self.days), self.days)
        first = np.minimum.accumulate(numbers[::-1])[::-1]
        return np.append(first, [self.days, self.days]).astype(np.int32)

    def _entangled_keys(self, messages: Index, day: Days | int) -> tuple[Index, Ids]:
        asked = np.flatnonzero(self.entangled[messages])
        days = np.broadcast_to(np.asarray(day, np.int32), messages.shape)[asked]
        return asked, self._keys(self._contact(messages[asked]), days)

    def _contact(self, entangled: Index) -> Index:
        """Return a number of each message's contact."""
        contacts: Index = self._contacts[np.searchsorted(self._rows, entangled)]
        return contacts

    def _keys(self, contact: Index, day: Days) -> Ids:
        return contact.astype(np.int64) * self.days + day
