"""The lease: one run per organization at a time."""

from __future__ import annotations

import datetime as dt
import json
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import pytest

from almanac.errors import Corrupt, LeaseTaken, OutcomeUnknown, RequestError, TransientError
from almanac.storage.lease import (
    Lease,
    acquire,
    claim_merge,
    close_dead_runs,
    end_merge,
    release,
)
from almanac.storage.memory import MemoryStore
from almanac.storage.store import ObjectInfo, ObjectStore
from tests.support.storage_stores import FAULTS, STORES, Death, Fault, FaultyStore

ORG = "206"
NAME = "orgs/206/lease.json"
NOW = dt.datetime(2026, 11, 21, 10, 0, tzinfo=dt.UTC)
T = TypeVar("T")
HOUR = dt.timedelta(hours=1)
LATER = NOW + HOUR
MERGE = dt.timedelta(seconds=180)


@pytest.fixture(params=sorted(STORES))
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    return STORES[request.param](tmp_path)


def take(store: ObjectStore, run_id: str, now: dt.datetime = NOW) -> Lease:
    return acquire(store, ORG, run_id, f"holder of {run_id}", now, 3600)


def deliver(store: ObjectStore, holder: str, now: dt.datetime = NOW) -> Lease:
    """Another delivery of run-1."""
    return acquire(store, ORG, "run-1", holder, now, 3600)


def claim(store: ObjectStore, lease: Lease, now: dt.datetime = NOW, seconds: int = 3600) -> Lease:
    return claim_merge(store, lease, now, seconds=seconds, merge_seconds=180)


def test_a_free_lease_is_taken(store: ObjectStore) -> None:
    lease = take(store, "run-1")
    assert lease == Lease(ORG, "run-1", "holder of run-1", LATER, ())
    document = json.loads(store.read(NAME).data)
    assert document["run_id"] == "run-1"
    assert document["expires_at"] == "2026-11-21T11:00:00Z"


def test_a_taken_lease_says_who_has_it_and_until_when(store: ObjectStore) -> None:
    take(store, "run-1")
    with pytest.raises(LeaseTaken, match=r"run-1 \(holder of run-1\) .* 2026-11-21T11:00:00"):
        take(store, "run-2", LATER - dt.timedelta(seconds=1))


def test_leases_of_other_organizations_do_not_matter(store: ObjectStore) -> None:
    take(store, "run-1")
    assert acquire(store, "207", "run-2", "me", NOW, 3600).run_id == "run-2"


def test_the_same_run_enters_again(store: ObjectStore) -> None:
    take(store, "run-1")
    again = take(store, "run-1", NOW + HOUR / 2)
    assert again.expires_at == LATER + HOUR / 2
    assert again.dead_runs == ()
    assert take(store, "run-1", NOW + 5 * HOUR).dead_runs == ()


def test_an_expired_lease_is_taken_over_and_its_run_is_dead(store: ObjectStore) -> None:
    take(store, "run-1")
    assert take(store, "run-2", LATER).dead_runs == ("run-1",)
    with pytest.raises(LeaseTaken):
        take(store, "run-1", LATER)


def test_dead_runs_are_told_until_they_are_closed(store: ObjectStore) -> None:
    take(store, "run-1")
    take(store, "run-2", LATER)
    lease = take(store, "run-3", LATER + HOUR)
    assert lease.dead_runs == ("run-1", "run-2")
    assert take(store, "run-3", LATER + HOUR).dead_runs == ("run-1", "run-2")
    assert claim(store, lease, LATER + HOUR).dead_runs == ("run-1", "run-2")
    close_dead_runs(store, lease)
    close_dead_runs(store, lease)
    assert take(store, "run-3", LATER + HOUR).dead_runs == ()


def test_dead_runs_can_be_closed_only_by_who_has_the_lease(store: ObjectStore) -> None:
    take(store, "run-1")
    lease = take(store, "run-2", LATER)
    take(store, "run-3", LATER + HOUR)
    with pytest.raises(LeaseTaken, match="run run-3"):
        close_dead_runs(store, lease)
    assert take(store, "run-3", LATER + HOUR).dead_runs == ("run-1", "run-2")


def test_a_run_that_comes_back_to_life_is_not_dead(store: ObjectStore) -> None:
    take(store, "run-1")
    take(store, "run-2", LATER)
    assert take(store, "run-1", LATER + HOUR).dead_runs == ("run-2",)


def test_a_released_lease_is_free(store: ObjectStore) -> None:
    take(store, "run-1")
    release(store, ORG, "run-1")
    assert store.stat(NAME) is None
    release(store, ORG, "run-1")
    assert take(store, "run-2").dead_runs == ()


def test_only_its_own_lease_can_be_released(store: ObjectStore) -> None:
    take(store, "run-1")
    release(store, ORG, "run-2")
    with pytest.raises(LeaseTaken):
        take(store, "run-2")


def test_of_the_deliveries_of_a_run_one_merges(store: ObjectStore) -> None:
    mine = deliver(store, "mine")
    claim(store, mine)
    other = deliver(store, "other")
    assert other.holder == "other"
    with pytest.raises(LeaseTaken, match="mine merges run run-1"):
        claim(store, other, NOW + MERGE - dt.timedelta(seconds=1))
    # entering the run took nothing from the one that merges
    assert claim(store, mine, NOW + MERGE / 2).expires_at == NOW + MERGE / 2 + HOUR


def test_who_is_at_work_keeps_the_lease_of_the_run(store: ObjectStore) -> None:
    mine = deliver(store, "mine")
    claim(store, mine, NOW + HOUR / 2)
    with pytest.raises(LeaseTaken):
        take(store, "run-2", LATER + HOUR / 2 - dt.timedelta(seconds=1))


def test_a_claim_never_outlasts_the_lease(store: ObjectStore) -> None:
    lease = claim(store, deliver(store, "mine"), seconds=10)
    assert lease.expires_at == NOW + MERGE


def test_an_expired_claim_is_another_deliverys(store: ObjectStore) -> None:
    mine, other = deliver(store, "mine"), deliver(store, "other")
    claim(store, mine)
    claim(store, other, NOW + MERGE)
    with pytest.raises(LeaseTaken, match="other merges run run-1"):
        claim(store, mine, NOW + MERGE)


def test_a_claim_that_is_given_back_is_the_next_deliverys(store: ObjectStore) -> None:
    mine, other = deliver(store, "mine"), deliver(store, "other")
    claim(store, mine)
    end_merge(store, other)  # not its own to give back
    with pytest.raises(LeaseTaken):
        claim(store, other)
    end_merge(store, mine)
    end_merge(store, mine)
    claim(store, other)
    with pytest.raises(LeaseTaken):
        take(store, "run-2")


def test_a_claim_goes_with_the_lease(store: ObjectStore) -> None:
    mine = deliver(store, "mine")
    claim(store, mine)
    newcomer = take(store, "run-2", LATER)
    for act in (lambda: claim(store, mine, LATER), lambda: end_merge(store, mine)):
        with pytest.raises(LeaseTaken, match="run run-2"):
            act()
    claim(store, newcomer, LATER)
    release(store, ORG, "run-2")
    for act in (lambda: claim(store, mine, LATER), lambda: end_merge(store, mine)):
        with pytest.raises(LeaseTaken, match="run run-1 has lost its lease"):
            act()


def test_of_sixteen_deliveries_one_merges(store: ObjectStore) -> None:
    leases = [deliver(store, f"holder-{each}") for each in range(16)]
    got: list[Lease] = []

    def enter(lease: Lease) -> None:
        with suppress(LeaseTaken):
            got.append(claim(store, lease))

    threads = [threading.Thread(target=enter, args=(lease,)) for lease in leases]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 1
    assert json.loads(store.read(NAME).data)["holder"] == got[0].holder


def test_of_sixteen_runs_one_gets_the_lease(store: ObjectStore) -> None:
    for expired in (False, True):
        got: list[Lease] = []
        refused: list[str] = []

        def enter(run_id: str, now: dt.datetime, got: list[Lease], refused: list[str]) -> None:
            try:
                got.append(take(store, run_id, now))
            except LeaseTaken:
                refused.append(run_id)

        now = LATER if expired else NOW
        threads = [
            threading.Thread(target=enter, args=(f"run-{expired}-{each}", now, got, refused))
            for each in range(16)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert (len(got), len(refused)) == (1, 15)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("at", range(5))
def test_a_fault_at_any_write_is_overcome(fault: Fault, at: int) -> None:
    store = FaultyStore()
    take(store, "run-1")
    store.at, store.fault = at, fault
    lease = _once_more(lambda: take(store, "run-2", LATER))
    assert lease.dead_runs == ("run-1",)
    _once_more(lambda: claim(store, lease, LATER))
    _once_more(lambda: close_dead_runs(store, lease))
    _once_more(lambda: end_merge(store, lease))
    _once_more(lambda: release(store, ORG, "run-2"))
    assert store.stat(NAME) is None
    assert store.at_was_met()


def _once_more(act: Callable[[], T]) -> T:
    try:
        return act()
    except Death:
        return act()


class Silent(MemoryStore):
    """A store that does nothing and answers nothing to a write or a deletion."""

    silent = False

    def write(self, name: str, data: bytes, if_generation: int | None) -> ObjectInfo:
        if self.silent:
            raise OutcomeUnknown(name)
        return super().write(name, data, if_generation)

    def delete(self, name: str, if_generation: int | None) -> None:
        raise OutcomeUnknown(name)


def test_answers_lost_one_after_the_other_end_with_what_the_read_back_shows() -> None:
    store = Silent()
    lease = take(store, "run-1")
    store.silent = True
    assert take(store, "run-1") == lease  # nothing to write
    with pytest.raises(TransientError, match="was not changed"):
        take(store, "run-1", LATER)
    with pytest.raises(TransientError, match="was not changed"):
        claim(store, lease)
    with pytest.raises(TransientError, match="was not changed"):
        release(store, ORG, "run-1")


def test_what_is_no_lease_or_no_id_is_refused(store: ObjectStore) -> None:
    with pytest.raises(RequestError, match="run_id"):
        take(store, "../x")
    with pytest.raises(RequestError, match="org_id"):
        acquire(store, "../x", "run-1", "me", NOW, 3600)
    store.write(NAME, b"{}", if_generation=0)
    with pytest.raises(Corrupt, match=r"orgs/206/lease\.json: run_id"):
        take(store, "run-1")
