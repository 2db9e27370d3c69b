"""A bus within one process, which delivers in the order of publishing."""

from __future__ import annotations

import datetime as dt
import itertools
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from dataclasses import dataclass
from typing import Any

from almanac.errors import ConfigError, OutcomeUnknown, TransientError
from almanac.messaging.bus import Delivery
from almanac.tracing import carrier

_AGAIN = (TransientError, OutcomeUnknown)


@dataclass(frozen=True)
class _Subscription:
    handler: Callable[[Delivery], Any]
    executor: Executor | None
    then: Callable[[Delivery, Any], None] | None


@dataclass(frozen=True)
class _Attempt:
    delivery: Delivery
    number: int


class LocalBus:
    """A Bus whose messages wait in a queue until run_until_idle delivers them.

    clock returns publish times. A delivery that fails with TransientError or OutcomeUnknown is
    queued again, for max_attempts attempts in all; before that pause is called with the number of
    the attempt that failed.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
        max_attempts: int = 5,
        pause: Callable[[int], None] = lambda attempt: None,
    ) -> None:
        self._clock = clock
        self._max_attempts = max_attempts
        self._pause = pause
        self._subscriptions: dict[str, _Subscription] = {}
        self._waiting: deque[_Attempt] = deque()
        self._ids = itertools.count(1)
        self._lock = threading.Lock()

    def subscribe(
        self,
        topic: str,
        handler: Callable[[Delivery], Any],
        *,
        executor: Executor | None = None,
        then: Callable[[Delivery, Any], None] | None = None,
    ) -> None:
        """Deliver the topic's messages to handler, one at a time or, in an executor, in parallel.

        then is called with the delivery and the handler's result, in the thread of run_until_idle:
        a handler in another process cannot publish, then can.
        """
        self._subscriptions[topic] = _Subscription(handler, executor, then)

    def publish(
        self, topic: str, messages: Sequence[bytes], attributes: Mapping[str, str] | None = None
    ) -> None:
        named = {**(attributes or {}), **carrier()}
        with self._lock:
            now = self._clock()
            for data in messages:
                message_id = str(next(self._ids))
                delivery = Delivery(topic, message_id, now, data, named)
                self._waiting.append(_Attempt(delivery, 1))

    def run_until_idle(self) -> None:
        """Deliver until no message waits and no handler runs.

        The first error that is not retried is raised at once; deliveries that wait in executors
        are cancelled, and those in the queue are dropped.
        """
        running: dict[Future[Any], _Attempt] = {}
        try:
            while self._waiting or running:
                if self._waiting:
                    self._start(self._waiting.popleft(), running)
                for future in self._finished(running):
                    attempt = running.pop(future)
                    self._finish(attempt, future.result)
        except BaseException:
            for future in running:
                future.cancel()
            self._waiting.clear()
            raise

    def _start(self, attempt: _Attempt, running: dict[Future[Any], _Attempt]) -> None:
        subscription = self._subscription(attempt)
        if subscription.executor:
            future = subscription.executor.submit(subscription.handler, attempt.delivery)
            running[future] = attempt
        else:
            self._finish(attempt, lambda: subscription.handler(attempt.delivery))

    def _finished(self, running: dict[Future[Any], _Attempt]) -> list[Future[Any]]:
        """Return the finished ones in order of submission; wait for one if no message waits."""
        if running and not self._waiting:
            wait(running, return_when=FIRST_COMPLETED)
        return [future for future in running if future.done()]

    def _finish(self, attempt: _Attempt, result: Callable[[], Any]) -> None:
        subscription = self._subscription(attempt)
        try:
            value = result()
            if subscription.then:
                subscription.then(attempt.delivery, value)
        except _AGAIN:
            if attempt.number >= self._max_attempts:
                raise
            self._pause(attempt.number)
            self._waiting.append(_Attempt(attempt.delivery, attempt.number + 1))

    def _subscription(self, attempt: _Attempt) -> _Subscription:
        try:
            return self._subscriptions[attempt.delivery.topic]
        except KeyError:
            topic = attempt.delivery.topic
            raise ConfigError(f"topic {topic}: it has no subscriber") from None
