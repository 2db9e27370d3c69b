"""Delivery within one process."""

from __future__ import annotations

import datetime as dt
import multiprocessing
import threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import pytest

from almanac.errors import ConfigError, LeaseTaken, OutcomeUnknown, StorageError
from almanac.messaging.bus import Bus, Delivery
from almanac.messaging.local import LocalBus

NOW = dt.datetime(2026, 11, 21, 10, 0, tzinfo=dt.UTC)


@pytest.fixture
def bus() -> LocalBus:
    return LocalBus(clock=lambda: NOW)


def test_messages_arrive_in_order_with_what_was_sent(bus: LocalBus) -> None:
    arrived: list[Delivery] = []
    bus.subscribe("a", arrived.append)
    carrier: Bus = bus
    carrier.publish("a", [b"1", b"2"], {"org_id": "206"})
    carrier.publish("a", [b"3"])
    assert arrived == []
    bus.run_until_idle()
    assert arrived == [
        Delivery("a", "1", NOW, b"1", {"org_id": "206"}),
        Delivery("a", "2", NOW, b"2", {"org_id": "206"}),
        Delivery("a", "3", NOW, b"3", {}),
    ]


def test_a_handler_may_publish(bus: LocalBus) -> None:
    arrived: list[bytes] = []
    bus.subscribe("a", lambda delivery: bus.publish("b", [delivery.data * 2]))
    bus.subscribe("b", lambda delivery: arrived.append(delivery.data))
    bus.publish("a", [b"1", b"2"])
    bus.run_until_idle()
    assert arrived == [b"11", b"22"]


def test_a_message_for_nobody_is_an_error(bus: LocalBus) -> None:
    bus.publish("a", [b"1"])
    with pytest.raises(ConfigError, match="topic a: it has no subscriber"):
        bus.run_until_idle()


@pytest.mark.parametrize("error", [LeaseTaken, OutcomeUnknown])
def test_a_passing_error_is_delivered_again_after_the_others(error: type[Exception]) -> None:
    pauses: list[int] = []
    bus = LocalBus(clock=lambda: NOW, pause=pauses.append)
    arrived: list[tuple[str, bytes]] = []

    def handler(delivery: Delivery) -> None:
        arrived.append((delivery.message_id, delivery.data))
        if delivery.data == b"1" and len(arrived) < 4:
            raise error("not yet")

    bus.subscribe("a", handler)
    bus.publish("a", [b"1", b"2"])
    bus.run_until_idle()
    assert arrived == [("1", b"1"), ("2", b"2"), ("1", b"1"), ("1", b"1")]
    assert pauses == [1, 2]


def test_an_error_that_does_not_pass_is_raised_in_the_end() -> None:
    bus = LocalBus(clock=lambda: NOW, max_attempts=3)
    attempts: list[bytes] = []

    def handler(delivery: Delivery) -> None:
        attempts.append(delivery.data)
        raise LeaseTaken("never")

    bus.subscribe("a", handler)
    bus.publish("a", [b"1"])
    with pytest.raises(LeaseTaken, match="never"):
        bus.run_until_idle()
    assert len(attempts) == 3


def test_any_other_error_is_raised_at_once_and_the_rest_is_dropped(bus: LocalBus) -> None:
    arrived: list[bytes] = []

    def handler(delivery: Delivery) -> None:
        arrived.append(delivery.data)
        raise StorageError("no")

    bus.subscribe("a", handler)
    bus.publish("a", [b"1", b"2"])
    with pytest.raises(StorageError, match="no"):
        bus.run_until_idle()
    bus.run_until_idle()
    assert arrived == [b"1"]


def test_in_an_executor_handlers_run_at_once(bus: LocalBus) -> None:
    together = threading.Barrier(4, timeout=30)
    with ThreadPoolExecutor(4) as executor:
        bus.subscribe("a", lambda delivery: together.wait(), executor=executor)
        bus.publish("a", [b"1", b"2", b"3", b"4"])
        bus.run_until_idle()


def _double(delivery: Delivery) -> bytes:
    return delivery.data * 2


def test_what_a_handler_returned_in_another_process_is_handed_on(bus: LocalBus) -> None:
    arrived: list[bytes] = []
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, mp_context=context) as executor:
        bus.subscribe(
            "a",
            _double,
            executor=executor,
            then=lambda delivery, result: bus.publish("b", [delivery.data + result]),
        )
        bus.subscribe("b", lambda delivery: arrived.append(delivery.data))
        bus.publish("a", [b"1", b"2", b"3"])
        bus.run_until_idle()
    assert sorted(arrived) == [b"111", b"222", b"333"]


def test_the_first_failure_in_an_executor_is_raised_and_the_rest_cancelled(bus: LocalBus) -> None:
    failed = threading.Event()
    began: list[bytes] = []

    def handler(delivery: Delivery) -> None:
        began.append(delivery.data)
        if delivery.data == b"fails":
            raise StorageError("this one fails")
        failed.wait(30)

    with ThreadPoolExecutor(2) as executor:
        bus.subscribe("a", handler, executor=executor)
        bus.publish("a", [b"long", b"fails", *[b"long"] * 100])
        with pytest.raises(StorageError, match="this one fails"):
            bus.run_until_idle()
        failed.set()
    assert len(began) <= 4


def test_a_passing_error_in_an_executor_is_delivered_again(bus: LocalBus) -> None:
    attempts: list[str] = []

    def handler(delivery: Delivery) -> None:
        attempts.append(delivery.message_id)
        if attempts.count(delivery.message_id) < 3:
            raise LeaseTaken("not yet")

    with ThreadPoolExecutor(2) as executor:
        bus.subscribe("a", handler, executor=executor)
        bus.publish("a", [b"1", b"2"])
        bus.run_until_idle()
    assert sorted(attempts) == ["1", "1", "1", "2", "2", "2"]
