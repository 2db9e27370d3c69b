"""Frames of equally long columns."""

from __future__ import annotations

import numpy as np

from almanac.frames import Parts, ScheduledDays


def days(*numbers: int) -> ScheduledDays:
    day = np.array(numbers, np.int32)
    return ScheduledDays(day, day.astype(np.int64) * 10, np.zeros(len(day), np.int64))


def test_parts_are_joined_in_their_order_some_of_them_empty() -> None:
    for parts in ([], [()], [(), (1, 2), (), (3,), (4, 5, 6, 7, 8, 9)]):
        joined = Parts(ScheduledDays, len(parts))
        for part in parts:
            joined.add(days(*part))
        numbers = [number for part in parts for number in part]
        assert joined.joined().day.tolist() == numbers
        assert joined.joined().count.tolist() == [10 * number for number in numbers]
