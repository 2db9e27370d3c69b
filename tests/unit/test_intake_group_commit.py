"""Requests of an organization that come together are written together."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import pytest

from almanac.errors import TransientError
from almanac.intake import group_commit
from almanac.intake.group_commit import GroupCommit

SECONDS = 20.0  # until a test that hangs gives up


class Writes:
    """What was written, by organization; a write takes until it is allowed to end."""

    def __init__(self) -> None:
        self.done: list[tuple[str, list[int]]] = []
        self.error: Exception | None = None
        self.may_end = threading.Semaphore(0)
        self.begun = 0

    def __call__(self, org: str, items: Sequence[int]) -> None:
        self.begun += 1
        assert self.may_end.acquire(timeout=SECONDS)
        if self.error is not None:
            raise self.error
        self.done.append((org, list(items)))


async def until(holds: Callable[[], bool]) -> None:
    while not holds():
        await asyncio.sleep(0.001)


def put(commit: GroupCommit[int], *items: int, org: str = "206", size: int = 1) -> list[Any]:
    """Requests with an item each, which begin at the loop's next turn."""
    return [asyncio.ensure_future(commit.put(org, [item], size)) for item in items]


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(test, SECONDS))


def test_what_comes_during_a_write_is_written_together_by_the_next() -> None:
    writes = Writes()
    commit = GroupCommit(writes, window=0)

    async def test() -> None:
        first = put(commit, 0)
        await until(lambda: writes.begun == 1)
        others = put(commit, 1, 2, 3, 4, 5)
        elsewhere = put(commit, 9, org="207")  # has a writer of its own
        await until(lambda: writes.begun == 2)
        assert not any(each.done() for each in (*first, *others, *elsewhere))
        writes.may_end.release(3)
        await asyncio.gather(*first, *others, *elsewhere)

    run(test())
    assert sorted(writes.done) == [("206", [0]), ("206", [1, 2, 3, 4, 5]), ("207", [9])]
    assert commit._waiting == {}


def test_those_that_come_within_the_window_share_the_first_write() -> None:
    writes = Writes()
    writes.may_end.release(9)

    async def test() -> None:
        await asyncio.gather(*put(GroupCommit(writes), 1, 2))

    run(test())
    assert writes.done == [("206", [1, 2])]


def test_an_object_does_not_grow_beyond_its_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group_commit, "MAX_BYTES", 10)
    writes = Writes()
    writes.may_end.release(9)
    commit = GroupCommit(writes, window=0)

    async def test() -> None:
        sizes = ((1, 6), (2, 4), (3, 99), (4, 1))
        waiting = [each for item, size in sizes for each in put(commit, item, size=size)]
        await asyncio.gather(*waiting)

    run(test())
    assert [items for _, items in writes.done] == [[1, 2], [3], [4]]


def test_a_write_that_fails_fails_for_all_that_it_was_for_and_no_other() -> None:
    writes = Writes()
    commit = GroupCommit(writes, window=0)

    async def test() -> None:
        writes.error = TransientError("no answer")
        failing = put(commit, 1, 2)
        await until(lambda: writes.begun == 1)
        later = put(commit, 3)
        await asyncio.sleep(0)
        writes.may_end.release()
        for each in failing:
            with pytest.raises(TransientError):
                await each
        writes.error = None
        writes.may_end.release()
        await asyncio.gather(*later)

    run(test())
    assert writes.done == [("206", [3])]


def test_a_process_that_ends_answers_no_request_with_success() -> None:
    writes = Writes()
    commit = GroupCommit(writes, window=0)

    async def test() -> None:
        waiting = put(commit, 1, 2)
        await until(lambda: writes.begun == 1)
        next(iter(commit._writers)).cancel()
        for each in waiting:
            with pytest.raises(asyncio.CancelledError):
                await each
        writes.may_end.release()

    run(test())
    assert commit._waiting == {}
