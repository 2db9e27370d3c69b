"""The days of a plan with what is placed on each; days are offsets from T0."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from almanac.balancing.campaign_days import CampaignDays
from almanac.balancing.occupancy import Counts, Limits, Occupancy, padded
from almanac.balancing.targets import rank
from almanac.frames import Contenders, Days, Ids, Index, Mask
from almanac.joins import group_starts, positions


class Board:
    """Where each message is placed, and the load of each day. Messages are rows of `contenders`."""

    def __init__(
        self, contenders: Contenders, target: Days, fixed: Occupancy, limits: Limits
    ) -> None:
        self.contenders, self.limits = contenders, limits
        self.target = target - np.int32(limits.t0)
        self.due = contenders.ceiling - np.int32(limits.t0)
        self.days = max(int(self.due.max()), int(self.target.max())) + 1
        self.occupancy = padded(fixed.days, self.days)
        # C and X of each day
        self.open = limits.open_days(self.days)
        self.cap: Counts = limits.cap * self.open.astype(np.int64)
        self.ceiling: Counts = limits.ceiling * self.open.astype(np.int64)
        size = len(contenders)
        self.placed = np.full(size, -1, np.int32)
        self.step = np.zeros(size, np.int8)
        self.campaign = limits.is_campaign[contenders.kind]
        ids = contenders.contact_id
        first = group_starts(ids)
        self._contact = np.cumsum(first, dtype=np.int32) - np.int32(1)
        at = positions(ids[first], fixed.campaign_contacts)
        day = fixed.campaign_days - limits.t0
        near = (at >= 0) & (day >= 0) & (day < self.days)
        self._campaign_days = CampaignDays(np.sort(self._keys(at[near], day[near])))
        emails = np.bincount(self._contact[self.campaign], minlength=int(self._contact[-1]) + 1)
        np.add.at(emails, at[near], 1)
        # campaign emails of contacts with more than one: one may keep another from a day
        self.entangled: Mask = self.campaign & (emails > 1)[self._contact]

    def room(self) -> Counts:
        """Return how many more messages fit on each day below X."""
        room: Counts = np.maximum(self.ceiling - self.occupancy, 0)
        return room

    def order(self, messages: Index) -> Index:
        """Return the positions of the messages in rank order, best first."""
        return rank(self.contenders, messages, self.limits)

    def ranked(self, messages: Index) -> Index:
        """Return the messages in rank order, best first."""
        return messages[self.order(messages)]

    def put(self, messages: Index, day: Days | int, step: npt.NDArray[np.int8] | int) -> None:
        """Place the messages on their days."""
        self.placed[messages] = day
        self.step[messages] = step
        self.occupancy += np.bincount(self.placed[messages], minlength=self.days)
        entangled = messages[self.entangled[messages]]
        if len(entangled):
            self._campaign_days.add(self._keys(self._contact[entangled], self.placed[entangled]))

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
        return asked, self._keys(self._contact[messages[asked]], days)

    def _keys(self, contact: Index, day: Days) -> Ids:
        return contact.astype(np.int64) * self.days + day
