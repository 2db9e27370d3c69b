"""A merge gives up before its function is cut off, and the next delivery need not wait for it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from almanac.runs.time_limit import OutOfTime, time_limit
from almanac.storage.patience import Patience
from almanac.storage.versions import current
from tests.support import agencies
from tests.support.clouds import NOW, Cloud

ORG = "206"


def test_a_merge_that_gave_up_leaves_nothing_and_the_next_delivery_merges(tmp_path: Path) -> None:
    database = agencies.build(tmp_path / "agency.sqlite3", 3, 24, as_of=NOW.date(), config={})
    cloud = Cloud(tmp_path)
    cloud.push(ORG, database)
    in_time, given_up = cloud.services, []

    def merge_late() -> None:
        cloud.services = replace(in_time, merge_seconds=0)

    handle = cloud.handle

    def handled(function: str, delivery: object) -> None:
        try:
            handle(function, delivery)  # type: ignore[arg-type]
        except OutOfTime as error:
            given_up.append(str(error))
            there = current(cloud.store, ORG)
            assert there
            assert there[0].version == 1
            cloud.services = in_time
            raise

    cloud.handle = handled  # type: ignore[method-assign]
    merge_late()
    cloud.ask(ORG)
    cloud.run()
    there = current(cloud.store, ORG)
    cloud.close()
    assert there
    assert there[0].version == 2
    (reason,) = given_up
    assert reason.startswith("given up after 0 seconds, before the function is cut off")


def test_no_request_begins_after_the_end_and_the_limit_ends_with_the_step() -> None:
    class Store:
        patience = Patience(60, lambda error: True)

    now = [0.0]
    request = Store.patience(lambda: "answered")
    with time_limit(Store, 10, clock=lambda: now[0]) as check:
        assert request() == "answered"
        now[0] = 10
        with pytest.raises(OutOfTime):
            request()
        with pytest.raises(OutOfTime):
            check()
    assert request() == "answered"


def test_without_a_limit_a_step_takes_its_time() -> None:
    with time_limit(object(), None) as check:
        check()
