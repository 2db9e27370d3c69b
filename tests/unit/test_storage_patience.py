"""All requests of a command share one minute in which they may fail."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from almanac.storage.patience import Patience, renew_patience


class Clock:
    """A clock that only pauses and requests move."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def move(self, seconds: float) -> None:
        self.now += seconds


class Refused(Exception):
    """An error that a retry does not meet again."""


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def patience(clock: Clock) -> Patience:
    return Patience(60, lambda error: not isinstance(error, Refused), clock=clock, sleep=clock.move)


def failing(clock: Clock, seconds: float, times: int | None = None) -> Callable[[], str]:
    """A request that fails after so many seconds, so many times, always if None."""
    left = [times]

    def request() -> str:
        clock.move(seconds)
        if left[0] == 0:
            return "answered"
        if left[0] is not None:
            left[0] -= 1
        raise ConnectionError

    return request


def test_what_fails_for_a_minute_is_given_up_and_what_follows_is_tried_once(
    patience: Patience, clock: Clock
) -> None:
    with pytest.raises(ConnectionError):
        patience(failing(clock, 0.1))()
    assert 60 <= clock.now <= 60.2
    assert str(patience) == "tried again for 60 seconds"
    for _ in range(10):  # as loops around requests do
        with pytest.raises(ConnectionError):
            patience(failing(clock, 0.1))()
    assert clock.now <= 61.2


def test_an_answer_ends_the_trying(patience: Patience, clock: Clock) -> None:
    assert patience(failing(clock, 1, times=3))() == "answered"
    assert patience.left() > 50
    with pytest.raises(Refused):
        patience(refused)()


def refused() -> None:
    raise Refused


def test_long_healthy_requests_cost_nothing_and_give_some_back(
    patience: Patience, clock: Clock
) -> None:
    patience(failing(clock, 500, times=0))()
    with pytest.raises(ConnectionError):
        patience(failing(clock, 1))()
    assert patience.left() == 0
    clock.move(300)
    began = clock.now
    with pytest.raises(ConnectionError):
        patience(failing(clock, 1))()
    assert 29 <= clock.now - began <= 32


def test_what_several_threads_lose_at_once_counts_once(patience: Patience, clock: Clock) -> None:
    began = clock.now
    clock.move(10)
    for _ in range(8):
        patience._count(began)
    assert patience.left() == 50


def test_the_next_delivery_has_a_minute_of_its_own(patience: Patience, clock: Clock) -> None:
    class Store:
        def __init__(self) -> None:
            self.patience = patience

    with pytest.raises(ConnectionError):
        patience(failing(clock, 1))()
    assert patience.timeout(30) == 5
    renew_patience(Store())
    assert patience.left() == 60
    assert patience.timeout(30) == 30
    assert str(patience) == "not tried again"
    renew_patience(object())
