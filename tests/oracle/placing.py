"""On which day each is sent: kept days, smoothing, daily caps (semantics: Target, Smoothing,
Daily cap)."""

import math
from collections import Counter
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from .candidates import Candidate, Identity
from .dates import plus
from .schedules import Scheduled
from .settings import Config
from .sifting import CONFLICT, excluded_between

CAP = "Daily volume cap"
_SHARE_OF_EFFECTIVE_DATES = Decimal("0.3")


def _product(a: int, b: object) -> int:
    """The floor of an exact decimal product: 0.29 * 100 is 29."""
    return math.floor(a * Decimal(str(b)))


@dataclass(frozen=True)
class Limits:
    """C, X and the effective-date limit of a day."""

    c: int
    x: int
    effective_dates: int


def limits(total: int, config: Config) -> Limits:
    """The limits of an organization with that many rows of contacts."""
    balancing = config["load_balancing"]
    c = max(1, _product(total, balancing["daily_send_percentage_cap"]))
    x = max(c, _product(c, balancing["overage_threshold"]))
    soft = min(balancing["ed_daily_soft_limit"], _product(c, _SHARE_OF_EFFECTIVE_DATES))
    return Limits(c, x, max(1, soft))


def set_target(one: Candidate, plan: dict[Identity, Scheduled], t0: date, config: Config) -> None:
    """Step 7: the day that it has, if it may keep it; else the day that it wants."""
    row = plan.get(one.identity)
    if row is not None and row.ideal == one.ideal and row.send_date is not None:
        allowed = max(one.lo, t0) <= row.send_date <= one.hi
        if allowed and not excluded_between(one, row.send_date, one.start):
            one.target, one.kept = row.send_date, True
            return
    if one.ideal >= t0:
        one.target = one.ideal
    elif one.is_followup:
        one.target = t0
    else:
        spread = config["load_balancing"]["catch_up_spread_days"]
        one.target = plus(t0, one.hash % min(spread, (one.hi - t0).days + 1))


def smooth(
    candidates: list[Candidate], standing: list[Scheduled], limit: int, t0: date, config: Config
) -> None:
    """Step 8: effective-date emails leave a day that has too many of them."""
    mails = [one for one in candidates if one.email_type == "effective_date"]
    count = Counter(one.target for one in mails)
    count.update(
        row.send_date
        for row in standing
        if row.kind == "effective_date" and row.send_date is not None
    )
    width = config["load_balancing"]["ed_smoothing_window_days"]
    for one in mails:
        # Counts are of before anything moves, and a move changes its own mail only.
        if one.kept or one.target != one.ideal or count[one.target] <= limit:
            continue
        day = plus(one.ideal, one.hash % width - width // 2)
        if max(one.lo, t0) <= day <= one.hi and not excluded_between(one, day, one.ideal):
            one.target = day


@dataclass
class Days:
    """How many stand on each day, and which contacts have a campaign email there."""

    load: Counter[date] = field(default_factory=Counter)
    campaigns: set[tuple[int, date]] = field(default_factory=set)

    def barred(self, one: Candidate, day: date) -> bool:
        """Whether another campaign email of the contact stands there."""
        return one.is_campaign and (one.contact.id, day) in self.campaigns

    def stand(self, contact_id: int, day: date, campaign: bool) -> None:
        self.load[day] += 1
        if campaign:
            self.campaigns.add((contact_id, day))

    def place(self, one: Candidate, day: date) -> None:
        one.day = day
        self.stand(one.contact.id, day, one.is_campaign)


def _place_kept(kept: list[Candidate], days: Days, x: int) -> list[Candidate]:
    """Kept candidates on the days that they have; those that find no room become new."""
    left = []
    for one in kept:
        if days.load[one.target] < x and not days.barred(one, one.target):
            days.place(one, one.target)
        else:
            left.append(one)
    return left


def _place_some(some: list[Candidate], days: Days, day: date, most: float) -> list[Candidate]:
    """Place on a day, in the given order, while its load is below a number; what is left."""
    left = []
    for one in some:
        if days.load[day] < most and not days.barred(one, day):
            days.place(one, day)
        else:
            left.append(one)
    return left


def _place_new(new: list[Candidate], days: Days, limit: Limits, t0: date) -> list[Candidate]:
    """New candidates, day by day from T0; those that their last day left over."""
    over: list[Candidate] = []
    waiting: list[Candidate] = []
    last = max((one.hi for one in new), default=t0)
    day = t0
    while day <= last:
        own = [one for one in new if one.target == day]
        crowded = len(own) + days.load[day] > limit.x
        left = _place_some(own, days, day, limit.c if crowded else math.inf)
        waiting = _place_some(waiting, days, day, limit.c)
        waiting = sorted(waiting + left, key=lambda c: c.rank)
        over += [one for one in waiting if one.hi <= day]
        waiting = [one for one in waiting if one.hi > day]
        day = plus(day, 1)
    return over


def _place_over(one: Candidate, days: Days, x: int) -> bool:
    """The first day with room below the ceiling, if there is one."""
    free = [day for day in _with_room(one, days, x) if not days.barred(one, day)]
    if free:
        days.place(one, free[0])
    return bool(free)


def _with_room(one: Candidate, days: Days, x: int) -> list[date]:
    length = (one.hi - one.target).days + 1
    return [day for n in range(length) if days.load[day := plus(one.target, n)] < x]


def place(candidates: list[Candidate], standing: list[Scheduled], limit: Limits, t0: date) -> None:
    """Step 9: the daily cap; standing are all committed rows and those outside the scope."""
    days = Days()
    for row in standing:
        if row.send_date is not None:
            days.stand(row.contact_id, row.send_date, row.is_campaign)
    by_rank = sorted(candidates, key=lambda c: c.rank)
    _place_kept([one for one in by_rank if one.kept], days, limit.x)
    new = [one for one in by_rank if one.day is None]
    late = sorted(_place_new(new, days, limit, t0), key=lambda c: c.rank)
    # why one found no day is judged when all have been placed: a second run then says the same
    for one in [one for one in late if not _place_over(one, days, limit.x)]:
        one.reason = CONFLICT if _with_room(one, days, limit.x) else CAP
