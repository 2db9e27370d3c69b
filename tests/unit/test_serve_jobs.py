"""The background work of `almanac serve`: once for each key, and ended without leftovers."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from almanac.errors import AlmanacError, DatabaseError
from almanac.progress import Progress
from almanac.serve.jobs import MOST_WAITING, Jobs


def test_the_work_of_a_key_is_done_once_and_kept() -> None:
    jobs, calls = Jobs(), []

    def work(progress: Progress) -> int:
        calls.append(progress)
        return 42

    for _ in range(2):
        job = jobs.start("key", work)
        assert job.ended.wait(10)
        assert job.result == 42
    assert len(calls) == 1
    jobs.stop()


def test_what_fails_says_why_and_is_tried_again() -> None:
    def work(progress: Progress) -> None:
        raise DatabaseError("agency.sqlite3: damaged")

    jobs = Jobs()
    first = jobs.start("key", work)
    assert first.ended.wait(10)
    assert first.error == "agency.sqlite3: damaged"
    assert jobs.start("key", work) is not first
    jobs.stop()


def test_stop_ends_work_at_its_next_step_and_what_it_holds_is_released(tmp_path: Path) -> None:
    jobs, started, copy = Jobs(), threading.Event(), tmp_path / "copy"

    def work(progress: Progress) -> None:
        copy.write_text("a copy of the database", "utf-8")
        try:
            while True:
                progress("plan", 0, 1)
                started.set()
        finally:
            copy.unlink()

    job = jobs.start("key", work)
    assert started.wait(10)
    assert jobs.busy
    jobs.stop()
    assert job.ended.is_set()
    assert not copy.exists()


def test_more_than_a_few_do_not_wait() -> None:
    jobs, go_on = Jobs(), threading.Event()

    def work(progress: Progress) -> None:
        go_on.wait(10)

    with pytest.raises(AlmanacError, match="Several computations wait already"):
        _ = [jobs.start(key, work) for key in range(MOST_WAITING + 3)]
    go_on.set()
    jobs.stop()
