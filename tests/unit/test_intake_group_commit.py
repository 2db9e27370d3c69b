"""Requests of an organization that come together are written together."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from almanac.errors import OutcomeUnknown, TransientError
from almanac.intake import group_commit
from almanac.intake.group_commit import GroupCommit

SECONDS = 20.0  # until a test that hangs gives up


class Writes:
    """What was written, by organization; a write takes until it is allowed to end."""

    def __init__(self) -> None:
        self.done: list[tuple[str, list[int]]] = []
        self.error: BaseException | None = None
        self.begun = threading.Semaphore(0)
        self.may_end = threading.Semaphore(0)

    def __call__(self, org: str, items: Sequence[int]) -> None:
        self.begun.release()
        assert self.may_end.acquire(timeout=SECONDS)
        if self.error is not None:
            raise self.error
        self.done.append((org, list(items)))


def waiting(commit: GroupCommit[int], org: str) -> int:
    return len(commit._waiting.get(org, []))


def put(
    pool: ThreadPoolExecutor, commit: GroupCommit[int], item: int, org: str = "206", size: int = 1
) -> Future[None]:
    """Put an item from a thread, and return once it waits for another's write."""
    before = waiting(commit, org)
    future = pool.submit(commit.put, org, [item], size)
    while waiting(commit, org) <= before and not future.done():
        time.sleep(0.001)
    return future


def test_what_comes_during_a_write_is_written_together_by_the_next() -> None:
    writes = Writes()
    commit = GroupCommit(writes, window=0)
    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(commit.put, "206", [0], 1)
        assert writes.begun.acquire(timeout=SECONDS)
        others = [put(pool, commit, number) for number in range(1, 6)]
        elsewhere = pool.submit(commit.put, "207", [9], 1)  # has a writer of its own
        assert writes.begun.acquire(timeout=SECONDS)
        assert not any(each.done() for each in (first, elsewhere, *others))
        writes.may_end.release(3)
        for each in (first, elsewhere, *others):
            each.result(SECONDS)
    assert sorted(writes.done) == [("206", [0]), ("206", [1, 2, 3, 4, 5]), ("207", [9])]
    assert commit._waiting == {}


def test_those_that_come_within_the_window_share_the_first_write() -> None:
    writes = Writes()
    writes.may_end.release(9)
    commit = GroupCommit(writes, window=0.2)
    with ThreadPoolExecutor(2) as pool:
        for each in [put(pool, commit, number) for number in (1, 2)]:
            each.result(SECONDS)
    assert writes.done == [("206", [1, 2])]


def test_an_object_does_not_grow_beyond_its_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group_commit, "MAX_BYTES", 10)
    writes = Writes()
    commit = GroupCommit(writes, window=0)
    with ThreadPoolExecutor(8) as pool:
        futures = [pool.submit(commit.put, "206", [0], 1)]
        assert writes.begun.acquire(timeout=SECONDS)
        futures += [put(pool, commit, n, size=size) for n, size in ((1, 6), (2, 4), (3, 99))]
        writes.may_end.release(9)
        for each in futures:
            each.result(SECONDS)
    assert [items for _, items in writes.done] == [[0], [1, 2], [3]]


@pytest.mark.parametrize("error", [TransientError("no answer"), KeyboardInterrupt()])
def test_a_write_that_fails_fails_for_all_that_it_was_for(error: BaseException) -> None:
    writes = Writes()
    commit = GroupCommit(writes, window=0)
    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(commit.put, "206", [0], 1)
        assert writes.begun.acquire(timeout=SECONDS)
        others = [put(pool, commit, number) for number in (1, 2)]
        writes.may_end.release()
        first.result(SECONDS)
        assert writes.begun.acquire(timeout=SECONDS)
        last = put(pool, commit, 3)
        writes.error = error
        writes.may_end.release()
        for each in others:
            assert isinstance(each.exception(SECONDS), type(error) | OutcomeUnknown)
        writes.error = None
        writes.may_end.release()
        last.result(SECONDS)
    assert [items for _, items in writes.done] == [[0], [3]]
