"""On which day each is sent: kept days, smoothing, daily caps (semantics: Target, Smoothing,
Daily cap)."""

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

import holidays

from .candidates import Candidate, Identity
from .dates import days_between, plus
from .schedules import Scheduled
from .settings import Config
from .sifting import CONFLICT, excluded_between

CAP = "Daily volume cap"
NO_SENDING_DAY = "No sending day"
_WEEKDAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
_SHARE_OF_EFFECTIVE_DATES = Decimal("0.3")


def _product(a: int, b: object) -> int:
    """The floor of an exact decimal product: 0.29 * 100 is 29."""
    return math.floor(a * Decimal(str(b)))


@dataclass(frozen=True)
class Limits:
    """C, X and the effective-date limit of a day; on closed days C and X are 0."""

    c: int
    x: int
    effective_dates: int
    closed: Callable[[date], bool]

    def c_on(self, day: date) -> int:
        return 0 if self.closed(day) else self.c

    def x_on(self, day: date) -> int:
        return 0 if self.closed(day) else self.x


def limits(total: int, config: Config) -> Limits:
    """The limits of an organization with that many rows of contacts."""
    balancing = config["load_balancing"]
    c = max(1, _product(total, balancing["daily_send_percentage_cap"]))
    x = max(c, _product(c, balancing["overage_threshold"]))
    soft = min(balancing["ed_daily_soft_limit"], _product(c, _SHARE_OF_EFFECTIVE_DATES))
    return Limits(c, x, max(1, soft), closed_days(balancing["closed"]))


def closed_days(closed: dict[str, list[Any]]) -> Callable[[date], bool]:
    """Whether nothing is sent on a day: a weekday, a date, or a public holiday of a place."""
    places = [
        holidays.country_holidays(code[:2], subdiv=code[3:] or None)
        for code in closed.get("holidays", [])
    ]

    def is_closed(day: date) -> bool:
        return (
            _WEEKDAYS[day.weekday()] in closed.get("weekdays", [])
            or day.isoformat() in [str(each) for each in closed.get("dates", [])]
            or any(day in place for place in places)
        )

    return is_closed


def set_target(one: Candidate, plan: dict[Identity, Scheduled], t0: date, config: Config) -> None:
    """Step 7: the day that it has, if it may keep it; else the day that it wants."""
    row = plan.get(one.identity)
    if row is not None and row.ideal == one.ideal and row.send_date is not None:
        allowed = max(one.lo, t0) <= row.send_date <= one.hi
        if allowed and not excluded_between(one, row.send_date, one.start):
            one.target, one.kept = row.send_date, True
            return
    if one.x >= t0:
        one.target = one.x
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
    campaigns: set[tuple[int | None, date]] = field(default_factory=set)

    def barred(self, one: Candidate, day: date) -> bool:
        """Whether another campaign email of the contact stands there."""
        return one.is_campaign and (one.contact.id, day) in self.campaigns

    def stand(self, contact_id: int | None, day: date, campaign: bool) -> None:
        self.load[day] += 1
        if campaign:
            self.campaigns.add((contact_id, day))

    def place(self, one: Candidate, day: date) -> None:
        one.day = day
        self.stand(one.contact.id, day, one.is_campaign)


def _place_kept(kept: list[Candidate], days: Days, limit: Limits) -> list[Candidate]:
    """Kept candidates on the days that they have; those that find no room become new."""
    left = []
    for one in kept:
        if days.load[one.target] < limit.x_on(one.target) and not days.barred(one, one.target):
            days.place(one, one.target)
        else:
            left.append(one)
    return left


def _admitted(new: list[Candidate], room: dict[date, int]) -> list[Candidate]:
    """In rank order, each that can still be given a day together with those before it.

    A span of days may not have more that must lie within it than rooms; only spans from the target
    of one to the last day of one can be the first to have.
    """
    chosen: list[Candidate] = []
    starts = sorted({one.target for one in new})
    ends = sorted({one.hi for one in new})
    spans = {
        (a, b): sum(room.get(day, 0) for day in days_between(a, b))
        for a in starts
        for b in ends
        if a <= b
    }
    for one in new:
        around = [(a, b) for a, b in spans if a <= one.target and one.hi <= b]
        if all(spans[span] > 0 for span in around):
            chosen.append(one)
            for span in around:
                spans[span] -= 1
    return chosen


def _must(waiting: list[Candidate], room: dict[date, int], day: date) -> int:
    """How many must go on the day, lest one of those without a day find none later."""
    most = later = 0
    end = max((one.hi for one in waiting), default=day)
    for last in days_between(day, end):
        if last > day:
            later += room.get(last, 0)
        most = max(most, sum(one.hi <= last for one in waiting) - later)
    return most


def _place_some(some: list[Candidate], days: Days, day: date, count: float, below: float) -> None:
    """Place the first so many that are not barred, in the given order, while the load is below."""
    for one in some:
        if count > 0 and days.load[day] < below and not days.barred(one, day):
            days.place(one, day)
            count -= 1


def _waiting(in_order: list[Candidate], day: date) -> list[Candidate]:
    return [one for one in in_order if one.day is None and one.target <= day <= one.hi]


def _give_days(
    chosen: list[Candidate], days: Days, room: dict[date, int], limit: Limits, t0: date
) -> None:
    """Days for the admitted, day by day; campaigns that meet may leave some without."""
    last = max((one.hi for one in chosen), default=t0)
    in_order = sorted(chosen, key=lambda c: (c.hi, c.rank))
    for day in days_between(t0, last):
        pending = [one for one in chosen if one.day is None and one.hi >= day]
        _place_some(_waiting(in_order, day), days, day, _must(pending, room, day), limit.x_on(day))
        own = [one for one in _waiting(in_order, day) if one.target == day]
        if len(own) + days.load[day] <= limit.x_on(day):
            _place_some(own, days, day, math.inf, limit.x_on(day))
        _place_some(_waiting(in_order, day), days, day, math.inf, limit.c_on(day))


def _place_over(one: Candidate, days: Days, limit: Limits) -> bool:
    """The first day with room below the ceiling, if there is one."""
    free = [day for day in _with_room(one, days, limit) if not days.barred(one, day)]
    if free:
        days.place(one, free[0])
    return bool(free)


def _with_room(one: Candidate, days: Days, limit: Limits) -> list[date]:
    return [day for day in days_between(one.target, one.hi) if days.load[day] < limit.x_on(day)]


def _why_none(one: Candidate, days: Days, limit: Limits) -> str:
    """Why it has found no day."""
    if _with_room(one, days, limit):
        return CONFLICT
    closed = all(limit.closed(day) for day in days_between(one.target, one.hi))
    return NO_SENDING_DAY if closed else CAP


def place(candidates: list[Candidate], standing: list[Scheduled], limit: Limits, t0: date) -> None:
    """Step 9: the daily cap; standing are all committed rows and those outside the scope."""
    days = Days()
    for row in standing:
        if row.send_date is not None:
            days.stand(row.contact_id, row.send_date, row.is_campaign)
    by_rank = sorted(candidates, key=lambda c: c.rank)
    _place_kept([one for one in by_rank if one.kept], days, limit)
    new = [one for one in by_rank if one.day is None]
    last = max((one.hi for one in new), default=t0)
    room = {day: max(0, limit.x_on(day) - days.load[day]) for day in days_between(t0, last)}
    _give_days(_admitted(new, room), days, room, limit, t0)
    late = [one for one in new if one.day is None]
    # why one found no day is judged when all have been placed: a second run then says the same
    for one in [one for one in late if not _place_over(one, days, limit)]:
        one.reason = _why_none(one, days, limit)
