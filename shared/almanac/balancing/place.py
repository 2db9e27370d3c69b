"""Days for messages under the daily caps (semantics: Daily cap).

Days are offsets from T0 here. Only messages that compete for room are ranked: on a day with room
for all, the order has no effect.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from almanac.balancing.campaign_days import CampaignDays
from almanac.balancing.occupancy import Limits, Occupancy, padded
from almanac.balancing.targets import choose_targets, rank
from almanac.frames import PLACEMENT_STEPS, Contenders, Days, Ids, Index, Mask, Placement
from almanac.joins import group_starts, positions, rank_in_group

BLOCK = 200_000  # late messages that are placed together
KEPT, ON_TARGET, WAITED, LATE, SKIPPED = range(len(PLACEMENT_STEPS))


@dataclass(frozen=True)
class NoDayCodes:
    """The codes of the two skip reasons that balancing gives."""

    daily_cap: int
    conflict: int


def place(contenders: Contenders, fixed: Occupancy, limits: Limits, skip: NoDayCodes) -> Placement:
    """Return the day of each contender, or why it has none; they are sorted by contact.

    This is semantics from Target to Daily cap.
    """
    if len(contenders) == 0:
        return Placement.empty()
    targets = choose_targets(contenders, fixed, limits)
    board = _Board(contenders, targets.day, fixed, limits)
    board.place_kept(targets.kept)
    board.place_new()
    board.place_late(skip)
    skipped = board.reason != 0
    return Placement(
        day=np.where(skipped, contenders.ideal, board.placed + np.int32(limits.t0)),
        reason=board.reason,
        step=np.where(skipped, np.int8(SKIPPED), board.step),
        target=targets.day,
    )


class _Board:
    """The days of the plan with their occupancy. Messages are rows of the contenders."""

    def __init__(
        self, contenders: Contenders, target: Days, fixed: Occupancy, limits: Limits
    ) -> None:
        self.contenders, self.limits = contenders, limits
        self.target = target - np.int32(limits.t0)
        self.ceiling = contenders.ceiling - np.int32(limits.t0)
        self.days = max(int(self.ceiling.max()), int(self.target.max())) + 1
        self.occupancy = padded(fixed.days, self.days)
        size = len(contenders)
        self.placed = np.full(size, -1, np.int32)
        self.reason = np.zeros(size, np.int32)
        self.step = np.zeros(size, np.int8)
        self.campaign = limits.is_campaign[contenders.kind]
        ids = contenders.contact_id
        first = group_starts(ids)
        self.contact = np.cumsum(first, dtype=np.int32) - np.int32(1)
        self.campaign_days = self._committed_campaigns(ids[first], fixed)
        self.late = np.empty(0, np.intp)

    def _committed_campaigns(self, ids: Ids, fixed: Occupancy) -> CampaignDays:
        at = positions(ids, fixed.campaign_contacts)
        day = fixed.campaign_days - self.limits.t0
        mine = (at >= 0) & (day >= 0) & (day < self.days)
        return CampaignDays(np.sort(self._keys(at[mine], day[mine])))

    def _keys(self, contact: Index, day: Days) -> Ids:
        return contact.astype(np.int64) * self.days + day

    def _ranked(self, messages: Index) -> Index:
        """Return the messages in rank order, best first."""
        return rank(self.contenders, messages, self.limits)

    def _stand(self, messages: Index, day: Days | int, step: int) -> None:
        """Place the messages on their days."""
        self.placed[messages] = day
        self.step[messages] = step
        self.occupancy += np.bincount(self.placed[messages], minlength=self.days)
        campaigns = messages[self.campaign[messages]]
        if len(campaigns):
            self.campaign_days.add(self._keys(self.contact[campaigns], self.placed[campaigns]))

    def _barred(self, messages: Index, day: Days | int) -> Mask:
        """Return which are campaign messages whose contact has another one on the day."""
        barred = np.zeros(len(messages), np.bool_)
        asked = np.flatnonzero(self.campaign[messages])
        days = np.broadcast_to(np.asarray(day, np.int32), messages.shape)[asked]
        barred[asked] = self.campaign_days.holds(self._keys(self.contact[messages[asked]], days))
        return barred

    def _second_campaigns(self, messages: Index, day: Days | int) -> Mask:
        """Return which are campaign messages behind another of the same contact and day.

        The messages are in rank order.
        """
        second = np.zeros(len(messages), np.bool_)
        asked = np.flatnonzero(self.campaign[messages])
        days = np.broadcast_to(np.asarray(day, np.int32), messages.shape)[asked]
        keys = self._keys(self.contact[messages[asked]], days)
        second[asked] = True
        second[asked[np.unique(keys, return_index=True)[1]]] = False
        return second

    def _meeting(self, messages: Index) -> Index:
        """Return the campaign messages that share contact and target with another one."""
        campaigns = messages[self.campaign[messages]]
        keys = self._keys(self.contact[campaigns], self.target[campaigns])
        _, where, counts = np.unique(keys, return_inverse=True, return_counts=True)
        return campaigns[counts[where] > 1]

    def _without_meeting(self, messages: Index) -> Mask:
        """Return which messages may be placed on their target with all the others, room aside."""
        free = ~self._barred(messages, self.target[messages])
        meeting = self._meeting(messages)
        if len(meeting):
            ranked = self._ranked(meeting)
            second = ranked[self._second_campaigns(ranked, self.target[ranked])]
            free &= ~np.isin(messages, second)
        return free

    def place_kept(self, kept: Mask) -> None:
        """Step 2: kept messages stay on their day, in rank order while the occupancy is below X."""
        messages = np.flatnonzero(kept)
        stays = messages[self._without_meeting(messages)]
        count = np.bincount(self.target[stays], minlength=self.days)
        room = np.maximum(self.limits.ceiling - self.occupancy, 0)
        full = (count > room)[self.target[stays]]
        crowd = stays[full]
        stays = stays[~full]
        if len(crowd):
            crowd = self._ranked(crowd)
            crowd = crowd[np.argsort(self.target[crowd], kind="stable")]
            place_on_day = rank_in_group(self.target[crowd])
            stays = np.sort(np.r_[stays, crowd[place_on_day < room[self.target[crowd]]]])
        self._stand(stays, self.target[stays], KEPT)

    def place_new(self) -> None:
        """Step 3: new messages, day by day; one without room waits, up to its ceiling."""
        cap, ceiling = self.limits.cap, self.limits.ceiling
        new = np.flatnonzero(self.placed < 0)
        own_count = np.bincount(self.target[new], minlength=self.days)
        crowded = own_count + self.occupancy > ceiling
        free = self._without_meeting(new)
        at_ease = free & ~crowded[self.target[new]]
        self._stand(new[at_ease], self.target[new[at_ease]], ON_TARGET)
        rest = new[~at_ease]
        if len(rest) == 0:
            return
        ranked = self._ranked(rest)  # below, messages are positions in this order
        ceilings, targets = self.ceiling[ranked], self.target[ranked]
        may_stand = np.isin(ranked, new[free])
        by_day = np.argsort(targets, kind="stable")
        bounds = np.searchsorted(targets[by_day], np.arange(self.days + 1))
        waiting = np.empty(0, np.intp)
        late: list[npt.NDArray[np.intp]] = []
        for day in range(self.days):
            own = by_day[bounds[day] : bounds[day + 1]]
            if len(own) == 0 and len(waiting) == 0:
                continue
            # on a crowded day its own messages come first; on another only barred ones are left
            able = np.flatnonzero(may_stand[own])[: max(0, cap - int(self.occupancy[day]))]
            self._stand(ranked[own[able]], day, ON_TARGET)
            left = np.delete(own, able)
            waiting = np.delete(waiting, self._let_stand(ranked, waiting, day))
            if len(left):
                waiting = np.sort(np.concatenate([waiting, left]))
            done = ceilings[waiting] <= day
            late.append(waiting[done])
            waiting = waiting[~done]
        self.late = ranked[np.sort(np.concatenate(late))]

    def _let_stand(self, ranked: Index, waiting: Index, day: int) -> Index:
        """Place as many of the waiting messages on the day as the cap has room for, best first.

        `waiting` is in rank order. Returns the positions in it that were placed.
        """
        taken = [np.empty(0, np.intp)]
        start = 0
        while (room := self.limits.cap - int(self.occupancy[day])) > 0 and start < len(waiting):
            stop = start + 2 * room  # it is rare that more than a few are barred
            messages = ranked[waiting[start:stop]]
            able = ~self._barred(messages, day)
            able[able] = ~self._second_campaigns(messages[able], day)
            chosen = np.flatnonzero(able)[:room]
            self._stand(messages[chosen], day, WAITED)
            taken.append(start + chosen)
            start = stop
        return np.concatenate(taken)

    def place_late(self, skip: NoDayCodes) -> None:
        """Step 4: in rank order, each message gets the first day from its target on that is free.

        A day is free while its occupancy is below X. Placing one message at a time would look for
        a free day millions of times, so one look serves a stretch of messages:

            in rank order    a   b   c   d   e
            first free day   2   2   3   2   3      day 2 has room for two messages
                             --stretch--            d is the third on day 2: it needs another look

        Occupancies only grow, so a day before the first free one stays full. Within the stretch
        no day fills up before the turn of a message that wants it: each gets the day that it
        would get if it were placed by itself.
        """
        left, without = self.late, [np.empty(0, np.intp)]
        while len(left):
            next_free = self._next_free()
            hopeless = next_free[self.target[left]] > self.ceiling[left]
            without.append(left[hopeless])
            left = left[~hopeless]
            block = left[:BLOCK]
            want = self._wanted(block, next_free)
            length = self._stretch(want)
            stretch, day = block[:length], want[:length]
            none = day == self.days
            without.append(stretch[none])
            self._stand(stretch[~none], day[~none], LATE)
            left = left[length:]
        self._explain(np.concatenate(without), skip)

    def _stretch(self, want: Days) -> int:
        """Return how many of the messages, in rank order, find room on the days that they want.

        Those without a day, `self.days`, need none.
        """
        room = np.append(self.limits.ceiling - self.occupancy, len(want))
        order = np.argsort(want, kind="stable")
        nth = np.empty(len(want), np.intp)  # of the messages that want the same day
        nth[order] = rank_in_group(want[order])
        full = nth >= room[want]
        return int(np.argmax(full)) if full.any() else len(want)

    def _wanted(self, block: Index, next_free: Days) -> Days:
        """Return for each message of the block, in rank order, the first free day from its target
        on from which no campaign message of its contact bars it, neither one that has been placed
        nor a better one of the block; `self.days` where that is past its ceiling."""
        want: Days = next_free[self.target[block]]
        campaigns = np.flatnonzero(self.campaign[block])
        while len(campaigns):
            messages, days = block[campaigns], want[campaigns]
            barred = self._barred(messages, days) | self._second_campaigns(messages, days)
            moving = campaigns[barred]
            if len(moving) == 0:
                break
            want[moving] = next_free[want[moving] + 1]
            # one past its ceiling bars no other
            campaigns = campaigns[want[campaigns] <= self.ceiling[block[campaigns]]]
        want[want > self.ceiling[block]] = self.days
        return want

    def _explain(self, messages: Index, skip: NoDayCodes) -> None:
        """Step 5: record why these messages have no day: all days are full, or those with room
        have another campaign message of the contact.

        Final occupancies decide, so that the next run finds the same reason.
        """
        room = self._next_free()[self.target[messages]] <= self.ceiling[messages]
        self.reason[messages] = np.where(room, skip.conflict, skip.daily_cap)

    def _next_free(self) -> Days:
        """Return for each day the first from it on with an occupancy below X; past the end if
        there is none. There are two more entries than days."""
        none = self.days
        days = np.where(self.occupancy < self.limits.ceiling, np.arange(self.days), none)
        first = np.minimum.accumulate(days[::-1])[::-1]
        free: Days = np.append(first, [none, none]).astype(np.int32)
        return free
