"""Days for messages under the daily caps (semantics: Daily cap).

Days are offsets from T0 here. Only what competes for room is ranked: on a day with room for all,
nothing needs an order.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from almanac.balancing.load import Limits, Load, padded
from almanac.balancing.targets import choose_targets, rank
from almanac.frames import PLACEMENT_STEPS, Contenders, Days, Ids, Index, Mask, Placement
from almanac.joins import group_starts, positions, rank_in_group

BLOCK = 200_000  # late messages that are looked at together
KEPT, ON_TARGET, WAITED, LATE, SKIPPED = range(len(PLACEMENT_STEPS))


@dataclass(frozen=True)
class SkipCodes:
    """Reason codes that balancing gives."""

    daily_cap: int
    conflict: int


def place(contenders: Contenders, load: Load, limits: Limits, skip: SkipCodes) -> Placement:
    """Steps 7 to 9 for all candidates that may be sent, sorted by contact."""
    if len(contenders) == 0:
        return Placement.empty()
    targets = choose_targets(contenders, load, limits)
    board = _Board(contenders, targets.day, load, limits)
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


class _Standing:
    """The (contact, day) keys on which a campaign e-mail stands.

    What has come lately is kept apart and merged now and then, so that adding a few keys to
    millions stays cheap.
    """

    def __init__(self, keys: Ids) -> None:
        self._keys = keys  # sorted
        self._recent = np.empty(0, np.int64)  # sorted

    def add(self, keys: Ids) -> None:
        """The keys stand from now on."""
        self._recent = np.sort(np.concatenate([self._recent, keys]))
        if len(self._recent) > 20_000:
            self._keys = np.sort(np.concatenate([self._keys, self._recent]), kind="stable")
            self._recent = np.empty(0, np.int64)

    def holds(self, keys: Ids) -> Mask:
        """Which of the keys stand."""
        found = np.zeros(len(keys), np.bool_)
        for known in (self._keys, self._recent):
            if len(known):
                found |= positions(known, keys) >= 0
        return found


class _Board:
    """The days of the plan, with what stands on each. Messages are rows of the contenders."""

    def __init__(self, contenders: Contenders, target: Days, load: Load, limits: Limits) -> None:
        self.contenders, self.limits = contenders, limits
        self.target = target - np.int32(limits.t0)
        self.ceiling = contenders.ceiling - np.int32(limits.t0)
        self.days = max(int(self.ceiling.max()), int(self.target.max())) + 1
        self.load = padded(load.days, self.days)
        size = len(contenders)
        self.placed = np.full(size, -1, np.int32)
        self.reason = np.zeros(size, np.int32)
        self.step = np.zeros(size, np.int8)
        self.campaign = limits.is_campaign[contenders.kind]
        ids = contenders.contact_id
        first = group_starts(ids)
        self.contact = np.cumsum(first, dtype=np.int32) - np.int32(1)
        self.standing = self._committed_campaigns(ids[first], load)
        self.late = np.empty(0, np.intp)

    def _committed_campaigns(self, ids: Ids, load: Load) -> _Standing:
        at = positions(ids, load.campaign_contacts)
        day = load.campaign_days - self.limits.t0
        mine = (at >= 0) & (day >= 0) & (day < self.days)
        return _Standing(np.sort(self._keys(at[mine], day[mine])))

    def _keys(self, contact: Index, day: Days) -> Ids:
        return contact.astype(np.int64) * self.days + day

    def _ranked(self, messages: Index) -> Index:
        """The messages in rank order, best first."""
        return rank(self.contenders, messages, self.limits)

    def _stand(self, messages: Index, day: Days | int, step: int) -> None:
        """Put the messages on their days."""
        self.placed[messages] = day
        self.step[messages] = step
        self.load += np.bincount(self.placed[messages], minlength=self.days)
        campaigns = messages[self.campaign[messages]]
        if len(campaigns):
            self.standing.add(self._keys(self.contact[campaigns], self.placed[campaigns]))

    def _barred(self, messages: Index, day: Days | int) -> Mask:
        """Which are campaign e-mails whose contact has one standing on the day."""
        barred = np.zeros(len(messages), np.bool_)
        asked = np.flatnonzero(self.campaign[messages])
        days = np.broadcast_to(np.asarray(day, np.int32), messages.shape)[asked]
        barred[asked] = self.standing.holds(self._keys(self.contact[messages[asked]], days))
        return barred

    def _second_campaigns(self, messages: Index, day: Days | int) -> Mask:
        """Which are campaign e-mails behind another of the same contact and day; the messages
        come in rank order."""
        second = np.zeros(len(messages), np.bool_)
        asked = np.flatnonzero(self.campaign[messages])
        days = np.broadcast_to(np.asarray(day, np.int32), messages.shape)[asked]
        keys = self._keys(self.contact[messages[asked]], days)
        second[asked] = True
        second[asked[np.unique(keys, return_index=True)[1]]] = False
        return second

    def _meeting(self, messages: Index) -> Index:
        """Campaign e-mails that share contact and target with another of the messages."""
        campaigns = messages[self.campaign[messages]]
        keys = self._keys(self.contact[campaigns], self.target[campaigns])
        _, where, counts = np.unique(keys, return_inverse=True, return_counts=True)
        return campaigns[counts[where] > 1]

    def _without_meeting(self, messages: Index) -> Mask:
        """Which messages may stand on their target beside all the others, room aside."""
        free = ~self._barred(messages, self.target[messages])
        meeting = self._meeting(messages)
        if len(meeting):
            ranked = self._ranked(meeting)
            second = ranked[self._second_campaigns(ranked, self.target[ranked])]
            free &= ~np.isin(messages, second)
        return free

    def place_kept(self, kept: Mask) -> None:
        """What has its day stays on it, in rank order while the load is below X."""
        messages = np.flatnonzero(kept)
        stays = messages[self._without_meeting(messages)]
        count = np.bincount(self.target[stays], minlength=self.days)
        room = np.maximum(self.limits.ceiling - self.load, 0)
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
        """New ones day by day; what finds no room waits for the next day, up to its ceiling."""
        cap, ceiling = self.limits.cap, self.limits.ceiling
        new = np.flatnonzero(self.placed < 0)
        own_count = np.bincount(self.target[new], minlength=self.days)
        crowded = own_count + self.load > ceiling
        free = self._without_meeting(new)
        at_ease = free & ~crowded[self.target[new]]
        self._stand(new[at_ease], self.target[new[at_ease]], ON_TARGET)
        rest = new[~at_ease]
        if len(rest) == 0:
            return
        ranked = self._ranked(rest)  # from here on messages are their places in this order
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
            # on a crowded day own come first; on another day those left were barred from it
            able = np.flatnonzero(may_stand[own])[: max(0, cap - int(self.load[day]))]
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
        """Put as many of the waiting on the day as there is room for below the cap, best first;
        their positions in `waiting`, which is in rank order."""
        taken = [np.empty(0, np.intp)]
        start = 0
        while (room := self.limits.cap - int(self.load[day])) > 0 and start < len(waiting):
            stop = start + 2 * room  # more than a few are barred only in rare cases
            messages = ranked[waiting[start:stop]]
            able = ~self._barred(messages, day)
            able[able] = ~self._second_campaigns(messages[able], day)
            chosen = np.flatnonzero(able)[:room]
            self._stand(messages[chosen], day, WAITED)
            taken.append(start + chosen)
            start = stop
        return np.concatenate(taken)

    def place_late(self, skip: SkipCodes) -> None:
        """What is left gets, in rank order, the first day from its target on with a load below X.

        Loads only grow, so a stretch of messages can be placed together as long as none of them
        finds its day filled within the stretch.
        """
        left, shut_out = self.late, [np.empty(0, np.intp)]
        while len(left):
            free = self._next_free()
            want = free[self.target[left]]
            hopeless = want > self.ceiling[left]
            shut_out.append(left[hopeless])
            left, want = left[~hopeless], want[~hopeless]
            block, rest = left[:BLOCK], left[BLOCK:]
            want = self._unbarred(block, want[:BLOCK], free)
            barred = want > self.ceiling[block]
            want[barred] = self.days  # on no day
            room = np.append(self.limits.ceiling - self.load, len(block) + 1)
            order = np.argsort(want, kind="stable")
            nth = np.empty(len(block), np.int64)
            nth[order] = rank_in_group(want[order])
            full = nth >= room[want]
            length = int(np.argmax(full)) if full.any() else len(block)
            shut_out.append(block[:length][barred[:length]])
            stands = ~barred[:length]
            self._stand(block[:length][stands], want[:length][stands], LATE)
            left = np.concatenate([block[length:], rest])
        self._explain(np.concatenate(shut_out), skip)

    def _unbarred(
        self, block: Index, want: npt.NDArray[np.int32], free: npt.NDArray[np.int32]
    ) -> npt.NDArray[np.int32]:
        """The first day with room on which no campaign e-mail of the contact stands, nor one of
        the block that is better ranked; past the ceiling if there is none."""
        want = np.array(want)
        campaigns = np.flatnonzero(self.campaign[block])
        while len(campaigns):
            messages, days = block[campaigns], want[campaigns]
            barred = self._barred(messages, days) | self._second_campaigns(messages, days)
            moving = campaigns[barred]
            if len(moving) == 0:
                break
            want[moving] = free[want[moving] + 1]
            # what is past its ceiling stands in nobody's way
            campaigns = campaigns[want[campaigns] <= self.ceiling[block[campaigns]]]
        return want

    def _explain(self, messages: Index, skip: SkipCodes) -> None:
        """Why these found no day: the days are full, or those with room have a campaign e-mail
        of the contact. Judged by the final loads, so that the next run finds the same reason."""
        room = self._next_free()[self.target[messages]] <= self.ceiling[messages]
        self.reason[messages] = np.where(room, skip.conflict, skip.daily_cap)

    def _next_free(self) -> npt.NDArray[np.int32]:
        """For each day the first from it on whose load is below X; a day past the end if none."""
        none = self.days
        days = np.where(self.load < self.limits.ceiling, np.arange(self.days), none)
        first = np.minimum.accumulate(days[::-1])[::-1]
        return np.append(first, [none, none]).astype(np.int32)
