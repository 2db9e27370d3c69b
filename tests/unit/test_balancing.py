"""Choosing days, against a reading of the rules that takes one message after the other."""

from __future__ import annotations

import random
import zlib
from collections import Counter
from dataclasses import dataclass

import numpy as np
import pytest

from almanac.balancing.hashing import message_hashes
from almanac.balancing.occupancy import Limits, Occupancy
from almanac.balancing.place import NoDayCodes, place
from almanac.balancing.targets import aims_of
from almanac.config import Config
from almanac.frames import NO_DAY, Contenders, Kind
from tests.support.sampling import sampled

T0 = 20_000
DAYS = 14
CAP_REACHED, CONFLICT, CLOSED = 1, 2, 3
KINDS = [
    Kind("aep", 0, 30, None, None),
    Kind("campaign_a", 1, 10, None, None),
    Kind("campaign_a", 2, 10, None, None),
    Kind("campaign_b", 3, 30, None, None),
    Kind("effective_date", 0, 20, None, None),
    Kind("followup_1_cold", 0, 50, None, None),
]


@dataclass
class Message:
    """A contender, and where it ends up."""

    contact: int
    kind: int
    ideal: int
    deadline: int
    floor: int
    ceiling: int
    previous: int | None
    kept: bool = False
    target: int = 0
    day: int | None = None
    reason: int = 0

    @property
    def campaign(self) -> bool:
        return KINDS[self.kind].email_type.startswith("campaign_")

    @property
    def hash(self) -> int:
        kind = KINDS[self.kind]
        text = f"{kind.email_type}:{kind.instance}:2024"
        return splitmix64(self.contact ^ splitmix64(zlib.crc32(text.encode())))

    @property
    def rank(self) -> tuple[int, int, int, int, int]:
        return (KINDS[self.kind].priority, self.deadline, self.hash, self.contact, self.kind)


def splitmix64(z: int) -> int:
    mask = (1 << 64) - 1
    z = (z + 0x9E3779B97F4A7C15) & mask
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
    return z ^ (z >> 31)


@dataclass
class Days:
    """What stands on the days."""

    load: Counter[int]
    campaigns: set[tuple[int, int]]

    def barred(self, message: Message, day: int) -> bool:
        return message.campaign and (message.contact, day) in self.campaigns

    def stand(self, message: Message, day: int) -> None:
        message.day = day
        self.load[day] += 1
        if message.campaign:
            self.campaigns.add((message.contact, day))


def one_by_one(
    messages: list[Message], days: Days, fixed_dates: Counter[int], limits: Limits
) -> None:
    """Target, Smoothing and Daily cap, word by word."""
    set_targets(messages, limits)
    smooth(messages, fixed_dates, limits)
    ranked = sorted(messages, key=lambda m: m.rank)
    cap, ceiling = (
        {day: 0 if day in limits.closed else most for day in range(T0, T0 + 4 * DAYS)}
        for most in (limits.cap, limits.ceiling)
    )
    for one in ranked:
        if (
            one.kept
            and days.load[one.target] < ceiling[one.target]
            and not days.barred(one, one.target)
        ):
            days.stand(one, one.target)
    new = [m for m in ranked if m.day is None]
    place_admitted(new, days, cap, ceiling)
    place_late([m for m in new if m.day is None], days, ceiling, limits)


def set_targets(messages: list[Message], limits: Limits) -> None:
    for one in messages:
        one.kept = one.previous is not None and one.floor <= one.previous <= one.ceiling
        if one.kept and one.previous is not None:
            one.target = one.previous
        elif one.ideal >= T0:
            one.target = one.ideal
        elif KINDS[one.kind].email_type.startswith("followup"):
            one.target = T0
        else:
            one.target = T0 + one.hash % min(limits.catch_up_days, one.ceiling - T0 + 1)


def smooth(messages: list[Message], fixed_dates: Counter[int], limits: Limits) -> None:
    """Move messages about effective dates away from days that too many of them want."""
    dated = [m for m in messages if KINDS[m.kind].email_type == "effective_date"]
    count = Counter(m.target for m in dated) + fixed_dates
    crowded = {day for day, number in count.items() if number > limits.effective_date_limit}
    for one in dated:
        if not one.kept and one.target == one.ideal and one.target in crowded:
            window = limits.smoothing_window
            moved = one.ideal + one.hash % window - window // 2
            if one.floor <= moved <= one.ceiling:
                one.target = moved


def place_admitted(
    new: list[Message], days: Days, cap: dict[int, int], ceiling: dict[int, int]
) -> None:
    """Choose a day, day after day, for the most messages that all find one."""
    room = {day: max(0, ceiling[day] - days.load[day]) for day in range(T0, T0 + 4 * DAYS)}
    chosen = admitted_by_matching(new, room)
    by_last_day = sorted(chosen, key=lambda m: (m.ceiling, m.rank))
    for day in range(T0, T0 + 4 * DAYS):
        open_ = [m for m in chosen if m.day is None and m.ceiling >= day]
        must = max(
            sum(m.ceiling <= last for m in open_) - sum(room[d] for d in range(day + 1, last + 1))
            for last in range(day, T0 + 4 * DAYS)
        )
        for one in waiting(by_last_day, day):
            if must > 0 and days.load[day] < ceiling[day] and not days.barred(one, day):
                days.stand(one, day)
                must -= 1
        own = [m for m in waiting(by_last_day, day) if m.target == day]
        if len(own) + days.load[day] <= ceiling[day]:
            for one in own:
                if not days.barred(one, day):
                    days.stand(one, day)
        for one in waiting(by_last_day, day):
            if days.load[day] < cap[day] and not days.barred(one, day):
                days.stand(one, day)


def place_late(late: list[Message], days: Days, ceiling: dict[int, int], limits: Limits) -> None:
    """Give the others what room is left, or the reason why they get none."""
    for one in late:
        for day in range(one.target, one.ceiling + 1):
            if days.load[day] < ceiling[day] and not days.barred(one, day):
                days.stand(one, day)
                break
    for one in late:
        if one.day is None:
            allowed = range(one.target, one.ceiling + 1)
            has_room = any(days.load[day] < ceiling[day] for day in allowed)
            closed = limits.closed.issuperset(allowed)
            one.reason = CONFLICT if has_room else CLOSED if closed else CAP_REACHED


def waiting(in_order: list[Message], day: int) -> list[Message]:
    return [m for m in in_order if m.day is None and m.target <= day <= m.ceiling]


def admitted_by_matching(new: list[Message], room: dict[int, int]) -> list[Message]:
    """In rank order, whoever can be given a day together with those before: by augmenting paths,
    so that others make way within their own days."""
    on_day: dict[int, list[Message]] = {day: [] for day in room}

    def finds_a_day(one: Message, tried: set[int]) -> bool:
        for day in range(one.target, one.ceiling + 1):
            if day in tried:
                continue
            tried.add(day)
            if len(on_day[day]) < room[day]:
                on_day[day].append(one)
                return True
            for other in on_day[day]:
                if finds_a_day(other, tried):
                    on_day[day][on_day[day].index(other)] = one
                    return True
        return False

    return [one for one in new if finds_a_day(one, set())]


def some_messages(rng: random.Random) -> list[Message]:
    """Few contacts with many messages on few days, so that everything gets in the way."""
    found: dict[tuple[int, int], Message] = {}
    for _ in range(rng.randrange(1, 120)):
        contact, kind = rng.randrange(1, 25), rng.randrange(len(KINDS))
        ideal = T0 + rng.randrange(-4, DAYS)
        start = max(ideal, T0)
        early = 2 if KINDS[kind].email_type == "effective_date" else 0
        ceiling = start + rng.choice([0, 1, 3, 10])
        previous = rng.choice([None, None, start, start + 1, start + rng.randrange(12)])
        found[contact, kind] = Message(
            contact=contact,
            kind=kind,
            ideal=ideal,
            deadline=ceiling + rng.randrange(3),
            floor=max(T0, start - early),
            ceiling=ceiling,
            previous=previous,
        )
    return [found[key] for key in sorted(found)]


def contenders(messages: list[Message]) -> Contenders:
    def days(name: str) -> np.ndarray[tuple[int], np.dtype[np.int32]]:
        return np.array([getattr(m, name) for m in messages], np.int32)

    return Contenders(
        contact_id=np.array([m.contact for m in messages], np.int64),
        kind=days("kind"),
        event=np.full(len(messages), 20_100, np.int32) - np.int32(200),
        ideal=days("ideal"),
        deadline=days("deadline"),
        x=days("ideal"),
        floor=days("floor"),
        ceiling=days("ceiling"),
        previous_day=np.array(
            [NO_DAY if m.previous is None else m.previous for m in messages], np.int32
        ),
        previous_ideal=np.array([m.previous is not None for m in messages]),
    )


@pytest.mark.parametrize("block", sampled(range(20), 1))
def test_days_are_chosen_as_if_one_message_came_after_the_other(block: int) -> None:
    for seed in range(block * 50, block * 50 + 50):
        rng = random.Random(seed)
        messages = some_messages(rng)
        limits = Limits(
            t0=T0,
            cap=(cap := rng.randrange(1, 8)),
            ceiling=cap + rng.randrange(3),
            effective_date_limit=rng.randrange(1, 4),
            smoothing_window=rng.choice([1, 3, 5]),
            catch_up_days=rng.randrange(1, 8),
            kinds=KINDS,
            closed=frozenset(rng.sample(range(T0, T0 + DAYS), rng.choice([0, 0, 2, 5, DAYS]))),
        )
        fixed = [rng.choice([0, 0, 0, 1, 5]) for _ in range(DAYS)]
        dated = [rng.randrange(number + 1) for number in fixed]
        committed = sorted({(rng.randrange(1, 25), T0 + rng.randrange(DAYS)) for _ in range(6)})
        load = Occupancy(
            np.array(fixed, np.int64),
            np.array(dated, np.int64),
            np.array([contact for contact, _ in committed], np.int64),
            np.array([day for _, day in committed], np.int32),
        )
        one_by_one(
            messages,
            Days(Counter({T0 + n: x for n, x in enumerate(fixed)}), set(committed)),
            Counter({T0 + n: x for n, x in enumerate(dated)}),
            limits,
        )
        placed = place(
            aims_of(contenders(messages), limits),
            load,
            limits,
            NoDayCodes(CAP_REACHED, CONFLICT, CLOSED),
        )
        expected = [(m.reason, NO_DAY if m.day is None else m.day) for m in messages]
        found = list(zip(placed.reason.tolist(), placed.day.tolist(), strict=True))
        assert found == expected, f"seed {seed}"


def test_the_hash_is_that_of_the_definition() -> None:
    ids = np.array([-7, 1, 12_345_678_901], np.int64)
    found = message_hashes(ids, np.zeros(3, np.int32), np.full(3, 19_900, np.int32), KINDS)
    salt = splitmix64(zlib.crc32(b"aep:0:2024"))
    assert found.tolist() == [splitmix64((i % (1 << 64)) ^ salt) for i in ids.tolist()]


def test_the_caps_are_exact_decimals() -> None:
    config = Config.model_validate(
        {"load_balancing": {"daily_send_percentage_cap": 0.29, "overage_threshold": 1.1}}
    )
    assert (config.daily_cap(100), config.ceiling(100)) == (29, 31)
    assert config.daily_cap(1) == 1
    assert config.effective_date_limit(100) == 8
